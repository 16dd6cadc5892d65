"""Name resolution with a real server: dnsmasq, on a free port of the loopback address."""

import os
import pwd
import re
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from harness import BINARY, DEADLINE, Case

LOOKUP = str(Path(BINARY).parent / "examples" / "lookup")
RECORDS = [
    "--host-record=both.test,127.0.0.1,::1,60", "--host-record=four.test,127.0.0.1,60",
    "--host-record=six.test,::1,60", "--cname=alias.test,both.test", "--local=/test/", "--local-ttl=33",
]
RECORDS += [f"--cname=n{n}.test,n{n + 1}.test" for n in range(15)] + ["--cname=n15.test,four.test"]
MANY = 120  # more addresses than a datagram of 1,232 octets holds


class Dnsmasq:
    """A name server with names below .test, and without upstream servers."""

    def __init__(self, folder, port=None):
        hosts = folder / "many"
        hosts.write_text("".join(f"127.0.3.{n} many.test\n" for n in range(1, MANY + 1)))
        self.port = port or free_port()
        user = pwd.getpwuid(os.getuid()).pw_name
        argv = [
            "dnsmasq", "--keep-in-foreground", f"--user={user}", "--pid-file=", "--conf-file=/dev/null",
            f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv",
            "--no-hosts", f"--addn-hosts={hosts}", "--log-queries=extra", "--log-facility=-", *RECORDS,
        ]
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(argv, stderr=self.log)
        until = time.monotonic() + DEADLINE
        while "cached" not in self.said() and "read " not in self.said():
            assert self.process.poll() is None and time.monotonic() < until, self.said()
            time.sleep(0.01)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def said(self):
        return Path(self.log.name).read_text()

    def asked(self, name):
        """Returns the number of queries for IPv4 addresses of a name."""
        return len(re.findall(rf"query\[A\] {name} ", self.said(), re.IGNORECASE))

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.log.close()


class OwnServer(threading.Thread):
    """A name server with quirks. `answer(query, tcp)` returns the code, the question and the records of a
    response, and its delay in seconds; None for no response. TCP is optional."""

    def __init__(self, answer, tcp=True):
        super().__init__(daemon=True)
        self.answer, self.port, self.queries = answer, free_port(), []
        self.datagrams = socket.socket(type=socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        if tcp:
            self.listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self.serve_streams, daemon=True).start()
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def respond(self, message, tcp):
        query = Query(message)
        self.queries.append((query, tcp))
        answer = self.answer(query, tcp)
        if answer is None:
            return 0, None
        code, question, records, late = answer
        head = message[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return late, head + question + b"".join(records)

    def run(self):
        while True:
            message, peer = self.datagrams.recvfrom(4096)
            late, response = self.respond(message, False)
            if response:
                threading.Timer(late, self.datagrams.sendto, (response, peer)).start()

    def serve_streams(self):
        while True:
            with self.listener.accept()[0] as stream:
                length, = struct.unpack("!H", stream.recv(2))
                _, response = self.respond(stream.recv(length), True)
                if response:
                    stream.sendall(struct.pack("!H", len(response)) + response)

    def asked(self, name):
        """Returns the numbers of queries for addresses of a name, as datagrams and over TCP."""
        tcp = [tcp for query, tcp in self.queries if query.name == name]
        return tcp.count(False), tcp.count(True)


class Query:
    """A parsed query."""

    def __init__(self, message):
        at, labels = 12, []
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]])
            at += 1 + message[at]
        self.kind, = struct.unpack("!H", message[at + 1:at + 3])
        self.name = b".".join(labels).decode().lower()
        self.question, self.edns = message[12:at + 5], message[11] == 1

    def record(self, address):
        """Returns an address record of the name, with a TTL of a minute."""
        data = socket.inet_pton(socket.AF_INET if self.kind == 1 else socket.AF_INET6, address)
        return b"\xc0\x0c" + struct.pack("!HHIH", self.kind, 1, 60, len(data)) + data

    def addresses(self, four="127.0.0.1", six=None):
        """Returns the records of the queried type."""
        address = four if self.kind == 1 else six
        return [self.record(address)] if address else []


def free_port():
    """Returns a port that is free for datagrams and for connections."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            return stream.getsockname()[1]


class Names(Case):
    def start_dnsmasq(self, **kwargs):
        server = Dnsmasq(self.folder(), **kwargs)
        self.addCleanup(server.stop)
        return server

    def look_up(self, server, *names):
        """Returns the output of the example for each name."""
        argv = [LOOKUP, "--server", server.address, *names]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
        return {line.split("  ")[0]: line.split("  ")[1:] for line in done.stdout.splitlines()}

    def start_named(self, server, *args):
        return self.start_forward("--allow-destination", "::1", "--dns-server", server.address, *args)

    def get(self, proxy, host, origin, path="/raw/10"):
        port = origin.server_address[1]
        head, _, body = self.curl("-i", "-x", proxy.url, f"http://{host}:{port}{path}").partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def assert_asked(self, server, name, numbers, said=None):
        """Waits until a server has the queries for a name that it is to get: addresses of one family can
        be used before those of the other have arrived."""
        self.wait_until(lambda: server.asked(name) >= numbers, (said, server.asked(name)))
        self.assertEqual(server.asked(name), numbers, said)

    def limits(self, **limits):
        file = self.folder() / "tidegate.toml"
        lines = [f'{name.replace("_", "-")} = "{value}"\n' for name, value in limits.items()]
        file.write_text("[limits]\n" + "".join(lines))
        return ["-c", str(file)]

    def test_resolver_reads_responses_of_a_real_server(self):
        server = self.start_dnsmasq()
        found = self.look_up(server, "both.test", "four.test", "six.test", "alias.test", "gone.test", "Both.Test.")
        self.assertEqual(found["both.test"], ["::1 127.0.0.1", "(60 s)"])
        self.assertEqual(found["four.test"], ["127.0.0.1", "(60 s)"])
        self.assertEqual(found["six.test"], ["::1", "(60 s)"])
        self.assertEqual(found["alias.test"], ["::1 127.0.0.1", "(33 s)"], "the shortest TTL of the chain")
        self.assertEqual(found["gone.test"][0], "no such name")
        self.assertEqual(found["Both.Test."], found["both.test"])

    def test_large_response_is_fetched_over_tcp(self):
        server = self.start_dnsmasq()
        addresses = self.look_up(server, "many.test")["many.test"][0].split()
        self.assertEqual(len(set(addresses)), 32, "the limit of addresses of a response")
        self.assertTrue(all(address.startswith("127.0.3.") for address in addresses))
        self.assertEqual(server.asked("many.test"), 2, "one query as a datagram, one over TCP")

    def test_proxy_resolves_names(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        proxy = self.start_named(server)
        for host in ["four.test", "FOUR.test", "four.test.", "alias.test", "both.test"]:
            self.assertEqual(self.get(proxy, host, origin)[0], 200, host)
        self.assertEqual(server.asked("four.test"), 1, "cached, in any case of letters")
        status, body = self.get(proxy, "gone.test", origin)
        self.assertEqual(status, 502)
        self.assertIn("no such name", body)

    def test_name_with_denied_addresses_is_refused(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        proxy = self.start_proxy("--dns-server", server.address)
        status, body = self.get(proxy, "four.test", origin)
        self.assertEqual(status, 403)
        self.assertIn("four.test resolves to 127.0.0.1", body)
        self.assertEqual(origin.counts, {})

    def test_hosts_file_takes_precedence_and_its_changes_are_noticed(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        hosts = self.folder() / "hosts"
        hosts.write_text("127.0.0.1 printer.test\n")
        proxy = self.start_named(server, "--hosts", str(hosts))
        self.assertEqual(self.get(proxy, "printer.test", origin)[0], 200)
        self.assertEqual(server.asked("printer.test"), 0)
        self.assertEqual(self.get(proxy, "new.test", origin)[0], 502)
        new = self.folder() / "hosts"
        new.write_text("127.0.0.1 new.test\n")
        new.rename(hosts)
        self.wait_until(lambda: self.get(proxy, "new.test", origin)[0] == 200)

    def test_expired_answer_is_used_while_the_server_is_down(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        proxy = self.start_named(server, *self.limits(name_ttl_max="1s", pool="0"))
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 200)
        server.stop()
        time.sleep(1.1)  # longer than the TTL; the expiry cannot be observed from outside
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 200)
        status, body = self.get(proxy, "both.test", origin)
        self.assertEqual(status, 502)
        self.assertIn(f"{server.address} cannot be queried: connection refused (1 server, 1 attempt)", body)

    def test_restarted_server_is_found_by_the_next_lookup(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        port = server.port
        proxy = self.start_named(server, *self.limits(name_stale="0s", name_failure_ttl="0s"))
        server.stop()
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 502)
        self.start_dnsmasq(port=port)
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 200)

    def test_chain_of_sixteen_aliases_is_followed(self):
        server = self.start_dnsmasq()
        self.assertEqual(self.look_up(server, "n0.test")["n0.test"][0], "127.0.0.1")

    def test_server_that_folds_case_is_remembered(self):
        def fold(query, tcp):
            return 0, query.question.lower(), query.addresses(), 0

        for tcp, asked in [(True, (2, 2)), (False, (6, 0))]:
            server, origin = OwnServer(fold, tcp), self.start_origin()
            proxy = self.start_named(server)
            self.assertEqual(self.get(proxy, "one.test", origin)[0], 200)
            self.assert_asked(server, "one.test", asked)
            self.assertEqual(self.get(proxy, "two.test", origin)[0], 200)
            self.assert_asked(server, "two.test", (2, 0))
        server = OwnServer(fold)
        proxy = self.start_named(server, "--dns-0x20", "off")
        self.assertEqual(self.get(proxy, "one.test", origin)[0], 200)
        self.assert_asked(server, "one.test", (2, 0))

    def test_server_without_edns_is_queried_without_it(self):
        def without(code):
            def answer(query, tcp):
                if query.edns:
                    return None if code is None else (code, query.question, [], 0)
                return 0, query.question, query.addresses(), 0
            return answer

        for code in [None, 1, 2, 4]:
            server, origin = OwnServer(without(code)), self.start_origin()
            proxy = self.start_named(server)
            self.assertEqual(self.get(proxy, "one.test", origin)[0], 200, code)
            self.assert_asked(server, "one.test", (4, 0), code)
            self.assertEqual(self.get(proxy, "two.test", origin)[0], 200, code)
            self.assert_asked(server, "two.test", (2, 0), code)

    def test_nxdomain_for_ipv6_alone_does_not_hide_a_name(self):
        def answer(query, tcp):
            return 0 if query.kind == 1 else 3, query.question, query.addresses(), 0

        server, origin = OwnServer(answer), self.start_origin()
        self.assertEqual(self.get(self.start_named(server), "one.test", origin)[0], 200)

    def test_late_ipv4_address_is_tried(self):
        def answer(query, tcp):
            late = 0.15 if query.kind == 1 else 0
            return 0, query.question, query.addresses(six="::1"), late

        server, origin = OwnServer(answer), self.start_origin()
        self.assertEqual(self.get(self.start_named(server), "dual.test", origin)[0], 200)

    def test_long_hosts_file_is_read_beside_the_loop(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        hosts = self.folder() / "hosts"
        hosts.write_text("127.0.0.1 printer.test\n" + "".join(f"0.0.0.0 n{n}.blocked.test\n" for n in range(200_000)))
        proxy = self.start_named(server, "--hosts", str(hosts))
        self.assertEqual(self.get(proxy, "printer.test", origin)[0], 200)
        self.assertEqual(server.asked("printer.test"), 0)

    def test_system_resolver_is_an_option(self):
        origin = self.start_origin()
        proxy = self.start_forward("--allow-destination", "::1", "--resolver", "system")
        self.assertEqual(self.get(proxy, "localhost", origin)[0], 200)

    def test_conflicting_options_are_refused_at_the_start(self):
        for argv in [["--resolver", "system", "--dns-server", "127.0.0.1"], ["--resolver", "dns"],
                     ["--resolver", "system", "--dns-0x20", "off"], ["--hosts", "/nowhere"], ["--dns-server", "localhost"]]:
            self.run_command(BINARY, *argv, code=2)
