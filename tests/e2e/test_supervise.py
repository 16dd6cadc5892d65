"""Supervised proxies: workers that end, hang or do not start, and upgrades under load."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import unittest
from pathlib import Path

from harness import BINARY, DEADLINE, NOBODY, connect
from supervised import Supervised, SupervisedCase, kill


class Workers(SupervisedCase):
    def test_killed_worker_is_started_again_and_no_connection_is_refused(self):
        proxy = self.start_supervised("--control", "off")
        clients = self.start_clients(proxy.port, keep=False)
        for number in range(1, 4):
            proxy.await_line(rf"worker {number} serves")
            clients.await_more()
            kill(proxy.worker_pids()[-1])
            proxy.await_line(rf"supervisor: worker {number} was killed by SIGKILL")
        proxy.await_line("worker 4 serves")
        clients.await_more()
        clients.stop()
        self.assertEqual(clients.refused, [])
        self.assertLess(len(clients.failed), 50, "only requests in flight are cut")
        self.assertEqual(proxy.stop(), 0)

    def test_worker_that_hangs_is_killed_and_started_again(self):
        proxy = self.start_supervised("--control", "off", "--heartbeat-timeout", "1s")
        kill(proxy.worker_pids()[0], signal.SIGSTOP)
        proxy.await_line("supervisor: worker 1 hangs: no heartbeat for 1s")
        proxy.await_line("supervisor: worker 1, which hung, was killed by SIG(ABRT|KILL)")
        self.assertEqual(self.get(proxy.port), b"hello\n")

    def test_crashed_worker_is_reported_with_its_signal(self):
        proxy = self.start_supervised("--control", "off")
        kill(proxy.worker_pids()[0], signal.SIGABRT)
        proxy.await_line("supervisor: worker 1 was killed by SIGABRT$")
        self.assertEqual(self.get(proxy.port), b"hello\n")

    def test_worker_passes_the_signal_for_an_upgrade_on(self):
        proxy = self.start_supervised("--control", "off")
        kill(proxy.worker_pids()[0], signal.SIGUSR2)
        proxy.await_line("worker 2 has taken over; worker 1 drains")

    def test_removed_control_socket_comes_back_with_an_upgrade(self):
        control = self.folder() / "control.sock"
        proxy = self.start_supervised("--control", str(control))
        for number in (2, 3):  # by the first supervisor, and by the one that it becomes
            control.unlink()
            proxy.signal(signal.SIGUSR2)
            proxy.await_line(f"worker {number} has taken over")
            self.assertTrue(control.is_socket())
            self.run_command(BINARY, "stats", "--control", str(control))

    def test_worker_whose_binary_is_gone_is_started_by_that_of_the_supervisor(self):
        binary = self.folder() / "tidegate"
        shutil.copy(BINARY, binary)
        proxy = self.start_supervised("--control", "off", binary=binary)
        binary.unlink()
        kill(proxy.worker_pids()[0])
        proxy.await_line("starts its own binary")
        proxy.await_line("worker 2 serves")
        self.assertEqual(self.get(proxy.port), b"hello\n")

    def test_worker_that_drains_by_signal_is_replaced_at_once(self):
        proxy = self.start_supervised("--control", "off")
        slow = self.connect(proxy)
        slow.sendall(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertTrue(slow.recv(1))
        kill(proxy.worker_pids()[0], signal.SIGTERM)
        proxy.await_line("supervisor: worker 2 serves")
        self.assertEqual(self.get(proxy.port), b"hello\n")
        slow.close()
        proxy.await_line("supervisor: worker 1, which drained, ended with exit code 0")

    def test_second_interrupt_ends_at_once(self):
        proxy = self.start_supervised("--control", "off")
        slow = self.connect(proxy)
        slow.sendall(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertTrue(slow.recv(1))
        proxy.signal(signal.SIGINT)
        proxy.await_line("worker 1: draining 1 open connections")
        proxy.signal(signal.SIGINT)
        self.assertEqual(proxy.process.wait(DEADLINE), 1)

    def test_worker_ends_with_its_supervisor(self):
        proxy = self.start_supervised("--control", "off")
        kill(proxy.process.pid)
        proxy.process.wait(DEADLINE)
        self.wait_until(lambda: not Path(f"/proc/{proxy.worker_pids()[0]}").exists(), proxy.said)
        self.assertIn("worker 1: error: the supervisor has ended\n", proxy.said)

    def test_supervisor_waits_for_no_reader_of_its_lines(self):
        folder, port = self.folder(), free_port()
        (folder / "index.html").write_text("hello\n")
        control = str(folder / "c.sock")
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([BINARY, "serve", str(folder), "--listen", f"127.0.0.1:{port}", "--supervise",
                                    "--control", control], stdout=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        self.addCleanup(process.wait, DEADLINE)
        self.addCleanup(process.terminate)
        self.wait_until(lambda: answers(control))
        for number in range(2, 12):  # each prints a few hundred bytes
            said = self.command(BINARY, "upgrade", "--control", control)
            self.assertIn(f"worker {number} has taken over", said)
        self.assertEqual(self.get(port), b"hello\n")

    def test_bans_outlive_a_killed_worker_and_an_upgrade(self):
        folder = self.folder()
        control = str(folder / "c.sock")
        proxy = self.start_supervised("--control", control, "--ban-file", str(folder / "bans"))
        self.command(BINARY, "bans", "add", "192.0.2.7", "--for", "1h", "--control", control)
        self.wait_until((folder / "bans").exists)
        bans = lambda: self.command(BINARY, "bans", "--control", control)
        kill(proxy.worker_pids()[0])
        proxy.await_line("worker 2 serves")
        self.assertIn("192.0.2.7", bans())
        self.command(BINARY, "upgrade", "--control", control)
        self.assertIn("192.0.2.7", bans())


class Starts(SupervisedCase):
    def start(self, *args, code):
        command = [BINARY, "run", "--supervise", "--listen", "127.0.0.1:0", *args]
        return self.command(*command, code=code).splitlines()

    def test_worker_that_does_not_start_ends_the_supervisor(self):
        said = self.start("--control", "off", "--access-log", "/no/such/folder/log", code=1)
        self.assertEqual(sum(" is process " in line for line in said), 5)
        why = "supervisor: worker 5 did not start: /no/such/folder/log: No such file or directory (os error 2)"
        self.assertIn(why, said)
        self.assertEqual(said[-1], "supervisor: error: 5 workers in a row have ended before they were ready; the "
                                   "reasons are above")

    def test_refused_configuration_is_said_once(self):
        said = self.start("--rule-default", "deny", "--users", "/no/such/users", code=2)
        self.assertEqual(len(said), 1, said)
        self.assertIn("/no/such/users", said[0])

    def test_address_in_use_is_reported(self):
        first = self.start_supervised("--control", "off")
        said = self.command(BINARY, "run", "--supervise", "--control", "off", "--listen", f"127.0.0.1:{first.port}",
                            code=1)
        self.assertEqual(said, f"supervisor: error: cannot listen on 127.0.0.1:{first.port}: Address already in use (os "
                               "error 98)\n")

    def test_command_without_supervisor_is_refused(self):
        control = str(self.folder() / "c.sock")
        proxy = self.start_proxy("--control", control)
        proxy.signal(signal.SIGUSR2)
        self.wait_until(lambda: "error: not upgraded: --supervise is off\n" in proxy.said)
        said = self.command(BINARY, "upgrade", "--control", control, code=1)
        self.assertIn("this proxy has no supervisor: start it with 'tidegate run --supervise'", said)

    def test_wrong_heartbeat_timeout_is_refused(self):
        for text, why in [("0s", "'0s' is less than 1s"), ("soon", "'soon' is not a time such as")]:
            self.assertIn(why, self.command(BINARY, "run", "--heartbeat-timeout", text, code=2))


class Upgrades(SupervisedCase):
    def upgrade(self, control, code=0):
        return self.command(BINARY, "upgrade", "--control", control, code=code)

    def test_upgrades_under_load_fail_no_request(self):
        control = str(self.folder() / "c.sock")
        proxy = self.start_supervised("--control", control)
        slow = self.connect(proxy)
        slow.sendall(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
        received = slow.recv(1 << 16)
        idle = self.connect(proxy)
        clients = self.start_clients(proxy.port)
        clients.await_more()
        self.assertEqual(self.upgrade(control), "worker 2 has taken over; worker 1 drains\n")
        clients.await_more()
        proxy.signal(signal.SIGUSR2)
        proxy.await_line("worker 3 has taken over; worker 2 drains")
        clients.await_more()
        self.assertEqual(self.upgrade(control), "worker 4 has taken over; worker 3 drains\n")
        clients.await_more()
        clients.stop()
        self.assertEqual((clients.refused, clients.failed), ([], []))
        idle.sendall(b"GET /index.html HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = b"".join(iter(lambda: idle.recv(1 << 16), b""))
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK") and b"\r\nConnection: close\r\n" in answer, answer)
        while piece := slow.recv(1 << 20):
            received += piece
        self.assertEqual(len(received.split(b"\r\n\r\n", 1)[1]), 8 << 20)
        for number in range(1, 4):
            proxy.await_line(f"supervisor: worker {number}, which drained, ended with exit code 0")
        self.assertEqual(proxy.stop(), 0)
        self.assertFalse(os.path.exists(control))

    def test_replaced_binary_takes_over(self):
        folder = self.folder()
        binary, control = folder / "tidegate", str(folder / "c.sock")
        shutil.copy(BINARY, binary)
        proxy = self.start_supervised("--control", control, binary=binary)
        shutil.copy(BINARY, folder / "new")
        os.rename(folder / "new", binary)
        exe = lambda pid: os.stat(f"/proc/{pid}/exe").st_ino
        self.assertNotEqual(exe(proxy.process.pid), binary.stat().st_ino)
        self.upgrade(control)
        proxy.await_line("supervisor: continues as tidegate")
        self.assertEqual(exe(proxy.process.pid), binary.stat().st_ino)
        self.assertEqual(exe(proxy.worker_pids()[-1]), binary.stat().st_ino)
        binary.unlink()
        self.assertIn("No such file", self.upgrade(control, code=1))
        self.assertEqual(self.get(proxy.port), b"hello\n")

    def test_changed_configuration_takes_effect_with_its_listeners(self):
        folder = self.folder()
        control, file = str(folder / "c.sock"), folder / "t.toml"
        site = self.folder()
        (site / "index.html").write_text("hello\n")
        kept, local = free_port(), folder / "l.sock"
        base = f'control = "{control}"\nsupervise = "on"\nfolder = "{site}"\n'
        listens = lambda *places: base + "".join(f'[[listener]]\nlisten = "{place}"\n' for place in places)
        file.write_text(listens(f"127.0.0.1:{kept}"))
        proxy = Supervised("-c", str(file), listen=None)
        self.addCleanup(proxy.log.close)
        self.addCleanup(proxy.stop)
        clients = self.start_clients(kept)
        added = free_port()
        file.write_text(listens(f"127.0.0.1:{kept}", f"127.0.0.1:{added}", f"unix:{local}"))
        self.upgrade(control)
        self.assertEqual(self.get(added), b"hello\n")
        self.assertEqual(self.curl("--unix-socket", str(local), "http://h/"), b"hello\n")
        self.upgrade(control)  # the sockets of the second worker are those of the third
        self.assertEqual(self.curl("--unix-socket", str(local), "http://h/"), b"hello\n")
        file.write_text(listens(f"127.0.0.1:{kept}"))
        self.upgrade(control)
        proxy.await_line("supervisor: worker 3, which drained, ended")
        self.assertRaises(ConnectionRefusedError, connect, "127.0.0.1", added)
        self.assertFalse(local.exists())
        clients.await_more()
        clients.stop()
        self.assertEqual((clients.refused, clients.failed), ([], []))

    def test_failed_upgrade_says_why_and_changes_nothing(self):
        folder = self.folder()
        control, file, taken = str(folder / "c.sock"), folder / "t.toml", self.start_origin()
        file.write_text("")
        proxy = self.start_supervised("-c", str(file), "--control", control)
        clients = self.start_clients(proxy.port)
        busy = taken.url.removeprefix("http://")
        for text, why in [
            ('idle-timout = "5s"', "there is no option 'idle-timout'"),
            (f'admin = "{busy}"', f"cannot listen on {busy}: Address already in use"),
            ('users = "/no/such/users"', "/no/such/users"),
            ('access-log = "/no/such/folder/log"', "/no/such/folder/log: No such file"),
        ]:
            file.write_text(text)
            said = self.upgrade(control, code=1)
            self.assertRegex(said, r"\Aerror: not upgraded: worker \d+ did not start: ")
            self.assertIn(why, said)
        proxy.signal(signal.SIGUSR2)
        proxy.await_line(r"supervisor: not upgraded: worker 6 did not start", 1)
        clients.await_more()
        clients.stop()
        self.assertEqual((clients.refused, clients.failed), ([], []))
        file.write_text("")
        self.assertIn("has taken over; worker 1 drains", self.upgrade(control))

    def test_reload_goes_to_the_worker(self):
        folder = self.folder()
        control, file = str(folder / "c.sock"), folder / "t.toml"
        file.write_text('idle-timeout = "60s"\n')
        proxy = self.start_supervised("-c", str(file), "--control", control)
        file.write_text('idle-timeout = "5s"\n')
        proxy.signal(signal.SIGHUP)
        proxy.await_line("worker 1: reloaded")
        file.write_text('idle-timeout = "6s"\nsupervise = "off"\n')
        self.assertIn("idle-timeout: 5s -> 6s", self.reload_at(control))

    def test_metrics_and_log_continue_in_the_new_worker(self):
        folder = self.folder()
        control, log, admin = str(folder / "c.sock"), folder / "log", free_port()
        proxy = self.start_supervised("--control", control, "--access-log", str(log), "--admin", f"127.0.0.1:{admin}")
        for number in range(2):
            self.get(proxy.port)
            self.upgrade(control)
            self.assertIn(b'tidegate_requests_total{result="own"} 0\n', self.get(admin, "/metrics"))
        os.rename(log, folder / "old")
        proxy.signal(signal.SIGUSR1)
        self.wait_until(log.exists)
        self.get(proxy.port)
        proxy.stop()
        self.assertEqual(len((folder / "old").read_text().splitlines()), 2)
        self.assertEqual(len(log.read_text().splitlines()), 1)

    def test_folder_of_certificates_passes_to_the_new_worker(self):
        folder = self.folder()
        control = str(folder / "c.sock")
        options = ["--acme", "www.example", "--acme-directory", "https://127.0.0.1:1/", "--acme-dir",
                   str(folder / "acme"), "--listen-tls", "127.0.0.1:0", "--control", control]
        self.start_supervised(*options)
        self.assertIn("worker 2 has taken over", self.upgrade(control))
        second = ["run", "--to", "http://127.0.0.1:1", *options[:-1], "off"]
        self.assertIn("another process uses the folder", self.command(BINARY, *second, code=1))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_workers_become_the_user_and_are_confined(self):
        folder = self.folder()
        folder.chmod(0o755)
        control = folder / "c.sock"
        proxy = self.start_supervised("--control", str(control), "--user", NOBODY, "--group", NOBODY, "--confine")
        status = lambda pid: Path(f"/proc/{pid}/status").read_text()
        self.upgrade(str(control))
        kill(proxy.worker_pids()[-1])
        proxy.await_line("worker 3 serves")
        self.assertEqual(self.get(proxy.port), b"hello\n")
        self.assertIn(f"Uid:\t{NOBODY}\t{NOBODY}", status(proxy.worker_pids()[-1]))
        self.assertIn("Uid:\t0\t0", status(proxy.process.pid))
        self.assertEqual(control.stat().st_uid, int(NOBODY))
        self.assertEqual(proxy.stop(), 0)
        self.assertFalse(control.exists())


def answers(path):
    """Returns true if a process listens at a path."""
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(path) == 0


def free_port():
    """Returns a port that no process uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


if __name__ == "__main__":
    unittest.main()
