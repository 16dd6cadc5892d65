"""Names, with a real server: dnsmasq, on a port of its own on the loopback."""

import os
import pwd
import re
import socket
import subprocess
import time
from pathlib import Path

from harness import BINARY, DEADLINE, Case

LOOKUP = str(Path(BINARY).parent / "examples" / "lookup")
RECORDS = [
    "--host-record=both.test,127.0.0.1,::1,60", "--host-record=four.test,127.0.0.1,60",
    "--host-record=six.test,::1,60", "--cname=alias.test,both.test", "--local=/test/", "--local-ttl=33",
]
MANY = 120  # addresses that no datagram of 1,232 octets holds


class Dnsmasq:
    """A name server that knows names below .test, and asks nobody."""

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
        """How many questions for IPv4 addresses of a name there were."""
        return len(re.findall(rf"query\[A\] {name} ", self.said(), re.IGNORECASE))

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.log.close()


def free_port():
    """One that is free for datagrams and for connections."""
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
        """What the example prints of each name."""
        argv = [LOOKUP, "--server", server.address, *names]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
        return {line.split("  ")[0]: line.split("  ")[1:] for line in done.stdout.splitlines()}

    def start_named(self, server, *args):
        return self.start_forward("--allow-destination", "::1", "--dns-server", server.address, *args)

    def get(self, proxy, host, origin, path="/raw/10"):
        port = origin.server_address[1]
        head, _, body = self.curl("-i", "-x", proxy.url, f"http://{host}:{port}{path}").partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def limits(self, **limits):
        file = self.folder() / "tidegate.toml"
        lines = [f'{name.replace("_", "-")} = "{value}"\n' for name, value in limits.items()]
        file.write_text("[limits]\n" + "".join(lines))
        return ["-c", str(file)]

    def test_the_resolver_reads_what_a_real_server_says(self):
        server = self.start_dnsmasq()
        found = self.look_up(server, "both.test", "four.test", "six.test", "alias.test", "gone.test", "Both.Test.")
        self.assertEqual(found["both.test"], ["::1 127.0.0.1", "(60 s)"])
        self.assertEqual(found["four.test"], ["127.0.0.1", "(60 s)"])
        self.assertEqual(found["six.test"], ["::1", "(60 s)"])
        self.assertEqual(found["alias.test"], ["::1 127.0.0.1", "(33 s)"], "the shortest of the chain")
        self.assertEqual(found["gone.test"][0], "no such name")
        self.assertEqual(found["Both.Test."], found["both.test"])

    def test_what_does_not_fit_a_datagram_comes_over_tcp(self):
        server = self.start_dnsmasq()
        addresses = self.look_up(server, "many.test")["many.test"][0].split()
        self.assertEqual(len(set(addresses)), 32, "as many as are taken of one answer")
        self.assertTrue(all(address.startswith("127.0.3.") for address in addresses))
        self.assertEqual(server.asked("many.test"), 2, "once as a datagram, once over TCP")

    def test_the_proxy_goes_by_names(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        proxy = self.start_named(server)
        for host in ["four.test", "FOUR.test", "four.test.", "alias.test", "both.test"]:
            self.assertEqual(self.get(proxy, host, origin)[0], 200, host)
        self.assertEqual(server.asked("four.test"), 1, "kept, in any case")
        status, body = self.get(proxy, "gone.test", origin)
        self.assertEqual(status, 502)
        self.assertIn("no such name", body)

    def test_a_name_whose_addresses_are_not_allowed_is_refused(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        proxy = self.start_proxy("--dns-server", server.address)
        status, body = self.get(proxy, "four.test", origin)
        self.assertEqual(status, 403)
        self.assertIn("four.test resolves to 127.0.0.1", body)
        self.assertEqual(origin.counts, {})

    def test_a_file_of_hosts_counts_first_and_its_changes_are_noticed(self):
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
        until = time.monotonic() + DEADLINE
        while self.get(proxy, "new.test", origin)[0] != 200:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.1)

    def test_while_the_server_is_down_what_has_expired_is_used(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        proxy = self.start_named(server, *self.limits(name_ttl_max="1s", pool="0"))
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 200)
        server.stop()
        time.sleep(1.1)  # the answer's time is over then
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 200)
        status, body = self.get(proxy, "both.test", origin)
        self.assertEqual(status, 502)
        self.assertIn(f"{server.address} cannot be asked: connection refused (1 server, 1 attempt)", body)

    def test_without_such_answers_the_next_question_finds_the_server_back(self):
        server, origin = self.start_dnsmasq(), self.start_origin()
        port = server.port
        proxy = self.start_named(server, *self.limits(name_stale="0s", name_failure_ttl="0s"))
        server.stop()
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 502)
        self.start_dnsmasq(port=port)
        self.assertEqual(self.get(proxy, "four.test", origin)[0], 200)

    def test_the_systems_resolver_is_an_option(self):
        origin = self.start_origin()
        proxy = self.start_forward("--allow-destination", "::1", "--resolver", "system")
        self.assertEqual(self.get(proxy, "localhost", origin)[0], 200)

    def test_what_does_not_go_together_is_refused_at_the_start(self):
        for argv in [["--resolver", "system", "--dns-server", "127.0.0.1"], ["--resolver", "dns"],
                     ["--hosts", "/nowhere"], ["--dns-server", "localhost"]]:
            self.run_command(BINARY, *argv, code=2)
