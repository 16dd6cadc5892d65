"""Blocked outputs and peers: the proxy continues to serve, counts lost lines, and ends when told to."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from harness import BINARY, DEADLINE, Case, connect, content

LONG = "x" * 4000  # in a URL, for a long log line
SOON = 10  # seconds within which an idle proxy ends


class Running:
    """A proxy whose outputs are `out` and `err`; its standard error is read until it listens, and no further."""

    def __init__(self, case, *args, out=subprocess.DEVNULL, err=None, log="-", wrap=()):
        self.case = case
        self.control = case.folder() / "c.sock"
        reader, writer = os.pipe() if err is None else (None, err)
        self.err = reader
        argv = [*wrap, BINARY, "--listen", "127.0.0.1:0", "--allow-destination", "127.0.0.1",
                "--control", str(self.control), "--access-log", log, *args]
        same = out == "err"
        self.process = subprocess.Popen(argv, stdout=writer if same else out, stderr=writer)
        case.addCleanup(self.end)
        if reader is not None:
            os.close(writer)
            case.addCleanup(os.close, reader)
            self.said = b""
            while not re.search(rb"^listening (\S+):(\d+)$", self.said, re.M):
                read = os.read(reader, 65536)
                assert read, self.said
                self.said += read
            address, port = re.search(rb"^listening (\S+):(\d+)$", self.said, re.M).groups()
            self.address, self.port = address.decode(), int(port)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self, number=signal.SIGTERM):
        """Stops the proxy; returns the exit code and the time this took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE)
        return code, time.monotonic() - began

    def get(self, url, count=1):
        """Fetches `url` `count` times over one connection; returns the last status."""
        client, read, status = connect(self.address, self.port), b"", 0
        with client:
            for _ in range(count):
                client.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                while b"\r\n\r\n" not in read:
                    read += self.receive(client)
                head, read = read.split(b"\r\n\r\n", 1)
                status = int(head.split()[1])
                length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head)[1])
                while len(read) < length:
                    read += self.receive(client)
                read = read[length:]
        return status

    @staticmethod
    def receive(client):
        read = client.recv(65536)
        assert read, "the connection has ended"
        return read

    def metrics(self):
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.control))
            asking.settimeout(DEADLINE)
            asking.sendall(b"stats json\n")
            answer = b"".join(iter(lambda: asking.recv(65536), b""))
        return json.loads(answer.split(b"\n", 1)[1])

    def read_on(self):
        """Reads standard error from now on; returns a function for the text, which waits for the end of the proxy."""
        said = []

        def read():
            while data := os.read(self.err, 65536):
                said.append(data)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return lambda: (thread.join(DEADLINE), b"".join(said).decode())[1]


class Blocked(Case):
    def setUp(self):
        self.origin = self.start_origin()
        self.url = f"{self.origin.url}/{LONG}/3"

    def test_blocked_pipe_for_both_outputs_delays_neither_requests_nor_signals(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            with self.subTest(number):
                proxy = Running(self, out="err")
                self.assertEqual(proxy.get(self.url, 1000), 200)
                self.assertGreater(proxy.metrics()["log_dropped_total"], 100)
                for _ in range(3):
                    proxy.process.send_signal(signal.SIGHUP)
                self.assertEqual(proxy.get(self.url), 200)
                code, took = proxy.stop(number)
                self.assertEqual(code, 0)
                self.assertLess(took, SOON)

    def test_blocked_standard_error_delays_no_reloads(self):
        file = self.folder() / "tidegate.toml"
        file.write_text("")
        proxy = Running(self, "-c", str(file))
        file.write_text(f"{LONG} = 1\n")
        for _ in range(60):
            self.assertIn("not reloaded", self.reload_at(proxy.control, code=1))
        self.assertEqual(proxy.get(self.url), 200)
        text = proxy.read_on()
        self.assertEqual(proxy.stop()[0], 0)
        self.assertTrue(re.search(r"\n\d+ lines of standard error were lost\n", text()))

    def test_unwritable_log_lines_are_counted_and_reported_once(self):
        """The log is a full disk, a broken pipe, and a file at its size limit."""
        limited = str(self.folder() / "access.log")
        limit = ["sh", "-c", 'ulimit -f 1 && exec "$@"', "sh"]  # in blocks of 512 bytes: less than a line
        for kind, log, wrap in [("full", "/dev/full", []), ("broken", "-", []), ("limited", limited, limit)]:
            with self.subTest(kind):
                reader, writer = os.pipe()
                os.close(reader)
                proxy = Running(self, out=writer, log=log, wrap=wrap)
                os.close(writer)
                text = proxy.read_on()
                for _ in range(5):
                    self.assertEqual(proxy.get(self.url), 200)
                self.wait_until(lambda: proxy.metrics()["log_dropped_total"] == 5)
                self.assertEqual(proxy.stop()[0], 0)
                said = text()
                self.assertEqual(said.count("the access log cannot be written, lines are lost"), 1, said)
                self.assertIn("5 lines of the access log were lost\n", said)

    def test_log_resumes_once_a_full_disk_has_room(self):
        """The log is on a disk of 64 KiB in a separate mount namespace, read through /proc."""
        folder = self.folder()
        mount = f'mount -t tmpfs -o size=64k none {folder} && head -c 40000 /dev/zero > {folder}/ballast && exec "$@"'
        proxy = Running(self, wrap=["unshare", "-m", "sh", "-c", mount, "sh"], log=f"{folder}/access.log")
        inside = Path(f"/proc/{proxy.process.pid}/root{folder}")
        self.assertEqual(proxy.get(self.url, 10), 200)
        self.wait_until(lambda: proxy.metrics()["log_dropped_total"] > 0)
        (inside / "ballast").unlink()
        self.assertEqual(proxy.get(self.origin.url + "/after/3"), 200)
        log = inside / "access.log"
        self.wait_until(lambda: "/after/3" in log.read_text())
        lost = proxy.metrics()["log_dropped_total"]
        lines = [line for line in log.read_text().splitlines() if line.endswith("/3")]
        self.assertEqual(len(lines), 11 - lost)

    def test_log_pipe_with_a_stalled_reader_only_loses_lines(self):
        pipe = self.folder() / "log"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        proxy = Running(self, log=str(pipe))
        text = proxy.read_on()
        self.assertEqual(proxy.get(self.url, 1000), 200)
        lost = proxy.metrics()["log_dropped_total"]
        self.assertGreater(lost, 100)
        code, took = proxy.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, SOON)
        said = text()
        self.assertEqual(said.count("the access log cannot be written fast enough, lines are lost"), 1, said)

    def test_log_pipe_without_a_reader_is_an_error_without_a_wait(self):
        pipe = self.folder() / "log"
        os.mkfifo(pipe)
        argv = [BINARY, "--listen", "127.0.0.1:0", "--control", "off", "--access-log", str(pipe)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("(no process reads this pipe)", done.stderr)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        proxy = Running(self, log=str(pipe))
        os.close(reader)
        text = proxy.read_on()
        proxy.process.send_signal(signal.SIGUSR1)
        self.assertEqual(proxy.get(self.url), 200)
        self.assertEqual(proxy.stop()[0], 0)
        self.assertIn("the access log stays where it was, because a file cannot be opened: ", text())

    def test_operators_that_never_read_block_nothing(self):
        proxy = Running(self, "--admin", "127.0.0.1:0")
        metrics = re.search(rb"http://([\d.]+):(\d+)/metrics", proxy.said)
        for _ in range(40):
            asking = socket.socket(socket.AF_UNIX)
            self.addCleanup(asking.close)
            asking.connect(str(proxy.control))
            asking.sendall(b"stats json\n")
            scraper = connect(metrics[1].decode(), int(metrics[2]))
            self.addCleanup(scraper.close)
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(proxy.get(self.url), 200)
        began = time.monotonic()
        self.assertIn("log_dropped_total", proxy.metrics())
        with connect(metrics[1].decode(), int(metrics[2])) as scraper:
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b" 200 ", scraper.recv(65536))
        self.assertLess(time.monotonic() - began, 5, "a hanging operator has ten seconds, and does not block others")
        self.assertEqual(proxy.stop()[0], 0)
