"""Authentication with curl's Basic and Digest, at forward and reverse proxies, and the users command."""

import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import termios
import unittest

from harness import BINARY, DEADLINE, Case

# The entry of alice, with the password 'secret'.
BCRYPT = "alice:$2y$04$aNU/8Ye9laySHV1Hzng3y.Y8.NTgdFSsvzKy46EHBro7D04n3AsQW"
REALM = "an office"


def digest_lines(algorithms=("md5", "sha256")):
    secret = f"alice:{REALM}:secret".encode()
    return "".join(f"alice:{REALM}:{hashlib.new(name, secret).hexdigest()}\n" for name in algorithms)


class Users(Case):
    def file(self, text):
        file = self.folder() / "users"
        file.write_text(text)
        return str(file)

    def both(self):
        return self.file(BCRYPT + "\n" + digest_lines())

    def status(self, *args):
        """Returns the status of the last response; that of CONNECT if the tunnel was refused."""
        argv = ["-o", "/dev/null", "-w", "%{http_code} %{http_connect}", *args]
        code, connect = self.run_curl(argv).split()
        return int(code) or int(connect)

    def talk(self, *args):
        """Returns curl's verbose output of an exchange."""
        argv = ["curl", "-sv", "--noproxy", "", "-o", "/dev/null", *args]
        return subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE).stderr

    def wait_for(self, proxy, word):
        self.wait_until(lambda: any(line.startswith(word) for line in proxy.said), proxy.said)

    def run_curl(self, argv):
        failing = "--proxytunnel" in argv and any(arg.endswith(":wrong") for arg in argv)
        return self.curl(*argv, code=56 if failing else 0).decode()


class Forward(Users):
    def setUp(self):
        self.origin = self.start_origin()

    def start(self, *args):
        return self.start_forward("--allow-connect-port", "1-65535", "--realm", REALM, *args)

    def ask(self, proxy, *args):
        return self.status("-x", proxy.url, self.origin.url + "/bytes/10", *args)

    def test_curl_authenticates_with_every_scheme(self):
        proxy = self.start("--users", self.both())
        for way in ["--proxy-basic", "--proxy-digest", "--proxy-anyauth"]:
            for tunnel in [[], ["--proxytunnel"]]:
                with self.subTest(way=way, tunnel=tunnel):
                    self.assertEqual(self.ask(proxy, way, "-U", "alice:secret", *tunnel), 200)
                    self.assertEqual(self.ask(proxy, way, "-U", "alice:wrong", *tunnel), 407)

    def test_refused_connect_is_retried_on_the_same_connection(self):
        proxy = self.start("--users", self.both())
        ask = ("-x", proxy.url, "--proxytunnel", "--proxy-digest", "-U", "alice:secret", self.origin.url + "/bytes/10")
        shown = self.talk(*ask)
        self.assertIn("HTTP/1.1 407", shown)
        self.assertIn("HTTP/1.1 200", shown)
        self.assertEqual(len(re.findall("Connected to|Connection #1", shown)), 1, shown)

    def test_content_is_uploaded_after_a_challenge(self):
        proxy = self.start("--users", self.both())
        url, body = self.origin.url + "/echo", b"x" * 100_000
        args = ("-x", proxy.url, "-U", "alice:secret", url, "--data-binary", "@-")
        for way in ["--proxy-digest", "--proxy-anyauth"]:
            with self.subTest(way):
                self.assertEqual(self.curl(way, *args, input=body), body)

    def test_md5_is_offered_without_sha256_entries(self):
        proxy = self.start("--users", self.file(digest_lines(["md5"])), "--auth", "digest")
        self.assertEqual(self.ask(proxy, "--proxy-digest", "-U", "alice:secret"), 200)
        self.assertEqual(self.ask(proxy, "--proxy-basic", "-U", "alice:secret"), 407)

    def test_user_name_can_be_hashed(self):
        proxy = self.start("--users", self.file(digest_lines()), "--auth", "digest", "--userhash")
        ask = ("-x", proxy.url, "--proxy-digest", "-U", "alice:secret", self.origin.url + "/bytes/10")
        shown = self.talk(*ask)
        self.assertIn("userhash=true", shown)
        self.assertIn("HTTP/1.1 200", shown)
        self.assertNotIn('username="alice"', shown)

    def test_log_has_the_user_and_not_the_password(self):
        proxy = self.start("--users", self.both(), "--log-format", "json")
        self.ask(proxy, "--proxy-digest", "-U", "alice:secret")
        proxy.stop()
        lines = proxy.lines()
        self.assertEqual([json.loads(line).get("user") for line in lines], [None, "alice"])
        self.assertNotRegex("".join(lines), "secret|Digest|nonce")

    def test_guessing_client_is_banned(self):
        proxy = self.start("--users", self.both(), "--auth-ban", "3/1h")
        guesses = [self.ask(proxy, "--proxy-basic", "-U", "alice:wrong") for _ in range(4)]
        self.assertEqual(guesses, [407, 407, 407, 429])
        self.assertEqual(self.ask(proxy, "--proxy-basic", "-U", "alice:secret"), 429)

    def test_users_file_is_reloaded_completely_or_not_at_all(self):
        file = self.file(BCRYPT)
        proxy = self.start("--users", file)
        basic = ("--proxy-basic", "-U")
        with open(file, "w") as users:
            users.write(BCRYPT.replace("alice", "bob"))
        proxy.signal(signal.SIGHUP)
        self.wait_for(proxy, "reloaded")
        self.assertEqual(self.ask(proxy, *basic, "alice:secret"), 407)
        self.assertEqual(self.ask(proxy, *basic, "bob:secret"), 200)
        with open(file, "a") as users:
            users.write("\n" + BCRYPT + "\ncarol:plain\n")
        proxy.signal(signal.SIGHUP)
        self.wait_for(proxy, "not reloaded")
        self.assertTrue(any(f"{file}:3:" in line for line in proxy.said), proxy.said)
        self.assertEqual(self.ask(proxy, *basic, "alice:secret"), 407)


class Reverse(Users):
    def test_origin_is_for_users_and_sees_no_password(self):
        origin = self.start_origin()
        proxy = self.start_proxy("--to", origin.url, "--users", self.both(), "--realm", REALM)
        url = proxy.url + "/bytes/10"
        for way in ["--basic", "--digest", "--anyauth"]:
            with self.subTest(way):
                self.assertEqual(self.status(way, "-u", "alice:secret", url), 200)
                self.assertEqual(self.status(way, "-u", "alice:wrong", url), 401)
        self.assertEqual(origin.counts["/bytes/10"], 1, "all users share one response")
        head = self.curl("--digest", "-u", "alice:secret", "-D", "-", "-o", "/dev/null", url)
        self.assertIn(b"Authentication-Info: ", head)


class Start(Users):
    def refused(self, *args):
        argv = [BINARY, "--listen", "127.0.0.1:0", *args]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr

    def test_unusable_auth_options_are_refused(self):
        htpasswd = self.file(BCRYPT)
        self.assertIn("Digest cannot be offered", self.refused("--users", htpasswd, "--auth", "digest"))
        bad = self.file(f"{BCRYPT}\ncarol:plain\n")
        self.assertIn(f"{bad}:2: ", self.refused("--users", bad))
        self.assertIn("no user in", self.refused("--users", self.file("")))
        self.assertIn("no user in", self.refused("--users", self.file(digest_lines()), "--realm", "elsewhere"))
        self.assertIn("No such file", self.refused("--users", "/nowhere/users"))
        self.assertIn("--users", self.refused("--auth", "basic"))
        self.assertIn("--to", self.refused("--protect", f"/a users={htpasswd}"))
        self.assertIn("has no users", self.refused("--to", "http://127.0.0.1:1", "--protect", "/a"))

    def test_users_without_an_entry_for_the_offered_scheme_are_named(self):
        warning = "warning: bob has no line for Digest, which clients prefer to Basic;"
        file = self.file(BCRYPT.replace("alice", "bob") + "\n" + digest_lines())
        config = self.folder() / "tidegate.toml"
        config.write_text(f'users = ["{file}"]\nrealm = "{REALM}"\n')
        proxy = self.start_proxy("--config", str(config))
        self.assertEqual(len([line for line in proxy.banner if line.startswith(warning)]), 1, proxy.banner)
        proxy.signal(signal.SIGHUP)
        self.wait_for(proxy, "reloaded")
        self.assertTrue(proxy.said[0].startswith(warning), proxy.said)
        checked = subprocess.run([BINARY, "check", "--config", config], capture_output=True, timeout=DEADLINE)
        self.assertEqual((checked.returncode, checked.stdout), (0, f"{config}: ok\n".encode()))
        self.assertTrue(checked.stderr.decode().startswith(warning), checked.stderr)

    def test_unknown_user_is_explained(self):
        args = ("--users", self.file(BCRYPT), "--allow-destination", "192.0.2.0/24", "http://192.0.2.1/")
        self.run_command(BINARY, "explain", *args, "--user", "alice")
        said = self.run_command(BINARY, "explain", *args, "--user", "carol", code=3).decode()
        self.assertIn("denied with 407 (no-such-user): there is no such user;", said)

    def test_digest_not_supported_by_all_users_is_not_offered(self):
        file = self.file(digest_lines(["sha256"]) + digest_lines(["md5"]).replace("alice", "bob"))
        lacks = "bob has no line for SHA-256, alice has no line for MD5"
        proxy = self.start_proxy("--users", file, "--realm", REALM)
        self.assertIn(f"  users    all: 2 users in the realm '{REALM}', by Basic", proxy.banner)
        self.assertTrue(any(f"Digest is not offered: {lacks}" in line for line in proxy.banner), proxy.banner)
        for schemes in ["digest", "basic,digest"]:
            refused = self.refused("--users", file, "--realm", REALM, "--auth", schemes)
            self.assertIn(f"Digest cannot be offered: {lacks}", refused)

    def test_basic_beyond_this_machine_causes_a_warning(self):
        args = ("--users", self.file(BCRYPT), "--allow-client", "127.0.0.1")
        proxy = self.start_proxy(*args, listen="0.0.0.0:0")
        self.assertTrue(any(line.startswith("warning: Basic") for line in proxy.banner), proxy.banner)
        self.assertIn("  users    all: 1 user in the realm 'tidegate', by Basic", proxy.banner)
        self.assertTrue(any(line.endswith(" -U NAME http://example.com/ -I") for line in proxy.banner))

    def test_reload_warns_like_the_start(self):
        config = self.folder() / "tidegate.toml"
        text = f'users = ["{self.file(BCRYPT + chr(10) + digest_lines())}"]\nrealm = "{REALM}"\n'
        text += 'allow-client = ["127.0.0.1"]\n'
        config.write_text(text + 'auth = "digest"\n')
        proxy = self.start_proxy("--config", str(config), listen="0.0.0.0:0")
        warned = lambda lines: [line for line in lines if line.startswith("warning: Basic")]
        self.assertEqual(warned(proxy.banner), [])
        config.write_text(text + 'auth = "basic,digest"\n')
        proxy.signal(signal.SIGHUP)
        self.wait_for(proxy, "reloaded")
        self.assertEqual(len(warned(proxy.said)), 1, proxy.said)

    def test_print_config_keeps_protected_paths(self):
        file = self.file(digest_lines())
        rule = f'/staff/ realm="{REALM}" users={file} auth=digest'
        args = ("--to", "http://127.0.0.1:1", "--protect", rule, "--print-config")
        config = self.folder() / "tidegate.toml"
        printed = self.run_command(BINARY, *args)
        config.write_bytes(printed)
        self.assertIn(b"\n[[protect]]\npath = \"/staff/\"\n", printed)
        self.assertEqual(self.run_command(BINARY, "--config", str(config), "--print-config"), printed)


class Files(Users):
    def users(self, what, *args, code=0, input=b"secret\n"):
        return self.run_command(BINARY, "users", what, *args, code=code, input=input).decode()

    def test_users_command_creates_and_changes_a_file(self):
        file = str(self.folder() / "users")
        self.users("add", file, "alice")
        self.users("add", file, "bob", input=b"other\n")
        self.users("add", "--digest", "--realm", REALM, file, "alice")
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        listed = ["alice  bcrypt", "bob  bcrypt"]
        listed += [f"alice  Digest {name} in realm '{REALM}'" for name in ["SHA-256", "MD5"]]
        self.assertEqual(self.users("list", file).splitlines(), listed)
        self.users("verify", file, "alice")
        self.users("verify", file, "bob", code=1)
        self.users("verify", file, "carol", code=1)
        self.users("remove", file, "bob")
        self.users("remove", file, "bob", code=1)
        origin = self.start_origin()
        proxy = self.start_forward("--users", file, "--realm", REALM)
        for way in ["--proxy-basic", "--proxy-digest"]:
            self.assertEqual(self.status("-x", proxy.url, way, "-U", "alice:secret", origin.url + "/bytes/1"), 200)
        self.assertEqual(os.listdir(os.path.dirname(file)), ["users"])

    def type(self, *keys):
        """Types at the prompts for a new password. Returns the exit code, the output of the terminal, and
        true if the terminal echoes input afterwards."""
        file = str(self.folder() / "users")
        parent, terminal = pty.openpty()
        argv = [BINARY, "users", "add", file, "alice"]
        with subprocess.Popen(argv, stdin=terminal, stdout=terminal, stderr=terminal) as command:
            shown = b""
            for key in keys:
                while not shown.endswith(b": "):
                    shown += os.read(parent, 1000)
                os.write(parent, key)
                shown += os.read(parent, 1000)
            code = command.wait(DEADLINE)
        echoes = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
        os.close(terminal)
        os.close(parent)
        return code, shown, echoes

    def test_typed_password_is_not_echoed(self):
        code, shown, echoes = self.type(b"secret\n", b"secret\n")
        self.assertEqual((code, echoes), (0, True), shown)
        self.assertNotIn(b"secret", shown)
        for keys in [(b"\n",), (b"secret\n", b"Secret\n"), (b"\x04",)]:
            code, shown, echoes = self.type(*keys)
            self.assertEqual((code, echoes), (1, True), shown)

    def test_interrupted_prompt_restores_the_terminal(self):
        for keys in [(b"\x03",), (b"sec\x03",), (b"secret\n", b"s\x1c")]:
            code, shown, echoes = self.type(*keys)
            self.assertEqual((code, echoes), (130, True), shown)

    def test_bad_line_is_reported_beside_readable_ones(self):
        file = self.file(f"carol:plain\n{BCRYPT}\n")
        done = subprocess.run([BINARY, "users", "list", file], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual((done.returncode, done.stdout), (1, "alice  bcrypt\n"))
        self.assertIn(f"{file}:1: ", done.stderr)

    def test_default_realm_is_that_of_the_proxy(self):
        file = str(self.folder() / "users")
        self.users("add", "--digest", file, "alice")
        self.assertIn("alice  Digest SHA-256 in realm 'tidegate'", self.users("list", file))
        self.users("add", "--realm", "x", file, "alice", code=2)
        help = self.users("add", "--help")
        for said in ["File of users", "Name of the user", "[default: tidegate]"]:
            self.assertIn(said, help)

    def test_invalid_file_is_not_changed(self):
        file = self.file("alice:plain\n")
        self.users("add", file, "bob", code=1)
        self.users("add", file, "bob", input=b"", code=1)
        self.users("add", str(self.folder() / "new"), "bob", input=b"\n", code=1)
        with open(file) as users:
            self.assertEqual(users.read(), "alice:plain\n")

    def test_concurrent_edits_are_all_kept(self):
        file, names = str(self.folder() / "users"), [f"user{number}" for number in range(12)]
        edits = [subprocess.Popen([BINARY, "users", "add", "--digest", file, name], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL) for name in names]
        for edit in edits:
            edit.communicate(b"secret\n", DEADLINE)
            self.assertEqual(edit.returncode, 0)
        listed = {line.split()[0] for line in self.users("list", file).splitlines()}
        self.assertEqual(listed, set(names))
        self.assertEqual(os.listdir(os.path.dirname(file)), ["users"])

    def test_edit_removes_the_leftover_file_of_a_killed_edit(self):
        folder = self.folder()
        elsewhere, left = folder / "elsewhere", folder / ".users.new"
        elsewhere.write_text("not to be written")
        left.symlink_to(elsewhere)
        self.users("add", "--digest", str(folder / "users"), "alice")
        self.assertEqual(elsewhere.read_text(), "not to be written")
        self.assertEqual(sorted(os.listdir(folder)), ["elsewhere", "users"])

    @unittest.skipUnless(os.geteuid() == 0, "for root")
    def test_edited_file_keeps_its_owner_and_mode(self):
        file = self.folder() / "users"
        self.users("add", str(file), "alice")
        os.chown(file, 65534, 65534)
        file.chmod(0o640)
        self.users("add", str(file), "bob")
        now = file.stat()
        self.assertEqual((now.st_uid, now.st_gid, now.st_mode & 0o777), (65534, 65534, 0o640))
