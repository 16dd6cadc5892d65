"""Rules by country and autonomous system, from databases that are replaced while the proxy runs."""

import os
import pwd
import subprocess
import unittest

import mmdb
from harness import BINARY, DEADLINE, Case
from mmdb import country, network

HERE = "127.0.0.0/8"
USER = "daemon"


class GeoIP(Case):
    def setUp(self):
        self.files = self.folder()
        self.files.chmod(0o755)
        self.countries, self.networks = self.files / "countries.mmdb", self.files / "networks.mmdb"
        self.socket = self.files / "c.sock"
        self.origin = self.start_origin()

    def start(self, *args, **kwargs):
        self.proxy = self.start_forward("--control", str(self.socket), "--geoip", str(self.countries), *args, **kwargs)

    def status(self):
        return self.head_of(self.curl("-i", "-x", self.proxy.url, self.origin.url + "/bytes/10"))[0]

    def wait_for(self, status):
        self.wait_until(lambda: self.status() == status, self.proxy.said)

    def wait_for_line(self, text):
        self.wait_until(lambda: any(text in line for line in self.proxy.said), self.proxy.said)

    def test_rules_follow_a_file_that_is_replaced(self):
        mmdb.write(self.countries, {HERE: country("DE")})
        self.start("--rule", "deny country=AT,de")
        self.assertIn(f"  geoip    {self.countries}: countries, built Tue, 14 Nov 2023 22:13:20 GMT", self.proxy.banner)
        self.assertEqual(self.status(), 403)
        mmdb.write(self.countries, {HERE: country("CH")})
        self.wait_for(200)
        self.assertEqual(self.proxy.said, [f"GeoIP database {self.countries} has changed and was read again\n"])
        mmdb.write(self.countries, {HERE: country("AT")})
        self.wait_for(403)
        mmdb.write(self.countries, {"192.0.2.0/24": country("AT")})
        self.assertEqual(self.reload_at(self.socket), "reloaded\n")
        self.assertEqual(self.status(), 200, "a reload reads the file at once")

    def test_rules_match_networks_of_a_second_database(self):
        mmdb.write(self.countries, {HERE: country("DE")})
        mmdb.write(self.networks, {HERE: network(64496)})
        self.start("--geoip", str(self.networks), "--rule", "allow asn=AS64496,64511 country=DE", "--rule-default", "deny")
        self.assertEqual(self.status(), 200)
        mmdb.write(self.networks, {HERE: network(64497)})
        self.wait_for(403)

    def test_broken_file_leaves_the_database_before_in_use(self):
        mmdb.write(self.countries, {HERE: country("DE")})
        self.start("--rule", "deny country=DE")
        whole = self.countries.read_bytes()
        self.countries.write_bytes(whole[:-10])
        self.wait_for_line("; the one before stays in use\n")
        self.assertIn(f"the GeoIP database {self.countries} cannot be used: not a complete database", self.proxy.said[0])
        self.assertEqual(self.status(), 403)
        said = self.reload_at(self.socket, code=1)
        self.assertIn(f"error: the GeoIP database {self.countries} cannot be used: ", said)
        self.assertIn("not reloaded: the settings stay as they were\n", said)
        self.assertEqual(self.status(), 403)
        self.countries.unlink()
        self.wait_for_line(f"cannot read the GeoIP database {self.countries}: No such file or directory (os error 2); "
                           "the one before stays in use\n")
        self.assertEqual(self.status(), 403)
        mmdb.write(self.countries, {HERE: network(64496)})
        self.wait_for_line(f"the GeoIP database {self.countries} has no countries any more; the one before stays in use\n")
        self.assertEqual(self.status(), 403)
        mmdb.write(self.countries, {HERE: country("AT")})
        self.wait_for(200)
        self.assertEqual(len(self.proxy.said), 5 + 1, self.proxy.said)

    def test_start_without_a_usable_database_fails(self):
        mmdb.write(self.networks, {HERE: network(64496)})
        whole = self.networks.read_bytes()
        cut, page = self.files / "cut.mmdb", self.files / "page.mmdb"
        cut.write_bytes(whole[: len(whole) // 2])
        page.write_text("<!doctype html>")
        for args, said in [
            (["--geoip", str(self.countries)], f"cannot read the GeoIP database {self.countries}: No such file"),
            (["--geoip", str(cut)], f"the GeoIP database {cut} cannot be used: not a complete database"),
            (["--geoip", str(page)], f"the GeoIP database {page} cannot be used: not a complete database"),
            (["--geoip", str(self.files)], f"cannot read the GeoIP database {self.files}: not a regular file"),
            (["--geoip", ""], "expected a file"),
            (["--rule", "deny country=DE"], "a rule has the condition country=, but no database is given; add --geoip"),
            (["--rule", "deny country=DE", "--geoip", str(self.networks)],
             f"country=, but {self.networks} has autonomous systems; add --geoip FILE with a database of countries"),
            (["--rule", "deny country=Germany"], "'Germany' is not the code of a country; write two letters"),
            (["--rule", "deny asn=x"], "'x' is not the number of an autonomous system"),
        ]:
            with self.subTest(args):
                done = subprocess.run([BINARY, "run", "--listen", "127.0.0.1:0", *args], capture_output=True, text=True,
                                      timeout=DEADLINE)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(said, done.stderr)
                self.assertNotIn("listening", done.stderr)

    def test_explanation_tells_the_place(self):
        mmdb.write(self.countries, {"192.0.2.0/24": country("DE")})
        done = subprocess.run(
            [BINARY, "explain", "--geoip", str(self.countries), "--rule", "deny country=DE", "--allow-client", "192.0.2.0/24",
             "--client", "192.0.2.7", "http://www.example/"], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 3, done)
        self.assertIn("place      192.0.2.7 is in DE\n", done.stdout)
        self.assertIn("is denied by 'deny country=DE' (rule 1)", done.stdout)

    def test_confined_process_reads_a_replaced_file(self):
        folder = self.files / "geoip"
        folder.mkdir()
        self.countries = folder / "countries.mmdb"
        mmdb.write(self.countries, {HERE: country("DE")})
        self.start("--rule", "deny country=DE", "--confine")
        self.assertEqual(self.status(), 403)
        mmdb.write(self.countries, {HERE: country("AT")})
        self.wait_for(200)
        mmdb.write(self.countries, {HERE: country("DE")})
        self.assertEqual(self.reload_at(self.socket), "reloaded\n")
        self.assertEqual(self.status(), 403)

    @unittest.skipUnless(os.geteuid() == 0, "for root")
    def test_user_who_cannot_read_the_file_is_warned_of(self):
        mmdb.write(self.countries, {HERE: country("DE")})
        self.countries.chmod(0o600)
        os.chown(self.files, pwd.getpwnam(USER).pw_uid, -1)
        self.start("--rule", "deny country=DE", "--user", USER)
        self.assertIn(f"warning: '{USER}' cannot read {self.countries}, so a reload would fail", self.proxy.banner)
        self.assertEqual(self.status(), 403)
