"""Agents of Node that open tunnels, even for http:// and ws://, with the proxy's defaults. The tests run in
a separate network namespace, where a public address leads to this machine."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

from harness import DEADLINE, ROOT, Case

PUBLIC = "93.184.216.34"
PACKAGES = ROOT / "target" / "node"
INSIDE = "TIDEGATE_INSIDE_NAMESPACE"


@unittest.skipUnless((PACKAGES / "node_modules").is_dir(), "needs the packages that .ci/run installs")
class Agents(unittest.TestCase):
    def test_cases_pass_in_a_network_namespace(self):
        setup = f"ip link set lo up && ip route add local {PUBLIC}/32 dev lo && exec \"$@\""
        inner = [sys.executable, "-m", "unittest", "-v", "test_node.Inside"]
        done = subprocess.run(
            ["unshare", "--net", "sh", "-ec", setup, "sh", *inner],
            cwd=Path(__file__).parent, env={**os.environ, INSIDE: "1"}, capture_output=True, text=True, timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\nOK", done.stderr)
        self.assertNotIn("skipped", done.stderr)


@unittest.skipUnless(os.environ.get(INSIDE), "run by Agents")
class Inside(Case):
    def test_node_agents_open_tunnels_to_port_80(self):
        proxy = self.start_proxy()
        script = Path(__file__).with_name("node_agents.cjs")
        done = subprocess.run(["node", str(script), str(PACKAGES), proxy.url, PUBLIC],
                              capture_output=True, text=True, timeout=DEADLINE)
        answers = ["https-proxy-agent hello", "undici hello", "tunnel hello", "ws hello"]
        self.assertEqual(done.stdout.splitlines(), answers, done.stderr)
        proxy.stop()
        lines = [line.split() for line in proxy.lines()]
        self.assertEqual([(line[2], line[6], line[7]) for line in lines], 4 * [("TUNNEL", "CONNECT", f"{PUBLIC}:80")])


if __name__ == "__main__":
    unittest.main()
