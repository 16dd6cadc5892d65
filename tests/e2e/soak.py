#!/usr/bin/env python3
"""A soak test: the process stays within its memory for any content of the cache.

  soak.py [MIB] [FACTOR]     a cache of MIB MiB; FACTOR times the traffic that replaces it

Phases with objects of different sizes follow each other, so that evicted objects leave holes that new
ones do not fit. In each phase, some objects are requested often and stay, and some only once. PSS must
never exceed 1.10 times the memory of the cache plus 8 MiB. All traffic is local; every process
is ended by its pid.
"""

import json
import random
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

from harness import BINARY, DEADLINE, Proxy, connect

MIB = 1 << 20
CONNECTIONS, PIPELINED = 16, 8
LARGEST = 2 * MIB
SIZES = [137, 700, 1024, 1500, 2300, 4096, 5000, 9000, 16384, 20000, 45000, 65536, 100000, 262144]


class Phase:
    """Requests for objects of these sizes, until `times` the cache's memory has been requested."""

    def __init__(self, name, sizes, times=2, fields=lambda pick: "", kind="plain", each=1500):
        self.name, self.sizes, self.times, self.fields, self.kind = name, sizes, times, fields, kind
        self.each = each + sum(sizes) / len(sizes)  # approximate bytes of an object


def some_range(pick):
    first = pick.randrange(MIB - 50_000)
    return f"Range: bytes={first}-{first + pick.randrange(1, 50_000)}\r\n"


def some_variant(pick):
    return f"Accept: text/{pick.randrange(40)}\r\n"


PHASES = [
    Phase("1 KiB", [1024]),
    Phase("64 KiB", [65536]),
    Phase("1 MiB", [MIB]),
    Phase("heads only", [0], times=1.2),
    Phase("64 KiB again", [65536]),
    Phase("mixed", SIZES, times=3),
    Phase("variants", [300, 3000], fields=some_variant, kind="vary"),
    Phase("ranges", [MIB], fields=some_range, kind="range", each=25_000 - MIB),
    Phase("1 KiB again", [1024], times=1),
    Phase("1 MiB again", [MIB]),
    Phase("mixed again", SIZES, times=3),
]


def serve(listener):
    """Runs the origin, whose /KIND/SIZE/NUMBER has SIZE bytes. Never returns."""
    ready, content = selectors.DefaultSelector(), memoryview(bytes(LARGEST))
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                connection = listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(connection, selectors.EVENT_READ, bytearray())
                continue
            received = key.fileobj.recv(65536)
            key.data.extend(received)
            if not received:
                ready.unregister(key.fileobj)
                key.fileobj.close()
            elif key.data.endswith(b"\r\n\r\n"):
                for part in answer(bytes(key.data), content):
                    key.fileobj.sendall(part)
                key.data.clear()


def answer(request, content):
    _, kind, size, _ = request.split(b" ", 2)[1].split(b"/")
    span = re.search(rb"Range: bytes=(\d+)-(\d*)", request)
    first, end, status, fields = 0, int(size), b"200 OK", b""
    if kind == b"range" and span:
        first, end = int(span[1]), min(int(span[2] or size) + 1, int(size))
        status, fields = b"206 Partial Content", b"Content-Range: bytes %d-%d/%s\r\n" % (first, end - 1, size)
    if kind == b"vary":
        fields = b"Vary: Accept\r\n"
    head = b'HTTP/1.1 %s\r\nCache-Control: max-age=3600\r\nContent-Type: text/plain\r\nETag: "%s"\r\n%s' \
        b"Content-Length: %d\r\n\r\n" % (status, size, fields, end - first)
    return head, content[first:end]


class Client:
    """Connections with several pipelined requests each."""

    def __init__(self, proxy):
        self.connections = [connect(proxy.address, proxy.port) for _ in range(CONNECTIONS)]

    def ask(self, requests):
        """Sends the next requests, reads their responses, and returns their number."""
        batches = [list(islice(requests, PIPELINED)) for _ in self.connections]
        for connection, batch in zip(self.connections, batches):
            connection.sendall("".join(batch).encode())
        for connection, batch in zip(self.connections, batches):
            read(connection, len(batch))
        return sum(map(len, batches))

    def close(self):
        for connection in self.connections:
            connection.close()


def read(connection, count):
    """Reads `count` responses and drops them."""
    buffer = b""
    while count:
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            buffer += receive(connection)
            continue
        at = buffer.find(b"\r\nContent-Length: ", 0, end + 2) + 18
        length = int(buffer[at : buffer.find(b"\r\n", at)])
        if not buffer.startswith(b"HTTP/1.1 20"):
            raise AssertionError(buffer[:end])
        left = end + 4 + length - len(buffer)
        buffer = buffer[end + 4 + length :]
        while left > 0:
            buffer = receive(connection)
            left, buffer = left - len(buffer), buffer[left:]
        count -= 1


def receive(connection):
    received = connection.recv(262144)
    if not received:
        raise AssertionError("the proxy has closed a connection")
    return received


def requests(phase, memory, pick):
    """Yields endless requests of a phase: four in five for one of twice the objects that the cache holds,
    the first of them most often."""
    room = 2 * memory / phase.each
    while True:
        number = int(room * pick.random() ** 3) if pick.random() < 0.8 else pick.getrandbits(60)
        size = phase.sizes[number * 2654435761 % 2**32 % len(phase.sizes)]
        path = f"/{phase.kind}/{size}/{phase.name.replace(' ', '-')}-{number}"
        yield f"GET {path} HTTP/1.1\r\nHost: soak\r\n{phase.fields(pick)}\r\n"


def pss(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)[1]) * 1024


class Watch(threading.Thread):
    """Records the peak memory of a process."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.over = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, pss(self.pid))

    def stop(self):
        self.over.set()
        self.join(DEADLINE)
        return max(self.most, pss(self.pid))


def metrics(control):
    argv = [BINARY, "stats", "--json", "--control", control]
    return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=DEADLINE).stdout)


def soak(proxy, control, memory, factor):
    """Runs all phases; returns those that took too much memory."""
    allowed, failed, pick = memory * 1.10 + 8 * MIB, [], random.Random(7)
    print(f"memory {memory // MIB} MiB, allowed {allowed / MIB:.1f} MiB, idle {pss(proxy.process.pid) / MIB:.1f} MiB")
    print(f"{'phase':14} {'requests':>8} {'hits':>5} {'most':>7} {'at end':>7} {'counted':>7} {'slack':>6} {'objects':>8} {'s':>4}")
    for phase in PHASES:
        client, began, asked = Client(proxy), time.monotonic(), 0
        before, watch = metrics(control)["requests_total"], Watch(proxy.process.pid)
        wanted, stream = factor * phase.times * memory / phase.each, requests(phase, memory, pick)
        while asked < wanted:
            asked += client.ask(stream)
        at_end, most, now = pss(proxy.process.pid), watch.stop(), metrics(control)
        client.close()
        hits = (now["requests_total"]["hit"] - before["hit"]) / asked
        print(f"{phase.name:14} {asked:8} {hits:5.2f} {most / MIB:7.1f} {at_end / MIB:7.1f} "
              f"{now['cache_bytes'] / MIB:7.1f} {now['cache_slack_bytes'] / MIB:6.1f} {now['cache_objects']:8} {time.monotonic() - began:4.0f}", flush=True)
        if most > allowed:
            failed.append(phase.name)
    return failed


def main():
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    factor = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    if mib == 0:  # started as the origin
        return serve(socket.socket(fileno=int(sys.argv[2])))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
    origin = subprocess.Popen([sys.executable, __file__, "0", str(listener.fileno())], pass_fds=[listener.fileno()])
    with tempfile.TemporaryDirectory() as folder:
        control = f"{folder}/control"
        proxy = Proxy("--to", f"http://127.0.0.1:{listener.getsockname()[1]}", "--cache-memory", f"{mib}MiB",
                      "--access-log", "off", "--control", control)
        try:
            failed = soak(proxy, control, mib * MIB, factor)
        finally:
            proxy.stop()
            proxy.log.close()
            origin.kill()
            origin.wait(DEADLINE)
            listener.close()
    if failed:
        sys.exit("too much memory: " + ", ".join(failed))


if __name__ == "__main__":
    main()
