"""Helpers of tests of supervised proxies: their workers, clients that count failures, and stand-ins for the
protocols of a service manager."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import DEADLINE, Case, Proxy

WORKER = re.compile(r"supervisor: worker (\d+) is process (\d+)")


class Supervised(Proxy):
    """A running supervisor with its workers."""

    def said_lines(self):
        return [line.rstrip("\n") for line in self.banner + self.said]

    def worker_pids(self):
        """Returns the process ids of all workers so far, in the order of their starts."""
        return [int(found[2]) for line in self.said_lines() if (found := WORKER.match(line))]

    def await_line(self, pattern, count=1):
        """Waits until `count` lines contain a pattern."""
        end = time.monotonic() + DEADLINE
        while len(found := [line for line in self.said_lines() if re.search(pattern, line)]) < count:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"{pattern} x {count}: {self.said_lines()}")
            time.sleep(0.01)
        return found


class Clients:
    """Clients that send requests until they are stopped: each second one on connections that it keeps."""

    def __init__(self, port, count=8, path="/index.html", keep=True):
        self.port, self.path = port, path
        self.done, self.refused, self.failed = 0, [], []
        self.lock, self.stopped = threading.Lock(), threading.Event()
        kinds = [self.repeat_kept if keep and number % 2 else self.repeat for number in range(count)]
        self.threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]
        for thread in self.threads:
            thread.start()

    def repeat(self):
        while not self.stopped.is_set():
            self.send(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE), {"Connection": "close"})

    def repeat_kept(self):
        connection = None
        while not self.stopped.is_set():
            if connection is None or connection.sock is None:  # the response before has closed it
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
            self.send(connection, {})
        if connection:
            connection.close()

    def send(self, connection, fields):
        try:
            if connection.sock is None:
                connection.connect()
        except OSError as error:
            with self.lock:
                self.refused.append(repr(error))
            return
        try:
            connection.request("GET", self.path, headers=fields)
            response = connection.getresponse()
            if response.status != 200 or not response.read():
                raise AssertionError(response.status)
            with self.lock:
                self.done += 1
        except Exception as error:
            connection.close()
            with self.lock:
                self.failed.append(repr(error))
        if fields:
            connection.close()

    def await_more(self, count=50):
        """Waits for further responses, so that something happens before and after an event."""
        wanted, end = self.done + count, time.monotonic() + DEADLINE
        while self.done < wanted:
            if time.monotonic() > end:
                raise AssertionError((self.done, self.refused[:5], self.failed[:5]))
            time.sleep(0.005)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(DEADLINE)


class Notifications:
    """The socket of a service manager, at a path or in the abstract namespace (sd_notify(3))."""

    def __init__(self, path, abstract=False):
        self.name = f"@{path}" if abstract else str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{path}" if abstract else str(path))
        self.socket.settimeout(DEADLINE)

    def next(self, wanted):
        """Returns the assignments of the next message with a variable, and skips others."""
        while True:
            message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
            if wanted in message:
                return message


# Puts inherited sockets where a service manager puts them, and becomes the program.
PASS = """
import os, sys
count = int(sys.argv[1])
for place, number in enumerate(map(int, sys.argv[2:2 + count])):
    os.dup2(number, 100 + place)
for place in range(count):
    os.dup2(100 + place, 3 + place)
    os.close(100 + place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
if os.environ.get("WATCHDOG_USEC"):
    os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


def passing(*sockets):
    """Returns the beginning of a command that passes the sockets as a service manager does. The sockets have to be
    inheritable."""
    numbers = [str(one.fileno()) for one in sockets]
    return [sys.executable, "-c", PASS, str(len(numbers)), *numbers]


class SupervisedCase(Case):
    def start_supervised(self, *args, **kwargs):
        """Starts a supervisor whose worker serves the files of a folder, unless `kwargs` say otherwise."""
        site = self.folder()
        site.chmod(0o755)
        (site / "index.html").write_text("hello\n")
        (site / "long").write_bytes(b"x" * (8 << 20))
        proxy = Supervised(str(site), "--supervise", *args, subcommand="serve", **kwargs)
        self.addCleanup(proxy.log.close)
        self.addCleanup(proxy.stop)
        proxy.await_line("worker 1 serves")
        return proxy

    def start_clients(self, *args, **kwargs):
        clients = Clients(*args, **kwargs)
        self.addCleanup(clients.stop)
        return clients

    def get(self, port, path="/index.html"):
        return self.curl(f"http://127.0.0.1:{port}{path}")

    def command(self, *argv, code=0, **kwargs):
        """Returns what a command has printed: standard output on success, standard error on failure."""
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, **kwargs)
        self.assertEqual(done.returncode, code, done)
        return done.stderr if code else done.stdout


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
