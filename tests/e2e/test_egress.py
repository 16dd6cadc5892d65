"""Egress rules and their explanations, with curl and the command."""

import json
import signal
import subprocess
import time

from harness import BINARY, DEADLINE, Case


class Egress(Case):
    def setUp(self):
        self.origin = self.start_origin()
        port = self.origin.server_address[1]
        self.folder_ = self.folder()
        hosts = self.folder_ / "hosts"
        hosts.write_text("127.0.0.1 allowed.test other.test sub.allowed.test\n")
        self.names = ["--hosts", str(hosts), "--dns-server", "127.0.0.1:1"]
        self.url = f"http://allowed.test:{port}/bytes/10"
        self.other = f"http://other.test:{port}/bytes/10"
        self.authority = f"allowed.test:{port}"

    def start(self, *args):
        return self.start_proxy(*args, *self.names)

    def start_egress(self, *args):
        # The subcommand comes first; the harness adds --listen.
        return self.start_proxy(*args, *self.names, subcommand="egress")

    def status(self, proxy, url, *args):
        out = self.curl("-x", proxy.url, url, "-o", "/dev/null", "-w", "%{http_code}", *args)
        return int(out)

    def connect_status(self, proxy, authority, code=56):
        argv = ["-x", proxy.url, "--proxytunnel", f"http://{authority}/bytes/10", "-o", "/dev/null"]
        return int(self.curl(*argv, "-w", "%{http_connect}", code=code))

    def test_one_rule_covers_plain_requests_and_tunnels(self):
        proxy = self.start_egress("--allow", "allowed.test=127.0.0.0/8 port=1-65535")
        self.assertEqual(self.status(proxy, self.url), 200)
        self.assertEqual(self.connect_status(proxy, self.authority, code=0), 200)
        self.assertEqual(self.status(proxy, self.other), 403)
        self.assertEqual(self.connect_status(proxy, "other.test:443"), 403)
        text = self.curl("-x", proxy.url, "http://never-looked-up.test/").decode()
        self.assertIn("'rule-default deny'", text)
        self.assertIn(f"tidegate explain --live --port {proxy.port} http://never-looked-up.test/", text)

    def test_rules_count_in_their_order_whatever_option_gives_them(self):
        guard = ["--rule", "deny allowed.test", "--allow", ".allowed.test=127.0.0.0/8", "--allow-destination", "127.0.0.1"]
        proxy = self.start_egress(*guard)
        self.assertEqual(self.status(proxy, self.url), 403)
        self.assertEqual(self.status(proxy, self.url.replace("allowed", "sub.allowed")), 200)
        self.explain(*guard, *self.names, self.url, code=3)
        for args in [["egress", "--rule-default", "allow"], ["explain", "--live", "--rule", "deny", "http://h/"]]:
            with self.subTest(args=args):
                self.assertIn(args[-2] if args[0] == "egress" else "--live", self.refusal(*args))

    def test_report_mode_passes_requests_and_logs_denials(self):
        proxy = self.start_egress("--allow", "x.test", "--report", "--allow-destination", "127.0.0.0/8")
        self.assertEqual(self.status(proxy, self.other), 200)
        proxy.stop()
        self.assertIn("[would-deny rule-default]", proxy.lines()[-1])

    def test_list_files_are_reloaded_completely_or_not_at_all(self):
        names = self.folder_ / "names.txt"
        names.write_text("# names\nother.test\n")
        proxy = self.start("--rule", f"deny @{names}", "--allow-destination", "127.0.0.0/8")
        self.assertEqual(self.status(proxy, self.url), 200)
        self.assertEqual(self.status(proxy, self.other), 403)
        names.write_text("allowed.test\n")
        self.reload(proxy, "reloaded")
        self.assertEqual(self.status(proxy, self.url), 403)
        self.assertEqual(self.status(proxy, self.other), 200)
        names.write_text("allowed.test\nno name!\n")
        self.reload(proxy, "not reloaded: the settings stay as they were")
        self.assertTrue(any(f"{names}:2:4" in line for line in proxy.said), proxy.said)
        self.assertEqual(self.status(proxy, self.url), 403)

    def reload(self, proxy, said):
        before = sum(line.strip() == said for line in proxy.said)
        proxy.signal(signal.SIGHUP)
        deadline = time.monotonic() + DEADLINE
        while sum(line.strip() == said for line in proxy.said) == before:
            self.assertLess(time.monotonic(), deadline, proxy.said)
            time.sleep(0.01)

    def test_million_names_are_loaded_and_denied(self):
        names = self.folder_ / "names.txt"
        with names.open("w") as file:
            file.writelines(f"ads-{n}.tracker-{n % 7919}.test\n" for n in range(1_000_000))
            file.write("*.allowed.test\n")
        proxy = self.start("--rule", f"deny @{names}", "--allow-destination", "127.0.0.0/8")
        self.assertEqual(self.status(proxy, self.url), 200)
        denied = self.url.replace("allowed", "sub.allowed")
        text = self.curl("-x", proxy.url, denied).decode()
        self.assertIn(f"'deny *.allowed.test' ({names}:1000001)", text)
        self.assertLess(proxy.memory(), 160 << 20)

    def test_invalid_rules_are_refused_at_the_start(self):
        bad = self.folder_ / "bad.txt"
        bad.write_text("allow a.test\nallow a.test pory=443\n")
        for args, said in [
            (["--rule", f"@{bad}"], f"{bad}:2:14"),
            (["--rule", "deny @/no/such/list"], "/no/such/list: "),
            (["--rule", "allow user=ann"], "--users"),
            (["--rule", "allow", "--to", "http://127.0.0.1:1"], "forward"),
            (["--rule", "permit x"], "allow, deny or report"),
        ]:
            with self.subTest(args=args):
                self.assertIn(said, self.refusal(*args))

    def refusal(self, *args):
        done = subprocess.run([BINARY, *args], capture_output=True, timeout=DEADLINE, text=True)
        self.assertEqual(done.returncode, 2, done)
        return done.stderr

    def explain(self, *args, code):
        out = self.run_command(BINARY, "explain", "--json", *args, code=code)
        answer = json.loads(out)
        self.assertEqual(answer["allowed"], code == 0)
        return answer["events"]

    def test_explain_uses_the_options_or_the_running_proxy(self):
        rules = ["--rule", "deny other.test", "--allow-destination", "127.0.0.0/8"]
        events = self.explain(*rules, *self.names, self.other, code=3)
        self.assertEqual(events[-1]["reason"], "rule 1")
        events = self.explain(*rules, *self.names, self.url, code=0)
        self.assertIn("127.0.0.1", [event.get("address") for event in events])
        socket = str(self.folder_ / "control.sock")
        proxy = self.start(*rules, "--control", socket)
        self.assertEqual(self.status(proxy, self.url), 200)
        events = self.explain("--live", "--control", socket, self.url, code=0)
        stored = next(event for event in events if event["event"] == "stored")
        self.assertEqual((stored["lifetime"], stored["said_by"]), (60, "max-age"))
        self.assertEqual(events[-1]["would"], "would answer: the stored response is fresh")
        events = self.explain("--live", "--control", socket, self.other, code=3)
        self.assertEqual(events[-1]["status"], 403)
