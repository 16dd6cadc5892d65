#!/usr/bin/env python3
"""A soak test with faults: origins fail, clients leave, and every byte is checked.

  soak_faults.py [SECONDS]

An origin truncates, resets, delays and mislabels its responses, and sends unrequested bytes; clients
leave, stall, drip, upload and tunnel. A response is either the origin's content of that URL, or visibly
incomplete. After all clients have left, the proxy holds no more descriptors and memory than before. All traffic
is local; every process is ended by its pid.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from harness import BINARY, Proxy

CLIENTS = 48
SIZES = [0, 1, 700, 4096, 20_000, 70_000, 300_000]
KINDS = ["length", "chunked", "close", "cut", "reset", "slow", "stray", "late-stray", "garbage", "silent"]
WEIGHTS = [8, 4, 2, 2, 2, 2, 1, 1, 1, 1]
MAX_GROWTH = 24 << 20  # growth of resident memory after the cache has been filled once


def content(path, version):
    """Returns the origin's content of a path."""
    size = SIZES[hash_of(path) % len(SIZES)]
    seed = f"{path} {version} ".encode()
    return (seed * (size // len(seed) + 1))[:size]


def hash_of(path):
    return sum(ord(c) * (i + 7) for i, c in enumerate(path))


class Origin:
    """An origin that answers GET /KIND/N with the content of that path, PUT with length and sum of its content."""

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while await self.answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
        if method == "PUT":
            body = await read_body(reader, fields)
            text = f"{len(body)} {sum(body)}".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            return True
        kind, body, tag = path.split("/")[1], content(path, 0), f'"{hash_of(path)}"'
        common = f"ETag: {tag}\r\nCache-Control: max-age={hash_of(path) % 3}\r\n"
        if fields.get("if-none-match") == tag:
            writer.write(f"HTTP/1.1 304 Not Modified\r\n{common}\r\n".encode())
            return True
        length = f"HTTP/1.1 200 OK\r\n{common}Content-Length: {len(body)}\r\n\r\n".encode()
        if method == "HEAD":
            writer.write(length)
            return True
        return await getattr(self, kind.replace("-", "_"))(writer, common, length, body)

    async def length(self, writer, common, length, body):
        writer.write(length + body)
        await writer.drain()
        return True

    async def chunked(self, writer, common, length, body):
        writer.write(f"HTTP/1.1 200 OK\r\n{common}Transfer-Encoding: chunked\r\n\r\n".encode())
        for at in range(0, len(body), 3000):
            piece = body[at : at + 3000]
            writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        return True

    async def close(self, writer, common, length, body):
        writer.write(f"HTTP/1.1 200 OK\r\n{common}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        return False

    async def cut(self, writer, common, length, body):
        writer.write(length + body[: len(body) // 2])
        await writer.drain()
        return False

    async def reset(self, writer, common, length, body):
        writer.write(length + body[: len(body) // 3])
        await writer.drain()
        writer.transport.abort()
        return False

    async def slow(self, writer, common, length, body):
        await asyncio.sleep(random.random() / 4)
        return await self.length(writer, common, length, body)

    async def stray(self, writer, common, length, body):
        writer.write(length + body + b"bytes that answer nothing\r\n\r\n")
        await writer.drain()
        return True

    async def late_stray(self, writer, common, length, body):
        await self.length(writer, common, length, body)
        await asyncio.sleep(0.01)
        writer.write(b"bytes that answer nothing\r\n\r\n")
        return True

    async def garbage(self, writer, common, length, body):
        writer.write(b"this is no response\r\n\r\n")
        await writer.drain()
        return False

    async def silent(self, writer, common, length, body):
        await asyncio.sleep(1)
        return False


async def read_body(reader, fields):
    if "content-length" in fields:
        return await reader.readexactly(int(fields["content-length"]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


class Client:
    """A client that sends requests of all kinds in sequence, and counts their outcomes."""

    def __init__(self, proxy, origin, seed, until, tally):
        self.proxy, self.origin, self.until, self.tally = proxy, origin, until, tally
        self.random = random.Random(seed)

    async def run(self):
        while time.monotonic() < self.until:
            reader, writer = await asyncio.open_connection(self.proxy.address, self.proxy.port, limit=1 << 20)
            try:
                for _ in range(self.random.randrange(1, 8)):
                    action = self.random.choices([self.get, self.put, self.leave, self.drip], [12, 3, 2, 1])[0]
                    if not await action(reader, writer):
                        break
            except (OSError, asyncio.IncompleteReadError):
                self.count("broken")
            finally:
                writer.transport.abort() if self.random.random() < 0.3 else writer.close()

    def count(self, what):
        self.tally[what] = self.tally.get(what, 0) + 1

    def path(self):
        kind = self.random.choices(KINDS, WEIGHTS)[0]
        return f"/{kind}/{self.random.randrange(40)}"

    def write(self, writer, method, path, more=""):
        url = f"http://127.0.0.1:{self.origin.port}{path}"
        writer.write(f"{method} {url} HTTP/1.1\r\nHost: 127.0.0.1:{self.origin.port}\r\n{more}\r\n".encode())

    async def get(self, reader, writer):
        path, method = self.path(), "HEAD" if self.random.random() < 0.1 else "GET"
        first = self.random.randrange(5000)
        ranged = method == "GET" and self.random.random() < 0.2
        self.write(writer, method, path, f"Range: bytes={first}-{first + 3000}\r\n" if ranged else "")
        return await self.judge(reader, method, path, first)

    async def judge(self, reader, method, path, first):
        """Checks a response; returns true if the connection stays open. A complete response has the right content."""
        status, fields = await read_head(reader)
        expected = content(path, 0)
        if status == 206:
            expected = expected[first : first + 3001]
        elif status == 416:
            expected = b""
        try:
            body = b"" if method == "HEAD" else await read_response(reader, fields)
        except asyncio.IncompleteReadError:
            self.count("cut")
            return False
        if "proxy-status" in fields:
            self.count(f"{status}")
        elif method != "HEAD" and body != expected:
            raise AssertionError(f"{path}: {status}, wrong content of {len(body)} bytes, {len(expected)} expected")
        else:
            self.count("hit" if "; hit" in fields.get("cache-status", "") else "whole")
        return fields.get("connection") != "close"

    async def put(self, reader, writer):
        body = os.urandom(self.random.choice([0, 10, 70_000, 400_000]))
        if self.random.random() < 0.5:
            self.write(writer, "PUT", "/put", f"Content-Length: {len(body)}\r\n")
            writer.write(body)
        else:
            self.write(writer, "PUT", "/put", "Transfer-Encoding: chunked\r\n")
            for at in range(0, len(body), 9000):
                piece = body[at : at + 9000]
                writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        status, fields = await read_head(reader)
        answer = await read_response(reader, fields)
        if status == 200 and answer != f"{len(body)} {sum(body)}".encode():
            raise AssertionError(f"an upload of {len(body)} bytes has arrived as {answer}")
        self.count("upload" if status == 200 else f"{status}")
        return fields.get("connection") != "close"

    async def leave(self, reader, writer):
        """Sends a request, reads a part of the response, and leaves."""
        self.write(writer, "GET", self.path())
        await reader.read(self.random.randrange(1, 50_000))
        self.count("left")
        return False

    async def drip(self, reader, writer):
        """Sends a part of a head, waits, and leaves."""
        writer.write(b"GET http://127.0.0.1/")
        await asyncio.sleep(self.random.random())
        self.count("dripped")
        return False


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:-2])
    return int(lines[0].split()[1]), {name.lower(): value for name, value in fields.items()}


async def read_response(reader, fields):
    if "content-length" in fields or "transfer-encoding" in fields:
        return await read_body(reader, fields)
    return await reader.read(-1)


def resident(proxy):
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def descriptors(proxy):
    return len(os.listdir(f"/proc/{proxy.process.pid}/fd"))


def metrics(control):
    text = subprocess.run([BINARY, "stats", "--control", control], capture_output=True, text=True, check=True).stdout
    return dict(line.rsplit(None, 1) for line in text.splitlines())


async def soak(seconds, control):
    origin, tally = Origin(), {}
    await origin.start()
    options = ["--allow-destination", "127.0.0.1", "--cache-memory", "16MiB", "--control", control]
    proxy = Proxy(*options, "--access-log", "off")
    idle = descriptors(proxy)
    try:
        warm = time.monotonic() + min(20, seconds / 4)
        await asyncio.gather(*(Client(proxy, origin, n, warm, tally).run() for n in range(CLIENTS)))
        before = resident(proxy)
        until = time.monotonic() + seconds
        await asyncio.gather(*(Client(proxy, origin, -n - 1, until, tally).run() for n in range(CLIENTS)))
        growth = resident(proxy) - before
        over = time.monotonic() + 30
        while (left := metrics(control)) and descriptors(proxy) > idle + int(left["pool_idle"]):
            assert time.monotonic() < over, f"{descriptors(proxy)} descriptors are left, {idle} at the start: {left}"
            await asyncio.sleep(0.2)
        assert growth < MAX_GROWTH, f"{growth >> 10} KiB more resident after {seconds} s"
        for metric in ["clients", "tunnels", "fetches_in_flight"]:
            assert left[metric] == "0", f"{metric} are left: {left[metric]}"
        assert tally.get("whole", 0) > 100 and tally.get("hit", 0) > 100 and tally.get("cut", 0) > 10, tally
        print(f"{sum(tally.values())} exchanges, {growth >> 10} KiB more resident, {tally}")
    finally:
        assert proxy.stop() == 0, "the proxy has failed"
        proxy.log.close()


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    control = f"/tmp/tidegate-soak-{os.getpid()}.sock"
    asyncio.run(soak(seconds, control))


main()
