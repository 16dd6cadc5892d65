"""Sites for `tidegate doctor`: an application that is good unless a test makes it wrong, and tidegate before it."""

import gzip
import json
import subprocess
import time

from harness import BINARY, DEADLINE, Case, Origin, Pages

HTML = b"<!doctype html><link rel=stylesheet href=/a.css><script src=/a.js></script>" + b"<p>text</p>" * 200
HOST = "shop.example"
# Options of tidegate that stand before all sections; other keys are those of a route.
OPTIONS = {"listen-tls", "tls-cert", "trusted-proxy", "freshness"}


class Request:
    """What a site sees of a request."""

    def __init__(self, handler):
        self.path, self.fields, self.host = handler.path, handler.headers, handler.headers["Host"]

    def has(self, line):
        name, value = line.split(": ")
        return self.fields.get(name) == value


class Response:
    """A good page, which a site may change."""

    def __init__(self):
        self.status, self.body, self.cookies = 200, HTML, []
        self.fields = {"Content-Type": "text/html", "Cache-Control": "max-age=60", "ETag": 'W/"1"',
                       "Vary": "Accept-Encoding"}
        self.compresses = self.validates = True

    def redirect(self, url):
        self.status, self.body, self.fields = 302, b"", {"Location": url}

    def missing(self):
        self.status, self.body, self.fields = 404, b"none", {}


class Site(Pages):
    """Answers as `respond` of the server says, after the fixes that were applied to it."""

    def do_GET(self):
        self.server.count(self.path)
        response, request = Response(), Request(self)
        if self.path.startswith("/a."):
            response.fields["Content-Type"] = {"css": "text/css", "js": "text/javascript"}[self.path[3:]]
        self.server.respond(request, response)
        for name, value in self.server.fixed.items():
            if name == "Set-Cookie":
                response.cookies = [value.replace("…", "1")]
            else:
                response.fields[name] = value
        coding = response.fields.pop("Content-Encoding", None)
        if (response.compresses or coding) and response.body and "gzip" in request.fields.get("Accept-Encoding", ""):
            response.body = gzip.compress(response.body, mtime=0)
            response.fields["Content-Encoding"] = "gzip"
        if response.validates and request.fields.get("If-None-Match") == response.fields.get("ETag") is not None:
            response.status, response.body = 304, None
        self.write(response)

    def write(self, response):
        self.send_response_only(response.status)
        if "Date" not in response.fields:
            self.send_header("Date", self.date_time_string())
        for name, value in [*response.fields.items(), *(("Set-Cookie", each) for each in response.cookies)]:
            self.send_header(name, value)
        if response.body is not None:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body or b"")


class Doctored(Case):
    """A test case that runs `tidegate doctor`."""

    def site(self, respond=lambda request, response: None):
        origin = Origin(Site)
        origin.respond, origin.fixed = respond, {}
        self.addCleanup(origin.stop)
        return origin

    def edge(self, origin, keys=(), tls=None):
        """Starts tidegate before an origin, with TLS if a certificate or `tls-cert` is given. Returns its port."""
        keys = dict(keys)
        listen = {"listen-tls": "'127.0.0.1:0'", "tls-cert": f"'{tls}'"} if tls or "tls-cert" in keys else {"listen": "'127.0.0.1:0'"}
        first = listen | {name: keys.pop(name) for name in OPTIONS & keys.keys()}
        route = {} if "folder" in keys else {"to": f"'{origin.url}'"}
        lines = lambda table: "".join(f"{name} = {value}\n" for name, value in table.items())
        file = self.folder() / "t.toml"
        file.write_text(f"{lines(first)}[[site]]\n{lines(route | keys)}")
        return self.start_proxy("--config", str(file), listen=None).port

    def run_doctor(self, url, *args):
        return subprocess.run([BINARY, "doctor", url, *args], capture_output=True, text=True, timeout=DEADLINE)

    def examine(self, port, *args, secure=False, path="/"):
        """Returns the findings about the site at a port, by their words."""
        scheme = "https" if secure else "http"
        done = self.run_doctor(f"{scheme}://{HOST}{path}", "--connect", f"127.0.0.1:{port}", "--json", *args)
        self.assertIn(done.returncode, (0, 1), done)
        findings = json.loads(done.stdout)["findings"]
        self.assertEqual(done.returncode, 1 if findings else 0)
        by_word = {each["finding"]: each for each in findings}
        self.assertEqual(len(by_word), len(findings), "each kind is reported once")
        return by_word

    def only(self, word, *args, **how):
        """Returns the only finding about a site, which has this word."""
        found = self.examine(*args, **how)
        self.assertEqual(list(found), [word], found)
        return found[word]

    def fix(self, finding, at):
        """Returns the first text that the finding says to type at a place."""
        texts = [fix["type"] for fix in finding["fixes"] if fix["at"] == at]
        self.assertTrue(texts, finding)
        return texts[0]

    def key(self, finding, **values):
        """Returns the key and value of tidegate that the finding says to type, with ADDRESS or FILE filled in."""
        text = self.fix(finding, "tidegate")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return dict([text.split(" = ", 1)])

    def apply(self, origin, finding):
        """Makes the application send the field that the finding says."""
        name, value = self.fix(finding, "application").split(": ", 1)
        origin.fixed[name] = value

    def check_application(self, word, respond, path="/"):
        """Checks that a site has one finding, and none once its field is sent. Returns the finding."""
        origin = self.site(respond)
        finding = self.only(word, origin.server_address[1], path=path)
        self.apply(origin, finding)
        self.assertEqual(self.examine(origin.server_address[1], path=path), {})
        return finding


def wait(seconds):
    """Returns a change of a site that makes it slow, as an application that computes."""
    def respond(_request, _response):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
    return respond
