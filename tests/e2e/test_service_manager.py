"""The protocols of a service manager (sd_notify, sd_listen_fds), and the place of a process that drains."""

import os
import signal
import socket
import unittest

from harness import BINARY, DEADLINE, connect
from supervised import Notifications, Supervised, SupervisedCase, kill, passing


class ServiceManager(SupervisedCase):
    def notifications(self, abstract=False):
        """Returns a stand-in for the service manager, and the environment of a process that it starts."""
        notifications = Notifications(self.folder() / "notify", abstract)
        self.addCleanup(notifications.socket.close)
        return notifications, {**os.environ, "NOTIFY_SOCKET": notifications.name, "WATCHDOG_USEC": "200000"}

    def listen(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, at=("127.0.0.1", 0)):
        one = socket.socket(family, kind)
        self.addCleanup(one.close)
        one.bind(at)
        if kind == socket.SOCK_STREAM:
            one.listen()
        one.set_inheritable(True)
        return one

    def start_passed(self, *args, sockets, supervise, env=None):
        site = self.folder()
        (site / "index.html").write_text("hello\n")
        flag = ["--supervise"] if supervise else []
        proxy = Supervised(str(site), *flag, *args, subcommand="serve", listen=None, wrap=passing(*sockets), env=env,
                           pass_fds=[one.fileno() for one in sockets])
        self.addCleanup(proxy.log.close)
        self.addCleanup(proxy.stop)
        return proxy

    def check_life(self, proxy, notifications, file):
        """Checks what the service manager hears of a process during its life."""
        ready = notifications.next("READY")
        self.assertEqual(ready["MAINPID"], str(proxy.process.pid))
        self.assertIn("WATCHDOG", notifications.next("WATCHDOG"))
        for text, status in [('idle-timeout = "5s"', "reloaded"), ("nonsense", "not reloaded")]:
            file.write_text(text)
            proxy.signal(signal.SIGHUP)
            self.assertGreater(int(notifications.next("RELOADING")["MONOTONIC_USEC"]), 0)
            self.assertIn(status, notifications.next("READY")["STATUS"])
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual(notifications.next("STOPPING")["STATUS"], "draining")

    def test_process_tells_the_service_manager_of_its_state(self):
        for supervise, abstract in [(False, False), (True, True)]:
            with self.subTest(supervise=supervise):
                notifications, env = self.notifications(abstract)
                listener, file = self.listen(), self.folder() / "t.toml"
                file.write_text("")
                at = "127.0.0.1:%d" % listener.getsockname()[1]
                confined = [] if supervise else ["--confine"]
                proxy = self.start_passed("--listen", at, "--control", "off", "-c", str(file), *confined,
                                          sockets=[listener], supervise=supervise, env=env)
                self.assertEqual(self.get(proxy.port), b"hello\n")
                self.check_life(proxy, notifications, file)

    def test_service_manager_hears_that_no_worker_serves(self):
        notifications, env = self.notifications()
        listener, file = self.listen(), self.folder() / "t.toml"
        file.write_text("")
        at = "127.0.0.1:%d" % listener.getsockname()[1]
        proxy = self.start_passed("--listen", at, "--control", "off", "-c", str(file), sockets=[listener],
                                  supervise=True, env=env)
        notifications.next("READY")
        file.write_text("nonsense")
        kill(proxy.worker_pids()[0])
        while "no worker serves: death 5 in a row" not in notifications.next("STATUS")["STATUS"]:
            pass
        proxy.signal(signal.SIGHUP)
        notifications.next("RELOADING")
        self.assertEqual(notifications.next("READY")["STATUS"], "not reloaded: no worker runs")
        file.write_text("")
        self.assertEqual(self.get(proxy.port), b"hello\n")
        self.assertRegex(notifications.next("READY")["STATUS"], "^worker [0-9]+ serves$")

    def test_upgrade_keeps_main_process_and_passed_sockets(self):
        notifications, env = self.notifications()
        folder = self.folder()
        local, control = folder / "l.sock", folder / "c.sock"
        listener, unix = self.listen(), self.listen(socket.AF_UNIX, at=str(local))
        file = folder / "t.toml"
        at = "127.0.0.1:%d" % listener.getsockname()[1]
        file.write_text(f'[[listener]]\nlisten = ["{at}", "unix:{local} mode=666"]\n')
        proxy = self.start_passed("-c", str(file), "--control", str(control), sockets=[listener, unix], supervise=True,
                                  env=env)
        clients = self.start_clients(listener.getsockname()[1])
        for number in range(2, 5):
            clients.await_more()
            self.assertIn(f"worker {number} has taken over", self.command(BINARY, "upgrade", "--control", str(control)))
            self.assertEqual(notifications.next("READY")["MAINPID"], str(proxy.process.pid))
        kill(proxy.worker_pids()[-1])
        proxy.await_line("worker 5 serves")
        self.assertEqual(self.curl("--unix-socket", str(local), "http://h/"), b"hello\n")
        clients.stop()
        self.assertEqual(clients.refused, [])
        self.assertEqual(proxy.stop(), 0)
        self.assertTrue(local.exists(), "the socket is the service manager's")
        listener.settimeout(DEADLINE)
        with connect(*listener.getsockname()):  # it still listens, for the next start
            listener.accept()[0].close()

    def test_unusable_sockets_are_refused(self):
        stream, datagram = self.listen(), self.listen(kind=socket.SOCK_DGRAM)
        at = "127.0.0.1:%d" % stream.getsockname()[1]
        for supervise in ["--supervise=on", "--supervise=off"]:
            for one, why in [
                (stream, f"descriptor 3 of the service manager listens at {at}, where this configuration has no "
                         "listener; add one"),
                (datagram, "descriptor 3 of the service manager is not a stream socket that listens; use ListenStream="),
            ]:
                said = self.command(*passing(one), BINARY, "run", "--listen", "127.0.0.1:0", "--control", "off", supervise,
                                    code=2, pass_fds=[one.fileno()])
                self.assertIn(why, said)

    def test_service_manager_without_a_socket_is_reported(self):
        said = self.command(BINARY, "run", "--listen", "127.0.0.1:0", code=2,
                            env={**os.environ, "NOTIFY_SOCKET": "/no/such/socket"})
        self.assertIn("NOTIFY_SOCKET /no/such/socket: No such file or directory", said)


class Takeover(SupervisedCase):
    def check_takeover(self, *flags):
        folder = self.folder()
        site, control, ports = self.folder(), folder / "c.sock", free_ports(2)
        (site / "index.html").write_text("hello\n")
        (site / "long").write_bytes(b"x" * (8 << 20))
        args = [str(site), "--admin", f"127.0.0.1:{ports[1]}", "--control", str(control)]
        options = {"listen": f"127.0.0.1:{ports[0]}", "subcommand": "serve"}
        first = Supervised(*args, *flags, **options)
        self.addCleanup(first.log.close)
        self.addCleanup(first.stop)
        slow = self.connect(first)
        slow.sendall(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
        received = slow.recv(1 << 16)
        said = self.command(BINARY, "serve", *args, "--listen", options["listen"], code=1)
        self.assertIn("Address already in use", said)
        first.signal(signal.SIGTERM)
        first.await_line("draining 1 open connections")
        second = Supervised(*args, *flags, **options)
        self.addCleanup(second.log.close)
        self.addCleanup(second.stop)
        if not flags:
            self.assertIn(f"took over from a process that drains at {control}", second.banner)
        self.assertEqual(self.get(second.port), b"hello\n")
        self.assertIn(b"tidegate_", self.get(ports[1], "/metrics"))
        while piece := slow.recv(1 << 20):
            received += piece
        self.assertEqual(len(received.split(b"\r\n\r\n", 1)[1]), 8 << 20)
        self.assertEqual(first.process.wait(DEADLINE), 0)
        self.assertTrue(control.exists(), "the control socket is that of the second process")
        self.assertIn("requests_total", self.command(BINARY, "stats", "--control", str(control)))
        self.assertEqual(second.stop(), 0)
        self.assertFalse(control.exists())

    def test_process_takes_the_place_of_one_that_drains(self):
        self.check_takeover()

    def test_supervisor_takes_the_place_of_one_that_drains(self):
        self.check_takeover("--supervise")


def free_ports(count):
    """Returns ports that no process uses now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


if __name__ == "__main__":
    unittest.main()
