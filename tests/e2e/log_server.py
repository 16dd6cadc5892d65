"""Stand-ins for log servers, which check each request strictly and fail on demand."""

import gzip
import http.server
import json
import re
import threading

LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class LogServer(http.server.ThreadingHTTPServer):
    """A log server at a port. `plan` has what to do with the next requests: a status, with or without a
    value of Retry-After; "hang"; "lost" (the batch is taken, and the connection closed); else all is taken."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler, port=0, context=None):
        super().__init__(("127.0.0.1", port), handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.lock = threading.Lock()
        self.plan, self.lines, self.wrong, self.heads, self.sizes = [], [], [], [], []
        self.requests = 0
        self.last = {}  # the last timestamp of each stream
        self.release = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def count(self):
        with self.lock:
            return len(self.lines)

    def stop(self):
        self.release.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # clients may disconnect at any time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            step = server.plan.pop(0) if server.plan else None
            server.requests += 1
            server.heads.append((self.path, dict(self.headers)))
            server.sizes.append(len(body))
            if step is None or step == "lost":
                try:
                    if self.headers.get("Content-Encoding") == "gzip":
                        body = gzip.decompress(body)
                    server.lines += self.check(json.loads(body))
                except Exception as error:
                    server.wrong.append(f"{error!r}: {body[:500]}")
                    step = (400, None)
        if step == "hang":
            server.release.wait(60)
            self.close_connection = True
        elif step == "lost":
            self.close_connection = True
        elif step is None:
            self.answer(*self.taken)
        else:
            status, retry_after = step if isinstance(step, tuple) else (step, None)
            self.answer(status, b"no", retry_after)

    def answer(self, status, content, retry_after=None):
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def must(holds, what):
    if not holds:
        raise ValueError(what)


class Loki(Handler):
    """POST /loki/api/v1/push of Loki's HTTP API."""

    taken = (204, b"")

    def check(self, body):
        must(self.path == "/loki/api/v1/push", self.path)
        must(self.headers["Content-Type"] == "application/json", "Content-Type")
        must(list(body) == ["streams"] and body["streams"], body)
        lines = []
        for stream in body["streams"]:
            must(set(stream) == {"stream", "values"} and stream["values"], stream)
            labels = stream["stream"]
            must(0 < len(labels) <= 10, labels)
            for name, value in labels.items():
                must(LABEL.fullmatch(name) and not name.startswith("__"), name)
                must(isinstance(value, str) and 0 < len(value.encode()) <= 2048, value)
            key, last = json.dumps(labels, sort_keys=True), self.server.last
            for value in stream["values"]:
                must(len(value) == 2 and all(isinstance(part, str) for part in value), value)
                must(re.fullmatch(r"[1-9]\d{18}", value[0]), "nanoseconds")
                must(value not in lines, "doubled")
                # A batch that is sent again has the timestamps that it had.
                must(int(value[0]) > last.get(key, 0) or value in self.server.lines, "order")
                last[key] = max(int(value[0]), last.get(key, 0))
                must(json.loads(value[1])["status"] // 100 == int(labels["status_class"][0]), "class")
                lines.append(value)
        return lines


class Otlp(Handler):
    """POST /v1/logs of OTLP/HTTP, in JSON."""

    taken = (200, b"{}")

    def check(self, body):
        must(self.path == "/v1/logs", self.path)
        must(self.headers["Content-Type"] == "application/json", "Content-Type")
        must(list(body) == ["resourceLogs"], body)
        lines = []
        for resource in body["resourceLogs"]:
            self.attributes(resource["resource"]["attributes"])
            for scope in resource["scopeLogs"]:
                must(scope["scope"]["name"] == "tidegate", scope)
                for record in scope["logRecords"]:
                    must(set(record) <= {"timeUnixNano", "observedTimeUnixNano", "severityNumber",
                                         "severityText", "body", "attributes"}, record)
                    must(re.fullmatch(r"[1-9]\d{18}", record["timeUnixNano"]), record)
                    must(1 <= record["severityNumber"] <= 24, record)
                    must(isinstance(record["body"]["stringValue"], str), record)
                    lines.append(self.attributes(record["attributes"]))
        return lines

    def attributes(self, attributes):
        values = {}
        for attribute in attributes:
            must(set(attribute) == {"key", "value"} and len(attribute["value"]) == 1, attribute)
            (kind, value), = attribute["value"].items()
            kinds = {"stringValue": str, "intValue": str, "doubleValue": (float, int), "boolValue": bool}
            must(isinstance(value, kinds[kind]) and attribute["key"] not in values, attribute)
            values[attribute["key"]] = int(value) if kind == "intValue" else value
        return values
