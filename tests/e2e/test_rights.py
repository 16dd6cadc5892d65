"""Rights that the process drops: core dumps, root, and access to files and ports that it does not need."""

import grp
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import threading
import unittest
from pathlib import Path

from harness import AS_NOBODY, BINARY, DEADLINE, NOBODY, Case, content

ROOT = os.geteuid() == 0
USER = "daemon"


def threads(pid):
    """Yields the fields of /proc/PID/status of each thread."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        yield {name: value.split() for name, value in (line.split(":", 1) for line in lines)}


class Rights(Case):
    def setUp(self):
        self.origin = self.start_origin()
        self.files = self.folder()
        self.files.chmod(0o755)

    def fetch(self, proxy):
        self.assertEqual(self.curl("-x", proxy.url, self.origin.url + "/bytes/3"), content(3))

    def reload(self, proxy, code=0):
        return self.reload_at(self.files / "control" / "c.sock", code=code)


class Dumps(Rights):
    def limits(self, proxy):
        line = re.search(r"Max core file size +(\S+) +(\S+)", Path(f"/proc/{proxy.process.pid}/limits").read_text())
        return line.groups()

    def may_look(self, proxy):
        """Returns true if another process of the same user may read the memory."""
        return subprocess.run([*AS_NOBODY, "cat", f"/proc/{proxy.process.pid}/environ"], capture_output=True).returncode == 0

    def test_memory_is_hidden_from_core_dumps_and_other_processes_of_the_user(self):
        self.files.chmod(0o777)
        log = self.files / "log"
        # The target of /dev/stdout belongs to root now, and can be opened nevertheless.
        wrap = [*AS_NOBODY, "sh", "-c", f'exec "$@" > {log}', "sh"]
        proxy = self.start_forward("--control", "off", "--access-log", "/dev/stdout", wrap=wrap)
        self.assertEqual(self.limits(proxy), ("0", "0"))
        self.assertFalse(self.may_look(proxy))
        proxy.signal(signal.SIGUSR1)
        self.fetch(proxy)
        proxy.stop()
        self.assertEqual(len(log.read_text().splitlines()), 1, proxy.said)
        # The signal may arrive before the end of curl's connection.
        self.assertRegex("".join(proxy.said), r"\Adraining [01] open connections\n\Z")

    def test_core_dumps_can_be_allowed(self):
        proxy = self.start_forward("--control", "off", "--allow-core-dumps", wrap=AS_NOBODY)
        self.assertNotEqual(self.limits(proxy)[1], "0")
        self.assertTrue(self.may_look(proxy))


@unittest.skipUnless(ROOT, "for root")
class Users(Rights):
    def setUp(self):
        super().setUp()
        self.user = pwd.getpwnam(USER)
        self.logs, self.control = self.files / "logs", self.files / "control"
        for folder in [self.logs, self.control]:
            folder.mkdir()
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self.config = self.files / "tidegate.toml"
        self.config.write_text('allow-destination = "127.0.0.0/8"\n')
        self.log = self.logs / "access.log"

    def start(self, *args, **kwargs):
        return self.start_proxy("-c", str(self.config), "--access-log", str(self.log), "--control",
                                str(self.control / "c.sock"), *args, **kwargs)

    def assert_is(self, proxy, uid, gid, groups):
        for fields in threads(proxy.process.pid):
            self.assertEqual(fields["Uid"], [str(uid)] * 4, fields["Name"])
            self.assertEqual(fields["Gid"], [str(gid)] * 4, fields["Name"])
            self.assertEqual(sorted(map(int, fields["Groups"])), sorted(groups), fields["Name"])
            for capabilities in ["CapEff", "CapPrm", "CapAmb"]:
                self.assertEqual(int(fields[capabilities][0], 16), 0, fields["Name"])

    def test_all_threads_take_the_user_and_its_groups_and_the_proxy_works(self):
        users = self.files / "users"
        self.run_command(BINARY, "users", "add", str(users), "alice", input=b"secret\n")
        os.chown(users, self.user.pw_uid, self.user.pw_gid)
        proxy = self.start("--user", USER, "--users", str(users), "--resolver", "system")
        self.assertIn(f"  user     {USER}", proxy.banner)
        self.assertFalse([line for line in proxy.banner if line.startswith("warning: runs as root")])
        url = f"http://localhost:{self.origin.server_address[1]}/bytes/3"
        self.assertEqual(self.curl("-x", proxy.url, "-U", "alice:secret", url), content(3))
        self.assertEqual(self.reload(proxy), "reloaded\n")
        groups = os.getgrouplist(USER, self.user.pw_gid)
        self.assert_is(proxy, self.user.pw_uid, self.user.pw_gid, groups)
        names = {fields["Name"][0] for fields in threads(proxy.process.pid)}
        self.assertTrue({"the-access-log", "interfaces", "background"} <= names, names)

    def test_created_files_belong_to_the_user_and_can_be_reopened(self):
        proxy = self.start("--user", USER)
        self.fetch(proxy)
        self.wait_until(lambda: self.log.read_text())
        for made in [self.log, self.control / "c.sock"]:
            self.assertEqual((made.stat().st_uid, made.stat().st_gid), (self.user.pw_uid, self.user.pw_gid), made)
        self.log.rename(self.log.with_suffix(".1"))
        proxy.signal(signal.SIGUSR1)
        self.wait_until(self.log.exists)
        self.fetch(proxy)
        proxy.stop()
        self.assertEqual(len(self.log.read_text().splitlines()), 1)
        self.assertFalse((self.control / "c.sock").exists(), "the socket goes with the process")

    def test_privileged_port_is_served(self):
        port = next(port for port in range(1023, 600, -1) if self.is_free(port))
        proxy = self.start("--user", USER, listen=f"127.0.0.1:{port}")
        self.fetch(proxy)

    @staticmethod
    def is_free(port):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return True
            except OSError:
                return False

    def test_given_group_is_the_only_one(self):
        group = grp.getgrnam("games")
        proxy = self.start("--user", USER, "--group", "games")
        self.assert_is(proxy, self.user.pw_uid, group.gr_gid, [group.gr_gid])
        numbered = self.start_proxy("--user", "54321", "--group", str(group.gr_gid), "--control", "off")
        self.assert_is(numbered, 54321, group.gr_gid, [group.gr_gid])

    def test_unreadable_files_cause_a_warning_and_are_named_on_reload(self):
        self.config.chmod(0o600)
        os.chown(self.logs, 0, 0)
        proxy = self.start("--user", USER)
        self.assertIn(f"warning: '{USER}' cannot read {self.config}, so a reload would fail", proxy.banner)
        warned = f"warning: '{USER}' cannot create files in {self.logs}: log rotation has to leave a new log there"
        self.assertIn(warned, proxy.banner)
        said = self.reload(proxy, code=1)
        self.assertIn(f"{self.config}: Permission denied", said)
        self.assertIn(f"it runs as '{USER}' (--user)", said)
        self.fetch(proxy)

    def test_root_causes_a_warning_and_only_root_becomes_another_user(self):
        proxy = self.start()
        self.assertTrue([line for line in proxy.banner if line.startswith("warning: runs as root; --user NAME")])
        argv = [*AS_NOBODY, BINARY, "--listen", "127.0.0.1:0", "--control", "off", "--user"]
        done = subprocess.run([*argv, USER], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"only root can become '{USER}'", done.stderr)
        same = self.start_proxy("--control", "off", "--user", NOBODY, "--group", NOBODY, wrap=AS_NOBODY)
        self.assertFalse([line for line in same.banner if line.startswith("warning")])
        for argv, why in [(["--user", "nosuchuser"], "there is no user"), (["--user", "root"], "is root"),
                          (["--group", "games"], "--user NAME"), (["--user", USER, "--group", "nosuch"], "no group")]:
            done = subprocess.run([BINARY, *argv], capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(done.returncode, 2)
            self.assertIn(why, done.stderr)

    def test_user_option_works_in_a_user_namespace(self):
        """Root of a user namespace has rights only inside. The shell writes its pid, and waits for the mapping."""
        number, pipe = self.files / "number", self.files / "go"
        os.mkfifo(pipe)

        def map_users():
            self.wait_until(lambda: number.exists() and number.read_text().endswith("\n"))
            for kind in ["uid_map", "gid_map"]:
                Path(f"/proc/{number.read_text().strip()}/{kind}").write_text("0 0 65536")
            pipe.write_text("go\n")

        mapping = threading.Thread(target=map_users)
        if subprocess.run(["unshare", "-U", "true"], capture_output=True).returncode != 0:
            self.skipTest("no user namespaces here")
        mapping.start()
        script = f'echo $$ > {number}; read go < {pipe}; exec "$@"'
        proxy = self.start("--user", USER, wrap=["unshare", "-U", "sh", "-c", script, "sh"])
        mapping.join(DEADLINE)
        self.assert_is(proxy, self.user.pw_uid, self.user.pw_gid, os.getgrouplist(USER, self.user.pw_gid))
        self.fetch(proxy)

    def test_folder_made_for_the_socket_belongs_to_the_user(self):
        """Runs in a separate mount namespace with an empty /run."""
        empty = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh", "env", "-u", "XDG_RUNTIME_DIR"]
        proxy = self.start_proxy("--user", USER, wrap=empty)
        folder = Path(f"/proc/{proxy.process.pid}/root/run/tidegate")
        for made in [folder, *folder.iterdir()]:
            self.assertEqual(made.stat().st_uid, self.user.pw_uid, made)
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        inside = ["nsenter", "-m", "-t", str(proxy.process.pid), "env", "-u", "XDG_RUNTIME_DIR"]
        asked = self.run_command(*inside, BINARY, "stats", "--port", str(proxy.port))
        self.assertIn(b"requests_total", asked)


class Confined(Rights):
    def setUp(self):
        super().setUp()
        for name in ["etc", "logs", "control", "elsewhere"]:
            (self.files / name).mkdir()
        self.config, self.log = self.files / "etc" / "tidegate.toml", self.files / "logs" / "access.log"
        self.config.write_text('allow-destination = "127.0.0.0/8"\n')
        self.args = ["-c", str(self.config), "--access-log", str(self.log), "--confine"]

    def start(self, *args, **kwargs):
        proxy = self.start_proxy(*self.args, "--control", str(self.files / "control" / "c.sock"), *args, **kwargs)
        if any(line.startswith("warning: --confine restricts nothing: this kernel has no Landlock") for line in proxy.banner):
            return proxy, None  # without Landlock, the warning is the only effect
        return proxy, next(line for line in proxy.banner if line.startswith("  confined "))

    def test_confined_proxy_reaches_only_the_files_it_needs(self):
        proxy, confined = self.start()
        self.fetch(proxy)
        self.assertEqual(self.reload(proxy), "reloaded\n")
        replaced = self.config.with_suffix(".new")
        replaced.write_text('allow-destination = "127.0.0.0/8"\nidle-timeout = "5s"\n')
        replaced.rename(self.config)
        self.assertIn("idle-timeout: 1m -> 5s\n", self.reload(proxy), "the file was replaced")
        self.log.rename(self.log.with_suffix(".1"))
        proxy.signal(signal.SIGUSR1)
        self.wait_until(self.log.exists)
        self.fetch(proxy)
        if confined:
            self.assertIn(f"reads /etc/hosts, ", confined)
            self.assertIn(str(self.config.parent), confined)
            self.assertIn(f"writes {self.log.parent}", confined)
            elsewhere = self.files / "elsewhere" / "users"
            elsewhere.write_text("alice:tidegate:" + "1" * 32 + "\n")
            self.config.write_text(f'users = "{elsewhere}"\n')
            said = self.reload(proxy, code=1)
            self.assertIn(f"{elsewhere}: Permission denied", said)
            self.assertIn("it can read only folders known at the start (--confine)", said)
            self.config.write_text(f'access-log = "{self.files}/elsewhere/a.log"\nallow-destination = "127.0.0.0/8"\n')
            for fields in threads(proxy.process.pid):
                self.assertEqual(fields["NoNewPrivs"], ["1"], fields["Name"])
        self.fetch(proxy)
        proxy.stop()
        self.assertFalse((self.files / "control" / "c.sock").exists(), "the socket goes with the process")

    def test_confined_reverse_proxy_connects_to_its_origin_only(self):
        self.config.write_text(f'to = "{self.origin.url}"\n')
        proxy, confined = self.start()
        self.assertEqual(self.curl(proxy.url + "/bytes/3"), content(3))
        if confined and "connects" in confined:
            port = self.origin.server_address[1]
            self.assertRegex(confined, rf"; listens nowhere else; connects to port (53, {port}|{port}, 53)$")
            self.config.write_text('to = "http://127.0.0.1:9"\n')
            self.assertIn("with --confine, the process can connect to port", self.reload(proxy, code=1))
            self.config.write_text('allow-destination = "127.0.0.0/8"\n')
            self.assertIn("other ports need a restart", self.reload(proxy, code=1))
        self.assertEqual(self.curl(proxy.url + "/bytes/3"), content(3))

    def test_confined_proxy_resolves_names_with_both_resolvers(self):
        for resolver in ["loop", "system"]:
            with self.subTest(resolver):
                proxy, _ = self.start("--resolver", resolver)
                url = f"http://localhost:{self.origin.server_address[1]}/bytes/3"
                self.assertEqual(self.curl("-x", proxy.url, url), content(3))
                proxy.stop()

    @unittest.skipUnless(ROOT, "for root")
    def test_confined_proxy_runs_as_another_user(self):
        for name in ["logs", "control"]:
            os.chown(self.files / name, pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid)
        proxy, _ = self.start("--user", USER)
        self.fetch(proxy)
        self.assertEqual(self.reload(proxy), "reloaded\n")
