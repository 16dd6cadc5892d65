"""The default destination policy, with real sockets: in a network namespace of its own, where an
invented public address is on the loopback interface and nothing leads outside."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

from harness import Case, Origin

PUBLIC = "93.184.216.34"
INSIDE = "TIDEGATE_INSIDE_NAMESPACE"


class DefaultPolicy(unittest.TestCase):
    def test_in_a_namespace(self):
        """Runs the cases below where that address exists."""
        setup = f"ip link set lo up && ip addr add {PUBLIC}/32 dev lo && exec \"$@\""
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

    def test_a_public_address_is_served_and_this_machine_is_not(self):
        self.assertEqual(self.status(self.public.url + "/bytes/10"), 200)
        port = self.local.server_address[1]
        for host in ["127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "017700000001", "2130706433",
                     "0", "[::1]", "[::ffff:127.0.0.1]", "[::]", "127.0.0.1."]:
            with self.subTest(host):
                self.assertEqual(self.status(f"http://{host}:{port}/", "--globoff"), 403)
        self.assertEqual(self.local.counts, {}, "none of that was dialled")

    def test_the_proxy_does_not_serve_its_own_port(self):
        self.assertEqual(self.status(self.proxy.url), 403)
        loop = self.start_forward()
        answer = self.curl("-i", "-x", loop.url, loop.url + "/")
        self.assertIn(b"proxy_loop_detected", answer)

    def test_ports_of_other_services_are_refused(self):
        for port in [22, 25, 110, 1024]:
            self.assertEqual(self.status(f"http://{PUBLIC}:{port}/"), 403)
        done = subprocess.run(
            ["curl", "-sS", "-p", "-x", self.proxy.url, self.public.url, "-w", "%{http_connect}", "-o", "/dev/null"],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "403", "CONNECT goes to 443 only")

    def test_a_reverse_proxy_reaches_the_origin_it_was_given(self):
        proxy = self.start_proxy("--to", self.local.url)
        self.assertEqual(self.head_of(self.curl("-i", proxy.url + "/bytes/10"))[0], 200)
