"""Shared helpers of end-to-end tests: a proxy, an origin that misbehaves on demand, and real clients.

All sockets listen on 127.0.0.1, on ports the system picks; every process is ended by its pid.
"""

import http.server
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TIDEGATE", str(ROOT / "target" / "release" / "tidegate"))
DEADLINE = 60  # seconds that an operation may take before the test fails
NOBODY = "65534"
# Arguments that run a command as a user other than root.
AS_NOBODY = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"] if os.geteuid() == 0 else []


class Proxy:
    """A running tidegate. With `listen=None`, the arguments say where it listens."""

    def __init__(self, *args, listen="127.0.0.1:0", wrap=(), read_on=True, subcommand="run", binary=BINARY,
                 **process):
        self.log = tempfile.TemporaryFile("w+")
        argv = [*wrap, str(binary), subcommand, *(["--listen", listen] if listen else []), *args]
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=subprocess.PIPE, text=True, **process)
        self.banner = []
        for line in self.process.stderr:
            self.banner.append(line.rstrip("\n"))
            if line.startswith("listening "):
                break
        else:
            raise AssertionError("\n".join(self.banner))
        host, port = self.banner[-1].split()[1].rsplit(":", 1)
        # A socket in the file system has no port.
        self.address, self.port = (host, int(port)) if host != "unix" else (None, 0)
        self.said = []
        if not read_on:
            self.process.stderr.close()
            return
        self.reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True)
        self.reader.start()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def ports(self, count):
        """Returns the ports of all `count` listeners: for plain requests, for TLS, for redirects."""
        lines = lambda: [line for line in self.banner + self.said if line.startswith("listening ")]
        end = time.monotonic() + DEADLINE
        while len(lines()) < count:
            if time.monotonic() > end:
                raise AssertionError(lines())
            time.sleep(0.01)
        return [int(line.rsplit(":", 1)[1]) for line in lines()]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Drains the proxy and returns its exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if not self.process.stderr.closed:
            self.reader.join(DEADLINE)
            self.process.stderr.close()
        return code

    def lines(self):
        """Returns the lines of the access log, once the proxy has ended."""
        self.log.seek(0)
        return self.log.read().splitlines()

    def memory(self):
        """Returns the peak resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


class Origin(http.server.ThreadingHTTPServer):
    """An origin that responds as its handler does, and counts requests by path."""

    daemon_threads = True
    request_queue_size = 2000

    def __init__(self, handler=None, address="127.0.0.1"):
        super().__init__((address, 0), handler or Pages)
        self.counts = {}
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def count(self, path):
        with self.lock:
            self.counts[path] = self.counts.get(path, 0) + 1

    def stop(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # clients may disconnect at any time


def content(size):
    """Returns bytes that differ at every offset."""
    block = b"".join(i.to_bytes(4, "big") for i in range(16384))
    return (block * (size // len(block) + 1))[:size]


PAGE = b"<!doctype html><title>page</title><p>shown</p>"


class Pages(http.server.BaseHTTPRequestHandler):
    """/bytes/N: N cacheable bytes with ranges; /raw/N: the same, not cacheable; /cut/N: ends after
    half; /echo: the request's content; /page: a page for browsers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.count(self.path)
        kind, _, size = self.path.strip("/").partition("/")
        body = PAGE if kind == "page" else content(int(size or 10))
        if kind == "cut":
            self.head(200, len(body))
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        tag = f'"{kind}-{size}"'
        if self.headers.get("If-None-Match") == tag:
            self.head(304, None, tag)
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if span:
            first, last = int(span[1]), int(span[2] or len(body) - 1)
            self.head(206, last + 1 - first, tag, f"bytes {first}-{last}/{len(body)}")
            body = body[first : last + 1]
        else:
            self.head(200, len(body), tag)
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_POST(self):
        self.server.count(self.path)
        body = self.read_body()
        self.head(200, len(body))
        self.wfile.write(body)

    do_PUT = do_POST

    def head(self, status, length, tag=None, content_range=None):
        self.send_response(status)
        self.send_header("Cache-Control", "no-store" if self.path.startswith("/raw") else "max-age=60")
        if length is not None:
            self.send_header("Content-Length", str(length))
        if tag:
            self.send_header("ETag", tag)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def log_message(self, *args):
        pass


class Stream(Pages):
    """/N: N bytes, sent in blocks; PUT: counts the content."""

    def do_GET(self):
        left = int(self.path.strip("/"))
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        block = b"." * (1 << 20)
        while left:
            left -= self.wfile.write(block[: min(left, len(block))])

    def do_PUT(self):
        count = 0
        while size := int(self.rfile.readline(), 16):
            while size:
                size -= (n := len(self.rfile.read(min(size, 1 << 20))))
                count += n
            self.rfile.readline()
        self.rfile.readline()
        body = str(count).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Case(unittest.TestCase):
    """A test case with its own proxies and origins."""

    maxDiff = None

    def start_proxy(self, *args, **kwargs):
        proxy = Proxy(*args, **kwargs)
        self.addCleanup(proxy.log.close)
        self.addCleanup(proxy.stop)
        return proxy

    def connect(self, proxy):
        connection = connect(proxy.address, proxy.port)
        self.addCleanup(connection.close)
        return connection

    def start_forward(self, *args, **kwargs):
        """Starts a forward proxy that may connect to this machine."""
        return self.start_proxy("--allow-destination", "127.0.0.0/8", *args, **kwargs)

    def start_origin(self, handler=None):
        origin = Origin(handler)
        self.addCleanup(origin.stop)
        return origin

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def wait_until(self, holds, said=None):
        """Waits for a condition; if it does not hold in time, fails with the output `said`."""
        end = time.monotonic() + DEADLINE
        while not holds():
            self.assertLess(time.monotonic(), end, said)
            time.sleep(0.01)

    def run_command(self, *argv, code=0, input=None):
        """Runs a command and returns its standard output."""
        done = subprocess.run(argv, capture_output=True, timeout=DEADLINE, input=input)
        self.assertEqual(done.returncode, code, (argv, done.stderr.decode(errors="replace")))
        return done.stdout

    def reload_at(self, socket, *args, code=0):
        """Returns the output of `tidegate reload`: standard output on success, standard error on failure."""
        done = subprocess.run([BINARY, "reload", "--control", str(socket), *args],
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, code, done)
        self.assertEqual(done.stdout if code else done.stderr, "")
        return done.stderr if code else done.stdout

    def curl(self, *args, code=0, input=None):
        return self.run_command("curl", "-sS", "--noproxy", "", "-m", str(DEADLINE), *args, code=code, input=input)

    def head_of(self, answer):
        """Returns status and fields of a response printed by curl -i or -I."""
        lines = answer.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), fields


def connect(address, port):
    connection = socket.create_connection((address, port), DEADLINE)
    connection.settimeout(DEADLINE)
    return connection
