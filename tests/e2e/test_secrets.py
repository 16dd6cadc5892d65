"""Passwords in the memory of a running proxy: none are left after use. The search of its memory needs root."""

import base64
import os
import re
import socket
import subprocess
import unittest
from pathlib import Path

from harness import BINARY, DEADLINE, Case


def found(pid, needles):
    """Returns the texts found in the writable memory of a process, with place and count."""
    places = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ \S+ *(.*)", line)
            if not place or place[3] in ("[vvar]", "[vsyscall]"):
                continue
            first, end = int(place[1], 16), int(place[2], 16)
            try:
                memory.seek(first)
                text = memory.read(end - first)
            except OSError:
                continue  # a guard page
            places += [(needle, place[3] or "heap", text.count(needle)) for needle in needles if needle in text]
    return places


@unittest.skipUnless(os.geteuid() == 0, "for root")
class Secrets(Case):
    def setUp(self):
        self.users = self.folder() / "users"
        self.needles = []

    def password(self, name):
        """Returns a unique password; the search looks for the password and for its encoded credentials."""
        password = f"pw-{name}-" + os.urandom(12).hex()
        self.needles += [password.encode(), base64.b64encode(f"{name}:{password}".encode())]
        return password

    def add(self, name, hashed=None, *args):
        password = self.password(name)
        if hashed:
            hash = self.run_command("openssl", "passwd", hashed, "-stdin", input=password.encode() + b"\n")
            with self.users.open("a") as file:
                file.write(f"{name}:{hash.decode()}")
        else:
            self.run_command(BINARY, "users", "add", *args, str(self.users), name, input=password.encode() + b"\n")
        return password

    def status(self, proxy, url, name, password):
        return self.head_of(self.curl("-i", "-x", proxy.url, "-U", f"{name}:{password}", url))[0]

    def send(self, proxy, data, until=b"\r\n\r\n"):
        """Sends bytes; returns the response up to `until`, and the connection, which stays open."""
        client = self.connect(proxy)
        client.sendall(data)
        read = b""
        while until and until not in read:
            more = client.recv(65536)
            if not more:
                break
            read += more
        return read, client

    def test_passwords_are_wiped_from_memory_after_use(self):
        origin = self.start_origin()
        url = origin.url + "/raw/3"
        people = {name: self.add(name, hashed) for name, hashed in
                  [("bob", "-apr1"), ("carol", "-5"), ("dan", "-6"), ("alice", None)]}
        people["erin"] = self.add("erin", None, "--digest")
        proxy = self.start_forward("--users", str(self.users), "--auth", "basic", "--auth-ban", "off",
                                   "--allow-connect-port", str(origin.server_address[1]))
        for name, password in people.items():
            for _ in range(2):  # verified, then answered from the cached result
                self.assertEqual(self.status(proxy, url, name, password), 200, name)
        for name in ["alice", "erin", "nobody"]:
            self.assertEqual(self.status(proxy, url, name, self.password(name)), 407)
        # A tunnel that stays open.
        tunnel = base64.b64encode(f"bob:{people['bob']}".encode()).decode()
        target = url.split("/")[2]
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {tunnel}\r\n"
        self.assertIn(b" 200 ", self.send(proxy, head.encode() + b"\r\n")[0])
        # A download that stays open.
        large = f"GET {origin.url}/raw/30000000 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic {tunnel}\r\n\r\n"
        self.assertIn(b" 200 ", self.send(proxy, large.encode())[0])
        # Heads that are refused, too large for one buffer, and incomplete.
        for name, before, after in [("frank", "", "Bad Field: x\r\n\r\n"),
                                    ("grace", "".join(f"X-{n}: {'x' * 4000}\r\n" for n in range(6)), "\r\n"),
                                    ("heidi", "", "X-Half: ")]:
            token = base64.b64encode(f"{name}:{self.password(name)}".encode()).decode()
            head = f"GET {url} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic {token}\r\n{before}{after}"
            read, client = self.send(proxy, head.encode(), None if name == "heidi" else b"\r\n\r\n")
            if name != "heidi":
                self.assertIn({"frank": b" 400 ", "grace": b" 407 "}[name], read)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        self.assertEqual(found(proxy.process.pid, self.needles), [])

    def test_memory_search_finds_an_existing_secret(self):
        """Searches for a secret that a process keeps: one of its arguments."""
        with subprocess.Popen(["sh", "-c", "echo ready; read line; : $line", "a secret among the arguments"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            self.assertTrue(found(process.pid, [b"a secret among the arguments"]))
            process.communicate(b"\n", DEADLINE)
