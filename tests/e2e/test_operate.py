"""Operating a running proxy: purges and metrics over its control socket, and metrics over HTTP."""

import json
import os
import stat
import subprocess
import unittest
import urllib.error
import urllib.request

from harness import AS_NOBODY, BINARY, DEADLINE, NOBODY, Case, Proxy


class Operate(Case):
    def operate(self, *args, code=0, **environment):
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=DEADLINE,
                              env={**os.environ, "XDG_RUNTIME_DIR": "", **environment})
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_purged_response_is_fetched_again(self):
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
        metrics = json.loads(self.operate("stats", "--json", *at))
        self.assertEqual(metrics["requests_total"]["hit"], 1, metrics)
        self.assertEqual(metrics["purged_total"], 5, metrics)
        self.assertIn("cache_objects", self.operate("stats", *at))
        proxy.stop()
        self.assertFalse(socket.exists(), "the socket is removed at the end")
        self.assertIn("no answer from a running tidegate", self.operate("stats", *at, code=1))

    def test_usage_errors_have_exit_codes(self):
        for args in [["purge"], ["purge", "http://h/", "--all"], ["purge", "--tag", ""],
                     ["stats", "--nonsense"], ["stats", "--port", "99999"]]:
            self.operate(*args, code=2)
        socket = self.folder() / "c.sock"
        self.start_forward("--control", str(socket))
        said = self.operate("purge", "nonsense", "--control", str(socket), code=1)
        self.assertIn("'nonsense' does not begin with http", said)

    def test_control_socket_is_found_by_the_port(self):
        folder = self.folder()
        proxy = self.start_forward(wrap=["env", f"XDG_RUNTIME_DIR={folder}"])
        socket = folder / f"tidegate-{proxy.port}.sock"
        self.assertIn(f"  control  {socket}", proxy.banner)
        self.operate("stats", "--port", str(proxy.port), XDG_RUNTIME_DIR=str(folder))
        said = self.operate("stats", "--port", "1", code=1, XDG_RUNTIME_DIR=str(folder))
        self.assertIn(f"{folder}/tidegate-1.sock: No such file or directory", said)
        self.assertIn(str(socket), said.split("; there ")[1])
        said = self.operate("stats", "--control", f"{folder}/x", code=1)
        self.assertIn(str(socket), said.split("; there ")[1])

    def test_orders_for_origins_are_logged(self):
        origin, socket = self.start_origin(), self.folder() / "c.sock"
        proxy = self.start_proxy("--to", origin.url, "--control", str(socket))
        order = ["origin", "drain", origin.url.split("//")[1], "--control", str(socket)]
        said = self.operate(*order, "--group", "--to")
        self.assertEqual(said, f"--to: drain {origin.url}\nwarning: --to has no member left for new requests\n")
        line = f"origin {origin.url} of --to: drained by the operator\n"
        self.wait_until(lambda: line in proxy.said)
        self.assertIn("there is no group 'x'; there are --to", self.operate(*order, "--group", "x", code=1))

    def test_only_control_socket_is_used(self):
        """Runs as a user other than root, with temporary files of its own."""
        folder = self.folder()
        folder.chmod(0o1777)
        first = self.start_forward(wrap=self.as_user(folder))
        asked = [*self.as_user(folder), BINARY, "stats"]
        self.assertIn(b"requests_total", self.run_command(*asked))
        self.start_forward(wrap=self.as_user(folder))
        self.run_command(*asked, code=1)
        done = subprocess.run(asked, capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertIn("name one by --port or --control", done.stderr)
        self.assertIn(f"tidegate-{first.port}.sock", done.stderr)

    def as_user(self, folder, *environment):
        """Returns arguments that run a command as a user other than root, with its temporary files in a folder."""
        return [*AS_NOBODY, "env", "-u", "XDG_RUNTIME_DIR", f"TMPDIR={folder}", *environment]

    def test_control_socket_is_in_a_folder_of_the_user_without_a_runtime_folder(self):
        folder = self.folder()
        folder.chmod(0o1777)
        elsewhere = self.folder()  # root's, so not this user's runtime folder
        for environment in [[], [f"XDG_RUNTIME_DIR={elsewhere}"]] if os.geteuid() == 0 else [[]]:
            proxy = self.start_forward(wrap=self.as_user(folder, *environment))
            own = next(folder.iterdir())
            self.assertRegex(own.name, r"^tidegate-\d+$")
            self.assertEqual(stat.S_IMODE(own.stat().st_mode), 0o700)
            self.assertIn(f"  control  {own}/tidegate-{proxy.port}.sock", proxy.banner)
            asked = [*self.as_user(folder), BINARY, "stats", "--port", str(proxy.port)]
            self.assertIn(b"requests_total", self.run_command(*asked))
            proxy.stop()
            self.assertEqual(list(own.iterdir()), [], "the socket is removed at the end")

    def test_folder_that_another_user_may_have_made_is_not_used(self):
        user = NOBODY if os.geteuid() == 0 else os.geteuid()
        for kind in ["link", "open", "other"]:
            with self.subTest(kind):
                folder = self.folder()
                folder.chmod(0o1777)
                there = folder / f"tidegate-{user}"
                if kind == "link":
                    there.symlink_to(self.folder())
                elif kind == "open":
                    there.mkdir()
                    there.chmod(0o755)
                elif os.geteuid() == 0:
                    there.mkdir(mode=0o700)  # root's
                else:
                    continue
                if kind != "other" and os.geteuid() == 0:
                    os.chown(there, int(NOBODY), int(NOBODY), follow_symlinks=False)
                proxy = self.start_forward("--rule-default", "deny", wrap=self.as_user(folder))
                off = next(line for line in proxy.banner if line.startswith("  control"))
                self.assertIn(f"off: {there}: not a folder of this user with mode 0700", off)
                self.no_explanation_is_offered(proxy)
                asked = [*self.as_user(folder), BINARY, "stats", "--port", str(proxy.port)]
                self.run_command(*asked, code=1)

    def no_explanation_is_offered(self, proxy):
        self.assertIn("  why      tidegate explain URL, with the same options", proxy.banner)
        denied = self.curl("-x", proxy.url, "http://other.test/").decode()
        self.assertIn("other.test is denied by 'rule-default deny'.\n", denied)
        self.assertNotIn("explain", denied)

    def test_explanations_are_offered_only_with_a_control_socket(self):
        self.no_explanation_is_offered(self.start_forward("--rule-default", "deny", "--control", "off"))
        socket = self.folder() / "c.sock"
        proxy = self.start_forward("--rule-default", "deny", "--control", str(socket), "--listen", "127.0.0.1:0")
        command = f"tidegate explain --live --control {socket}"
        self.assertIn(f"  why      {command} URL", proxy.banner)
        denied = self.curl("-x", proxy.url, "http://other.test/").decode()
        self.assertIn(f"'rule-default deny'. To see why: {command} http://other.test/\n", denied)
        argv = [BINARY, *command.split()[1:], "http://other.test/"]
        self.assertIn(b"rule-default deny", self.run_command(*argv, code=3))

    @unittest.skipUnless(os.geteuid() == 0, "for root")
    def test_root_without_a_runtime_folder_uses_one_in_run(self):
        """Runs in a separate mount namespace with an empty /run."""
        empty = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh", "env", "-u", "XDG_RUNTIME_DIR"]
        proxy = self.start_forward(wrap=empty)
        self.assertIn(f"  control  /run/tidegate/tidegate-{proxy.port}.sock", proxy.banner)
        inside = ["nsenter", "-m", "-t", str(proxy.process.pid), "env", "-u", "XDG_RUNTIME_DIR"]
        asked = self.run_command(*inside, BINARY, "stats", "--port", str(proxy.port))
        self.assertIn(b"requests_total", asked)

    def test_only_the_socket_of_a_dead_process_is_replaced(self):
        socket = self.folder() / "c.sock"
        first = self.start_forward("--control", str(socket))
        done = subprocess.run([BINARY, "-l", "127.0.0.1:0", "--control", str(socket)],
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot open the control socket {socket}", done.stderr)
        self.operate("stats", "--control", str(socket))
        first.process.kill()
        first.process.wait(DEADLINE)
        self.assertTrue(socket.exists())
        self.start_forward("--control", str(socket))
        self.operate("stats", "--control", str(socket))

    def test_metrics_are_served_to_prometheus(self):
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
