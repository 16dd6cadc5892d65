"""Operating a running proxy: purges and figures over its control socket, and figures over HTTP."""

import json
import os
import stat
import subprocess
import urllib.error
import urllib.request

from harness import BINARY, DEADLINE, Case, Proxy


class Operate(Case):
    def operate(self, *args, code=0, **environment):
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=DEADLINE,
                              env={**os.environ, "XDG_RUNTIME_DIR": "", **environment})
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_what_is_purged_is_fetched_again(self):
        socket = self.folder() / "c.sock"
        origin, proxy = self.start_origin(), self.start_forward("--control", str(socket))
        self.assertEqual(stat.S_IMODE(socket.stat().st_mode), 0o600)
        self.assertIn(f"  control  {socket}", proxy.banner)
        at = ("--control", str(socket))
        url = origin.url + "/cached/10"
        host = origin.url.split("//")[1]

        def fetch():
            self.curl("-x", proxy.url, url)

        for how in [[url], ["--prefix", origin.url + "/cac"], ["--host", host], ["--all"]]:
            fetch()
            self.assertEqual(self.operate("purge", *how, *at), "purged 1\n", how)
            self.assertEqual(self.operate("purge", *how, *at), "purged 0\n", how)
        self.assertEqual(self.operate("purge", "--tag", "none", *at), "purged 0\n")
        fetch()
        self.assertEqual(self.operate("purge", "--soft", url, *at), "purged 1\n")
        fetch()
        fetch()
        figures = json.loads(self.operate("stats", "--json", *at))
        self.assertEqual(figures["requests_total"]["hit"], 1, figures)
        self.assertEqual(figures["purged_total"], 5, figures)
        self.assertIn("cache_objects", self.operate("stats", *at))
        proxy.stop()
        self.assertFalse(socket.exists(), "it goes with the process")
        self.assertIn("no answer from a running tidegate", self.operate("stats", *at, code=1))

    def test_mistakes_have_their_exit_codes(self):
        for args in [["purge"], ["purge", "http://h/", "--all"], ["purge", "--tag", ""],
                     ["stats", "--nonsense"], ["stats"], ["stats", "--port", "99999"]]:
            self.operate(*args, code=2)
        socket = self.folder() / "c.sock"
        self.start_forward("--control", str(socket))
        said = self.operate("purge", "nonsense", "--control", str(socket), code=1)
        self.assertIn("'nonsense' does not begin with http", said)

    def test_the_socket_is_found_by_the_port(self):
        folder = self.folder()
        proxy = self.start_forward(wrap=["env", f"XDG_RUNTIME_DIR={folder}"])
        socket = folder / f"tidegate-{proxy.port}.sock"
        self.assertIn(f"  control  {socket}", proxy.banner)
        self.operate("stats", "--port", str(proxy.port), XDG_RUNTIME_DIR=str(folder))
        without = self.start_forward(wrap=["env", "-u", "XDG_RUNTIME_DIR"])
        self.assertTrue(any("control  off: XDG_RUNTIME_DIR is not set" in line for line in without.banner))

    def test_a_socket_of_a_living_process_is_left_alone_and_one_of_a_dead_one_replaced(self):
        socket = self.folder() / "c.sock"
        first = self.start_forward("--control", str(socket))
        done = subprocess.run([BINARY, "-l", "127.0.0.1:0", "--control", str(socket)],
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot take commands at {socket}", done.stderr)
        self.operate("stats", "--control", str(socket))
        first.process.kill()
        first.process.wait(DEADLINE)
        self.assertTrue(socket.exists())
        self.start_forward("--control", str(socket))
        self.operate("stats", "--control", str(socket))

    def test_figures_are_served_to_prometheus(self):
        origin, proxy = self.start_origin(), self.start_forward("--admin", "127.0.0.1:0", "--control", "off")
        line = next(line for line in proxy.banner if line.startswith("  metrics "))
        url = line.split()[1]
        self.assertIn("  control  off", proxy.banner)
        for _ in range(2):
            self.curl("-x", proxy.url, origin.url + "/cached/10")
        self.curl("-x", proxy.url, "http://10.0.0.1/")
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            text = answer.read().decode()
        for line in ['tidegate_requests_total{result="hit"} 1', 'tidegate_requests_total{result="miss"} 1',
                     'tidegate_saved_bytes_total 10', 'tidegate_denials_total{rule="destination-private"} 1',
                     'tidegate_cache_objects 1', "tidegate_hit_ratio 0.500000"]:
            self.assertIn(line, text.splitlines())
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url.replace("/metrics", "/"), timeout=DEADLINE)
        self.assertEqual(refused.exception.code, 404)
        refused.exception.close()
