"""The default destination policy, with real sockets. The tests run in a separate network namespace, where
invented public addresses lead to this machine and no route leads outside."""

import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

from harness import DEADLINE, Case, Origin

PUBLIC = "93.184.216.34"
OWN = "93.184.216.35"  # an address of an interface of this machine
INSIDE = "TIDEGATE_INSIDE_NAMESPACE"


class DefaultPolicy(unittest.TestCase):
    def test_cases_pass_in_a_network_namespace(self):
        """Runs the cases of `Inside` where these addresses exist."""
        # A route makes an address local although no interface has it: it represents another machine.
        setup = (f"ip link set lo up && ip route add local {PUBLIC}/32 dev lo && "
                 f"ip addr add {OWN}/32 dev lo && exec \"$@\"")
        inner = [sys.executable, "-m", "unittest", "-v", "test_policy.Inside"]
        done = subprocess.run(
            ["unshare", "--net", "sh", "-ec", setup, "sh", *inner],
            cwd=Path(__file__).parent, env={**os.environ, INSIDE: "1"}, capture_output=True, text=True, timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\nOK", done.stderr)
        self.assertNotIn("skipped", done.stderr)


@unittest.skipUnless(os.environ.get(INSIDE), "run by DefaultPolicy")
class Inside(Case):
    def setUp(self):
        self.public = Origin(address=PUBLIC)
        self.addCleanup(self.public.stop)
        self.local = self.start_origin()
        self.proxy = self.start_proxy()

    def status(self, url, *args):
        return self.head_of(self.curl("-i", "-x", self.proxy.url, url, *args))[0]

    def test_public_address_is_allowed_and_this_machine_is_not(self):
        self.assertEqual(self.status(self.public.url + "/bytes/10"), 200)
        port = self.local.server_address[1]
        for host in ["127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "017700000001", "2130706433",
                     "0", "[::1]", "[::ffff:127.0.0.1]", "[::]", "127.0.0.1."]:
            with self.subTest(host):
                self.assertEqual(self.status(f"http://{host}:{port}/", "--globoff"), 403)
        self.assertEqual(self.local.counts, {}, "none of these was dialled")

    def test_global_address_of_this_machine_is_refused(self):
        own = Origin(address=OWN)
        self.addCleanup(own.stop)
        answer = self.curl("-i", "-x", self.proxy.url, own.url + "/bytes/10")
        self.assertIn(b"rule 'destination-own'", answer)
        self.assertEqual(own.counts, {}, "the address was not dialled")
        lifted = self.start_proxy("--allow-destination", OWN)
        self.assertEqual(self.head_of(self.curl("-i", "-x", lifted.url, own.url + "/bytes/10"))[0], 200)

    def test_interface_addresses_are_refreshed(self):
        own = Origin(address=OWN)
        self.addCleanup(own.stop)
        self.assertEqual(self.status(own.url + "/bytes/10"), 403)
        ip = lambda verb: subprocess.run(["ip", "addr", verb, f"{OWN}/32", "dev", "lo"], check=True)
        ip("del")
        self.addCleanup(ip, "add")
        end, answer = time.monotonic() + DEADLINE, 403
        while answer == 403 and time.monotonic() < end:
            answer = self.status(own.url + "/bytes/10")
        self.assertEqual(answer, 502, "the address belongs to no machine any more")

    def test_ports_of_the_proxy_itself_are_refused(self):
        self.assertEqual(self.status(self.proxy.url), 403)
        allowed = [part for address in ["127.0.0.0/8", OWN] for part in ("--allow-destination", address)]
        for listen in ["127.0.0.1:0", "0.0.0.0:0"]:
            loop = self.start_proxy(*allowed, "--admin", "127.0.0.1:0", "--allow-client", "127.0.0.1", listen=listen)
            metrics = next(line.split()[1] for line in loop.banner if "metrics" in line)
            hosts = ["127.0.0.1", "localhost", "0x7f.1"] + ([OWN, "127.9.9.9"] if listen.startswith("0") else [])
            for url in [metrics, *(f"http://{host}:{loop.port}/" for host in hosts)]:
                with self.subTest(url):
                    answer = self.curl("-i", "-x", f"http://127.0.0.1:{loop.port}", url)
                    self.assertIn(b"rule 'destination-listener'", answer)

    def test_ports_of_other_services_are_refused(self):
        for port in [22, 25, 110, 1024]:
            self.assertEqual(self.status(f"http://{PUBLIC}:{port}/"), 403)
        done = subprocess.run(
            ["curl", "-sS", "-p", "-x", self.proxy.url, self.public.url, "-w", "%{http_connect}", "-o", "/dev/null"],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "403", "CONNECT is allowed to port 443 only")

    def test_reverse_proxy_reaches_its_origin(self):
        proxy = self.start_proxy("--to", self.local.url)
        self.assertEqual(self.head_of(self.curl("-i", proxy.url + "/bytes/10"))[0], 200)
