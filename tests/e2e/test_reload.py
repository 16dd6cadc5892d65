"""Reloads of a running proxy by command: they apply completely or not at all."""

import os
import subprocess

from harness import BINARY, DEADLINE, Case

ALICE = "alice:tidegate:" + "1" * 32 + "\n"
BOB = "bob:tidegate:" + "2" * 32 + "\n"


class Reload(Case):
    def setUp(self):
        self.files = self.folder()
        self.file, self.socket = self.files / "tidegate.toml", self.files / "c.sock"
        self.origin = self.start_origin()

    def start(self, text, *args):
        self.file.write_text(text)
        self.proxy = self.start_proxy("-c", str(self.file), "--control", str(self.socket), *args)

    def reload(self, *args, code=0):
        return self.reload_at(self.socket, *args, code=code)

    def status(self, *args):
        return self.head_of(self.curl("-i", "-x", self.proxy.url, self.origin.url + "/bytes/10", *args))[0]

    def test_plan_lists_the_changes_that_a_reload_applies(self):
        self.start("")
        self.assertEqual(self.reload("--plan"), "nothing would change\n")
        self.assertEqual(self.reload(), "reloaded\n")
        self.assertEqual(self.status(), 403)
        self.file.write_text('allow-destination = "127.0.0.0/8"\nidle-timeout = "5s"\nlisten = "127.0.0.1:1"\n'
                             '[limits]\nlog-buffer = "2MiB"\nwindow = "64KiB"\n')
        plan = self.reload("--plan")
        self.assertIn("allow-destination: + 127.0.0.0/8\n", plan)
        self.assertIn("idle-timeout: 1m -> 5s\n", plan)
        self.assertRegex(plan, r"window: \w+ -> 64KiB\n")
        self.assertRegex(plan, r"log-buffer: \w+ -> 2MiB \(takes a restart\)\n")
        self.assertNotIn("listen", plan, "the command line takes precedence over the file")
        self.assertEqual(self.status(), 403, "a plan changes nothing")
        self.assertEqual(self.reload(), plan + "reloaded\n")
        self.assertEqual(self.status(), 200)
        self.assertIn("log-buffer has changed; that takes a restart\n", self.proxy.said)
        left = self.reload("--plan")
        self.assertRegex(left, r"^log-buffer: \w+ -> 2MiB \(takes a restart\)\n$")

    def test_invalid_file_is_refused_with_its_position_and_settings_stay(self):
        self.start('allow-destination = "127.0.0.0/8"\n')
        self.assertEqual(self.status(), 200)
        for text, place, help in [
            ("idle-timeout = '5s'\nallow-destinatoin = '10.0.0.0/8'\n", "2:1", "did you mean 'allow-destination'?"),
            ("allow-destination = 'nonsense/'\n", "1:21", "'nonsense' is not an IP address"),
            ("idle-timeout = ", "1:", ""),
        ]:
            self.file.write_text(text)
            for args in [[], ["--plan"]]:
                said = self.reload(*args, code=1)
                self.assertTrue(said.startswith("error: "), said)
                self.assertIn(f"{self.file}:{place}", said)
                self.assertIn("^", said)
                self.assertIn(help, said)
                self.assertEqual("not reloaded: the settings stay as they were\n" in said, not args)
            self.assertEqual(self.status(), 200, "the old settings stay")
        self.assertTrue(any("not reloaded" in line for line in self.proxy.said))
        self.file.unlink()
        self.assertIn(f"{self.file}: No such file", self.reload(code=1))
        self.file.write_text("[limits]\n")
        self.assertEqual(self.reload(), "allow-destination: - 127.0.0.0/8\nreloaded\n")
        self.assertEqual(self.status(), 403)

    def test_changed_users_are_listed_without_hashes(self):
        users = self.files / "users"
        password = lambda name: self.run_command(
            BINARY, "users", "add", str(users), name, input=b"secret\n")
        users.write_text(ALICE)
        self.start('allow-destination = "127.0.0.0/8"\n')
        self.assertEqual(self.status(), 200)
        self.file.write_text(f'allow-destination = "127.0.0.0/8"\nusers = "{users}"\n')
        self.assertEqual(self.reload(), f"users: + {users}\nusers added: alice\nreloaded\n")
        self.assertEqual(self.status(), 407)
        password("carol")
        self.assertEqual(self.reload("--plan"), "users added: carol\n")
        self.assertEqual(self.status("-U", "carol:secret"), 407, "a plan changes nothing")
        self.reload()
        self.assertEqual(self.status("-U", "carol:secret"), 200)
        users.write_text("# none of the previous users\n" + BOB + ALICE.replace("1", "3"))
        said = self.reload()
        self.assertEqual(said, "users added: bob\nusers removed: carol\nusers changed: alice\nreloaded\n")
        self.assertEqual(self.status("-U", "carol:secret"), 407)
        users.write_text("alice:plain\n")
        said = self.reload(code=1)
        self.assertIn(f"{users}:1: ", said)
        self.assertNotIn("plain\n", said)

    def test_rule_files_are_reloaded_completely_or_not_at_all(self):
        rules, names = self.files / "rules", self.files / "names"
        rules.write_text(f"deny @{names}\nallow 127.0.0.0/8\n")
        names.write_text("unused.example\n")
        self.start(f'rule = "@{rules}"\nrule-default = "deny"\n')
        self.assertEqual(self.status(), 200)
        names.write_text("127.0.0.1\n")
        self.assertEqual(self.reload("--plan"), f"rules changed: {names}\n")
        self.assertEqual(self.status(), 200)
        self.assertEqual(self.reload(), f"rules changed: {names}\nreloaded\n")
        self.assertEqual(self.status(), 403)
        names.write_text("other.example\n127.0.0.1 and more\n")
        said = self.reload(code=1)
        self.assertIn(f"{names}:2:11", said)
        self.assertIn("^^^", said)
        self.assertEqual(self.status(), 403, "the old rules stay")
        names.unlink()
        self.assertIn(f"{names}: ", self.reload(code=1))
        self.assertEqual(self.status(), 403, "the old rules stay")
        rules.write_text("allow 127.0.0.0/8\n")
        self.assertEqual(self.reload(), f"rules changed: {rules}\nreloaded\n")
        self.assertEqual(self.status(), 200)

    def test_requests_are_served_while_files_are_read(self):
        large = self.files / "large"
        large.write_text("".join(f"a{n}.example\n" for n in range(1_000_000)) + "127.0.0.1\n")
        self.start('allow-destination = "127.0.0.0/8"\n')
        self.file.write_text(f'allow-destination = "127.0.0.0/8"\nrule = "deny @{large}"\n')
        with subprocess.Popen([BINARY, "reload", "--control", str(self.socket)], stdout=subprocess.PIPE) as waiting:
            self.assertIn(self.status(), (200, 403))
            said = waiting.communicate(timeout=DEADLINE)[0].decode()
        self.assertEqual(said, f"rule: + deny @{large}\nreloaded\n")
        self.assertEqual(self.status(), 403)

    def test_pipe_without_a_writer_is_refused(self):
        pipe = self.files / "pipe"
        os.mkfifo(pipe)
        self.start('allow-destination = "127.0.0.0/8"\n')
        self.file.write_text(f'allow-destination = "127.0.0.0/8"\nrule = "deny @{pipe}"\n')
        self.assertIn(f"{pipe}: not a regular file", self.reload(code=1))
        self.assertEqual(self.status(), 200)

    def test_connections_stay_open_across_a_reload(self):
        self.start('allow-destination = "127.0.0.0/8"\n')
        kept = self.connect(self.proxy)

        def get():
            kept.sendall(f"GET {self.origin.url}/raw/3 HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n" + bytes(3)):
                read = kept.recv(4096)
                self.assertTrue(read, answer)
                answer += read
            return answer

        self.assertIn(b" 200 ", get())
        self.file.write_text('allow-destination = ["127.0.0.0/8", "10.0.0.0/8"]\n')
        self.reload()
        self.assertIn(b" 200 ", get())

    def test_reload_without_a_proxy_fails(self):
        self.assertIn("no answer from a running tidegate", self.reload(code=1))
        done = subprocess.run([BINARY, "reload", "--nonsense"], capture_output=True, timeout=DEADLINE,
                              env={**os.environ, "XDG_RUNTIME_DIR": ""})
        self.assertEqual(done.returncode, 2)
