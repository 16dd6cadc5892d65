"""Limits and bans of clients: listed, lifted and begun by an operator, kept across restarts and reloads."""

import os
import stat
import subprocess
import unittest

from harness import BINARY, DEADLINE, Case, Pages

RULE = "after 3 of 404 within 1m -> 429 for 10m"


class Some(Pages):
    """/missing: 404; others as Pages has them."""

    def do_GET(self):
        if self.path == "/missing":
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
        else:
            super().do_GET()


class Bans(Case):
    def setUp(self):
        self.place = self.folder()
        self.socket = self.place / "c.sock"
        self.origin = self.start_origin(Some)

    def bans(self, *args, code=0):
        done = subprocess.run([BINARY, "bans", *args, "--control", str(self.socket)], capture_output=True,
                              text=True, timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def start(self, *args, **kwargs):
        return self.start_proxy("--to", self.origin.url, "--trusted-proxy", "127.0.0.1",
                                "--control", str(self.socket), *args, **kwargs)

    def status(self, proxy, client, path="/hello", *args):
        return self.curl("-H", f"X-Forwarded-For: {client}", "-o", os.devnull, "-w", "%{http_code}", *args,
                         proxy.url + path).decode()

    def offend(self, proxy, client):
        for _ in range(3):
            self.assertEqual(self.status(proxy, client, "/missing"), "404")

    def test_ban_begins_and_is_listed_and_lifted(self):
        proxy = self.start("--ban", RULE)
        self.assertEqual(self.bans(), "no bans\n")
        self.offend(proxy, "192.0.2.1")
        self.assertEqual(self.status(proxy, "192.0.2.1"), "429")
        self.assertEqual(self.status(proxy, "192.0.2.2"), "200")
        line, = self.bans("list").splitlines()
        self.assertRegex(line, r"^192\.0\.2\.1  429  (10m|5\d\ds) left  3 offences  after 3 of 404 ")
        self.wait_until(lambda: any("192.0.2.1 is banned (429) for 10m: after 3 of 404" in said
                                    for said in proxy.said))
        self.assertIn("it is part of 192.0.2.0/24", self.lift_inside())
        self.assertEqual(self.bans("lift", "192.0.2.1"), "lifted 192.0.2.1 (429)\n")
        self.assertEqual(self.status(proxy, "192.0.2.1"), "200")
        self.assertEqual(self.bans("lift", "192.0.2.0/24"), "lifted 192.0.2.0/24 (delay)\n")
        self.assertIn("192.0.2.1 has no ban; 'tidegate bans' lists", self.bans("lift", "192.0.2.1", code=1))

    def lift_inside(self):
        self.bans("add", "192.0.2.0/24", "--for", "10m", "--action", "delay")
        said = self.bans("lift", "192.0.2.7", code=1)
        self.assertEqual(self.bans("lift", "192.0.2.128/25", code=1).count("part of 192.0.2.0/24"), 1)
        return said

    def test_operator_bans(self):
        proxy = self.start("--ban-allow", "198.51.100.0/24")
        said = self.bans("add", "192.0.2.0/24", "--for", "90s", "--why", "port scans")
        self.assertEqual(said, "192.0.2.0/24 is banned (drop) for 90s: port scans\n")
        self.curl("-H", "X-Forwarded-For: 192.0.2.7", proxy.url + "/hello", code=52)  # no response
        self.assertRegex(self.bans(), r"^192\.0\.2\.0/24  drop  \S+ left  operator  port scans\n$")
        for network, why in [("127.0.0.1", "is loopback, which is never banned"),
                             ("198.51.100.7", "since 198.51.100.0/24 is allowed")]:
            self.assertIn(why, self.bans("add", network, "--for", "1m", code=1))
        for args, why in [(["add", "192.0.2.1", "--for", "soon"], "'soon' is not a time"),
                          (["add", "192.0.2.300", "--for", "1m"], "'192.0.2.300' is not an address or network"),
                          (["add", "192.0.2.1"], "--for <TIME>"), (["lift", "x"], "'x' is not an address")]:
            self.assertIn(why, self.bans(*args, code=2))

    def test_bans_are_kept_across_restarts(self):
        file, nft = self.place / "bans", self.place / "bans.nft"
        args = ["--ban", RULE, "--ban-file", str(file), "--ban-nft", "filter banned", "--ban-nft-file", str(nft)]
        if os.geteuid() == 0:
            self.place.chmod(0o755)
        proxy = self.start(*args, "--confine")
        self.offend(proxy, "192.0.2.1")
        self.bans("add", "203.0.113.0/24", "--for", "1h")
        self.wait_until(lambda: file.exists() and "203.0.113.0/24 drop" in file.read_text())
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.wait_until(lambda: "filter banned4 { 203.0.113.0/24 timeout" in nft.read_text())
        self.assertNotIn("192.0.2.1", nft.read_text(), "only drop is left to the kernel")
        self.bans("add", "203.0.114.0/24", "--for", "1h")
        proxy.stop()
        self.assertIn("203.0.114.0/24", file.read_text(), "the last change is saved at the end")
        proxy = self.start(*args)
        self.assertEqual(self.status(proxy, "192.0.2.1"), "429")
        self.assertEqual(len(self.bans().splitlines()), 3)
        self.bans("lift", "0.0.0.0/0")
        self.wait_until(lambda: file.read_text() == "tidegate bans 1\n")
        proxy.stop()
        file.write_text("tidegate bans 1\n192.0.2.1 block\n")
        refused = subprocess.run([BINARY, "--to", self.origin.url, "--listen", "127.0.0.1:0", *args],
                                 capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("line 2: 'block' is none of", refused.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_bans_are_written_by_another_user(self):
        place = self.folder()
        place.chmod(0o777)
        file = place / "bans"
        file.write_text("tidegate bans 1\n")
        proxy = self.start("--ban-file", str(file), "--user", "nobody", "--ban", RULE)
        self.offend(proxy, "192.0.2.1")
        self.wait_until(lambda: "192.0.2.1 429" in file.read_text())

    def test_limits_of_listeners_and_routes(self):
        config = self.place / "tidegate.toml"
        text = f"""
            listen = '127.0.0.1:0'
            control = '{self.socket}'
            trusted-proxy = '127.0.0.1'
            [[listener]]
            listen = '127.0.0.1:0'
            request-rate = '2/m'
            [[site]]
            [[site.route]]
            to = '{self.origin.url}'
            [[site.route]]
            path = '/cached/'
            to = '{self.origin.url}'
            request-rate = '1/m'
            [[site.route]]
            path = '=/answer'
            answer = '200 hello'
            request-rate = ['9/m', '1/h']
        """
        config.write_text(text)
        proxy = self.start_proxy("-c", str(config), listen=None)
        first, second = proxy.ports(2)

        def status(port, path, client):
            return self.curl("-H", f"X-Forwarded-For: {client}", "-o", os.devnull, "-w", "%{http_code}",
                             f"http://127.0.0.1:{port}{path}").decode()

        self.assertEqual([status(first, "/hello", "192.0.2.1") for _ in range(4)], ["200"] * 4)
        self.assertEqual([status(second, "/hello", "192.0.2.1") for _ in range(3)], ["200", "200", "429"])
        self.assertEqual([status(first, "/cached/1", "192.0.2.1") for _ in range(2)], ["200", "429"])
        self.assertEqual([status(first, "/answer", "192.0.2.1") for _ in range(2)], ["200", "429"])
        # A reload keeps what clients have used, also of routes.
        config.write_text(text.replace("9/m", "8/m"))
        self.assertIn("site", self.reload_at(self.socket))
        self.assertEqual(status(first, "/answer", "192.0.2.1"), "429")
        self.assertEqual(status(first, "/answer", "192.0.2.2"), "200")
        config.write_text(text.replace("2/m", "2/fortnight"))
        self.assertIn("2/fortnight", self.reload_at(self.socket, code=1))


if __name__ == "__main__":
    unittest.main()
