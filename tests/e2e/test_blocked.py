"""Outputs and peers that take nothing: the proxy serves on, counts what it loses, and ends when it is told to."""

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

LONG = "x" * 4000  # in a URL: a log line of some size
SOON = 10  # seconds within which a proxy ends that has nothing else to do


class Running:
    """A proxy whose outputs are `out` and `err`; what it says is read until it listens, and no further."""

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
        """The exit code, and within which time it came."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE)
        return code, time.monotonic() - began

    def get(self, url, count=1):
        """Fetches `url` so many times over one connection; the status of the last."""
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

    def figures(self):
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.control))
            asking.settimeout(DEADLINE)
            asking.sendall(b"stats json\n")
            answer = b"".join(iter(lambda: asking.recv(65536), b""))
        return json.loads(answer.split(b"\n", 1)[1])

    def read_on(self):
        """All that it says from now on, once it has ended."""
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

    def test_one_blocked_pipe_for_both_outputs_stops_neither_requests_nor_signals(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            with self.subTest(number):
                proxy = Running(self, out="err")
                self.assertEqual(proxy.get(self.url, 1000), 200)
                self.assertGreater(proxy.figures()["log_dropped_total"], 100)
                for _ in range(3):
                    proxy.process.send_signal(signal.SIGHUP)
                self.assertEqual(proxy.get(self.url), 200)
                code, took = proxy.stop(number)
                self.assertEqual(code, 0)
                self.assertLess(took, SOON)

    def test_blocked_standard_error_stops_no_reloads(self):
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

    def test_lines_that_cannot_be_written_are_counted_and_said_once(self):
        """To a full disk, a broken pipe, and a file that may not grow."""
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
                self.wait_until(lambda: proxy.figures()["log_dropped_total"] == 5)
                self.assertEqual(proxy.stop()[0], 0)
                said = text()
                self.assertEqual(said.count("the access log cannot be written, lines are lost"), 1, said)
                self.assertIn("5 lines of the access log were lost\n", said)

    def test_a_log_goes_on_once_a_full_disk_has_room_again(self):
        """On a disk of 64 KiB: in a mount namespace of its own, seen through /proc."""
        folder = self.folder()
        mount = f'mount -t tmpfs -o size=64k none {folder} && head -c 40000 /dev/zero > {folder}/ballast && exec "$@"'
        proxy = Running(self, wrap=["unshare", "-m", "sh", "-c", mount, "sh"], log=f"{folder}/access.log")
        inside = Path(f"/proc/{proxy.process.pid}/root{folder}")
        self.assertEqual(proxy.get(self.url, 10), 200)
        self.wait_until(lambda: proxy.figures()["log_dropped_total"] > 0)
        (inside / "ballast").unlink()
        self.assertEqual(proxy.get(self.origin.url + "/after/3"), 200)
        log = inside / "access.log"
        self.wait_until(lambda: "/after/3" in log.read_text())
        lost = proxy.figures()["log_dropped_total"]
        lines = [line for line in log.read_text().splitlines() if line.endswith("/3")]
        self.assertEqual(len(lines), 11 - lost)

    def test_a_log_pipe_whose_reader_stalls_loses_lines_and_nothing_else(self):
        pipe = self.folder() / "log"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        proxy = Running(self, log=str(pipe))
        text = proxy.read_on()
        self.assertEqual(proxy.get(self.url, 1000), 200)
        lost = proxy.figures()["log_dropped_total"]
        self.assertGreater(lost, 100)
        code, took = proxy.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, SOON)
        said = text()
        self.assertEqual(said.count("the access log cannot be written fast enough, lines are lost"), 1, said)

    def test_a_log_pipe_without_a_reader_is_an_error_and_is_not_waited_for(self):
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

    def test_operators_who_never_read_stop_nothing(self):
        proxy = Running(self, "--admin", "127.0.0.1:0")
        figures = re.search(rb"http://([\d.]+):(\d+)/metrics", proxy.said)
        for _ in range(40):
            asking = socket.socket(socket.AF_UNIX)
            self.addCleanup(asking.close)
            asking.connect(str(proxy.control))
            asking.sendall(b"stats json\n")
            scraper = connect(figures[1].decode(), int(figures[2]))
            self.addCleanup(scraper.close)
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(proxy.get(self.url), 200)
        began = time.monotonic()
        self.assertIn("log_dropped_total", proxy.figures())
        with connect(figures[1].decode(), int(figures[2])) as scraper:
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b" 200 ", scraper.recv(65536))
        self.assertLess(time.monotonic() - began, 5, "who hangs has ten seconds, and keeps nobody out")
        self.assertEqual(proxy.stop()[0], 0)
