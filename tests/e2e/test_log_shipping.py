"""Access log lines shipped to Loki and by OTLP: nothing lost, in order, through failures and restarts."""

import json
import os
import re
import signal
import socket
import ssl
import unittest

import pki
from harness import AS_NOBODY, BINARY, NOBODY, Case, connect
from log_server import LogServer, Loki, Otlp


class LogShipping(Case):
    def server(self, handler=Loki, port=0, context=None):
        server = LogServer(handler, port, context)
        self.addCleanup(server.stop)
        return server

    def ship(self, server, *args, scheme="loki+http", host="127.0.0.1", **kwargs):
        return self.start_proxy("--log-ship", f"{scheme}://{host}:{server.port}", *args, **kwargs)

    def ask(self, proxy, first, count, size=0):
        """Sends requests that are refused at once, on one connection."""
        connection = connect(proxy.address, proxy.port)
        with connection, connection.makefile("rb") as answers:
            for number in range(first, first + count):
                target = b"http://10.0.0.1/n%d?%s" % (number, b"x" * size)
                connection.sendall(b"GET %s HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n" % target)
                length = 0
                while (line := answers.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)

    def numbers(self, server):
        with server.lock:
            self.assertEqual(server.wrong, [])
            urls = [line["url"] if isinstance(line, dict) else json.loads(line[1])["url"] for line in server.lines]
        return [int(re.search(r"/n(\d+)", url)[1]) for url in urls]

    def wait_for(self, server, count, proxy):
        self.wait_until(lambda: server.count() >= count or server.wrong, proxy.said)
        self.assertEqual(server.wrong, [])

    def free_port(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    def test_lines_reach_loki_in_order_with_labels_and_credentials(self):
        folder, server = self.folder(), self.server()
        (folder / "secret").write_text("user:pass word\n")
        proxy = self.ship(server, "--log-ship-label", "env=test", "--log-ship-label", "job=edge",
                          "--log-ship-tenant", "team-a", "--log-ship-auth", f"basic:{folder}/secret",
                          "--access-log", "off")
        self.ask(proxy, 0, 300)
        self.wait_for(server, 300, proxy)
        self.assertEqual(self.numbers(server), list(range(300)))
        self.assertEqual(list(server.last), ['{"env": "test", "job": "edge", "status_class": "4xx"}'])
        _, head = server.heads[0]
        self.assertEqual((head["X-Scope-OrgID"], head["Authorization"], head["Content-Encoding"]),
                         ("team-a", "Basic dXNlcjpwYXNzIHdvcmQ=", "gzip"))
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual(proxy.lines(), [])

    def test_records_reach_a_collector_by_otlp(self):
        folder, server = self.folder(), self.server(Otlp)
        (folder / "token").write_text("abc.def\n")
        proxy = self.ship(server, "--log-ship-gzip=off", "--log-ship-auth", f"bearer:{folder}/token",
                          scheme="otlp+http")
        server.plan += [503, "lost"]
        self.ask(proxy, 0, 50)
        self.wait_for(server, 50, proxy)
        self.wait_until(lambda: server.requests >= 3, proxy.said)
        numbers = self.numbers(server)
        self.assertEqual(sorted(set(numbers)), list(range(50)))
        self.assertEqual(server.lines[0]["status"], 403)
        self.assertEqual(server.heads[0][1]["Authorization"], "Bearer abc.def")
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual(len(proxy.lines()), 50, "the access log has the lines, too")

    def test_failures_of_the_server_lose_and_double_nothing(self):
        server = self.server()
        proxy = self.ship(server)
        server.plan += [(429, 2), 500, 503, (429, "soon"), None, 502]
        for first in range(0, 500, 100):
            self.ask(proxy, first, 100)
        self.wait_for(server, 500, proxy)
        self.assertEqual(self.numbers(server), list(range(500)))
        self.wait_until(lambda: any("takes lines again" in line for line in proxy.said), proxy.said)
        self.assertTrue(any("status 429: no" in line for line in proxy.said), proxy.said)

    def test_server_that_hangs_or_forgets_to_answer_is_asked_again(self):
        server = self.server()
        proxy = self.ship(server)
        server.plan += ["hang", "lost"]
        self.ask(proxy, 0, 100)
        self.wait_until(lambda: server.requests >= 3, proxy.said)
        self.ask(proxy, 100, 100)
        self.wait_until(lambda: set(self.numbers(server)) == set(range(200)), proxy.said)
        numbers = self.numbers(server)
        # The batch whose answer was lost arrives twice, with equal timestamps: servers know it.
        self.assertEqual(len({tuple(line) for line in server.lines}), 200)
        self.assertLessEqual(len(numbers), 300)

    def test_server_that_is_killed_and_restarted_gets_all_lines(self):
        server = self.server()
        proxy = self.ship(server)
        self.ask(proxy, 0, 100)
        self.wait_for(server, 100, proxy)
        server.stop()
        self.ask(proxy, 100, 100)
        self.wait_until(lambda: any("refuses connections" in line for line in proxy.said), proxy.said)
        again = self.server(port=server.port)
        again.last = server.last
        self.ask(proxy, 200, 100)
        self.wait_for(again, 200, proxy)
        self.assertEqual(self.numbers(again), list(range(100, 300)))

    def test_refused_batch_is_dropped_with_the_reason(self):
        folder, server = self.folder(), self.server()
        proxy = self.ship(server, "--admin", f"127.0.0.1:{(admin := self.free_port())}")
        server.plan += [400]
        self.ask(proxy, 0, 10)
        self.wait_until(lambda: server.requests >= 1 and any("refuses" in line for line in proxy.said), proxy.said)
        said = next(line for line in proxy.said if "refuses" in line)
        self.assertEqual(said, "log shipping: 10 lines were lost: the server refuses them: status 400: no\n")
        metrics = self.curl(f"http://127.0.0.1:{admin}/metrics").decode()
        self.assertRegex(metrics, r"(?m)^tidegate_log_dropped_total 10$")
        self.ask(proxy, 10, 10)
        self.wait_for(server, 10, proxy)
        self.assertEqual(self.numbers(server), list(range(10, 20)))

    def test_memory_is_bounded_while_the_server_is_away(self):
        port = self.free_port()
        proxy = self.start_proxy("--log-ship", f"loki+http://127.0.0.1:{port}", "--log-ship-buffer", "2MiB",
                                 "--access-log", "off")
        self.ask(proxy, 0, 100, 4000)
        before = proxy.memory()
        self.ask(proxy, 100, 3000, 4000)  # 12 MB
        self.wait_until(lambda: any("log-ship-buffer" in line for line in proxy.said), proxy.said)
        self.assertLess(proxy.memory() - before, 30 << 20)
        server = self.server(port=port)
        self.wait_for(server, 201, proxy)
        self.assertEqual(proxy.stop(), 0)
        numbers = self.numbers(server)
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(numbers[:200], list(range(200)))

    def test_spool_takes_lines_and_is_drained_in_order_after_a_restart(self):
        folder, port = self.folder(), self.free_port()
        args = ["--log-ship", f"loki+http://127.0.0.1:{port}", "--log-ship-buffer", "2MiB",
                "--log-spool", str(folder / "spool"), "--access-log", "off"]
        proxy = self.start_proxy(*args)
        self.ask(proxy, 0, 1500, 4000)  # 6 MB
        self.wait_until(lambda: list((folder / "spool").glob("*.lines")), proxy.said)
        self.assertEqual(proxy.stop(), 0)
        self.assertFalse([line for line in proxy.said if "lost" in line], proxy.said)
        files = sorted((folder / "spool").glob("*.lines"))
        self.assertGreater(len(files), 4)
        (folder / "spool" / "ffffffff00000000.lines.new").write_bytes(b"tidegate-spool-1 7 700 00")
        proxy = self.start_proxy(*args)
        self.ask(proxy, 1500, 100)
        server = self.server(port=port)
        self.wait_for(server, 1600, proxy)
        self.assertEqual(self.numbers(server), list(range(1600)))
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual([path.name for path in (folder / "spool").iterdir()], ["lock"])

    def test_spool_belongs_to_the_user_of_the_process(self):
        if not AS_NOBODY:
            self.skipTest("only root can become another user")
        folder, port = self.folder(), self.free_port()
        os.chmod(folder, 0o755)
        args = ["--log-ship", f"loki+http://127.0.0.1:{port}", "--log-spool", str(folder / "state" / "spool"),
                "--access-log", "off", "--user", NOBODY, "--confine"]
        for first in [0, 20]:
            proxy = self.start_proxy(*args)
            self.ask(proxy, first, 20)
            self.assertEqual(proxy.stop(), 0)
            self.assertFalse([line for line in proxy.said if "lost" in line], proxy.said)
        server = self.server(port=port)
        proxy = self.start_proxy(*args)
        self.wait_for(server, 40, proxy)
        self.assertEqual(self.numbers(server), list(range(40)))
        spool = folder / "state" / "spool"
        self.assertEqual((spool.stat().st_mode & 0o777, spool.stat().st_uid), (0o700, int(NOBODY)))

    def test_torn_file_of_a_spool_is_reported_and_left_out(self):
        folder, port = self.folder(), self.free_port()
        args = ["--log-ship", f"loki+http://127.0.0.1:{port}", "--log-ship-buffer", "2MiB",
                "--log-spool", str(folder), "--access-log", "off"]
        proxy = self.start_proxy(*args)
        self.ask(proxy, 0, 1200, 4000)
        self.assertEqual(proxy.stop(), 0)
        files = sorted(folder.glob("*.lines"))
        torn = files[1].read_bytes()
        lost = int(torn.split(b" ")[1])
        files[1].write_bytes(torn[:-1000])
        server = self.server(port=port)
        proxy = self.start_proxy(*args)
        self.wait_for(server, 1200 - lost, proxy)
        numbers = self.numbers(server)
        self.assertEqual((numbers, len(numbers)), (sorted(set(numbers)), 1200 - lost))
        self.assertTrue(any("is damaged" in line and f" {lost} lines" in line for line in proxy.said), proxy.said)

    def test_killed_process_leaves_its_spool_to_the_next(self):
        folder, port = self.folder(), self.free_port()
        args = ["--log-ship", f"loki+http://127.0.0.1:{port}", "--log-ship-buffer", "2MiB",
                "--log-spool", str(folder), "--access-log", "off", "--control", "off"]
        proxy = self.start_proxy(*args)
        self.ask(proxy, 0, 1500, 4000)
        self.wait_until(lambda: len(list(folder.glob("*.lines"))) >= 2, proxy.said)
        proxy.signal(signal.SIGKILL)
        proxy.process.wait()
        server = self.server(port=port)
        proxy = self.start_proxy(*args)
        self.wait_until(lambda: server.lines and not list(folder.glob("*.lines")), proxy.said)
        numbers = self.numbers(server)
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_server_with_tls_is_verified_and_works_in_a_sandbox(self):
        folder = self.folder()
        made = pki.Pki()
        self.addCleanup(made.close)
        root = made.authority("Logs Root")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.file(made.issue(root, "logs", addresses=["127.0.0.1"])))
        server = self.server(context=context)
        proxy = self.ship(server, scheme="loki+https")
        self.ask(proxy, 0, 10)
        self.wait_until(lambda: any("takes no lines: " in line for line in proxy.said), proxy.said)
        self.assertIn("certificate", next(line for line in proxy.said if "takes no lines: " in line))
        self.assertEqual((proxy.stop(), server.lines), (0, []))
        self.assertTrue(any("10 lines were lost" in line for line in proxy.said), proxy.said)
        spool = folder / "state" / "spool"
        proxy = self.ship(server, "--origin-ca", made.file(root, key=False), "--confine", "--log-spool", str(spool),
                          scheme="loki+https")
        self.ask(proxy, 0, 10)
        self.wait_for(server, 10, proxy)
        server.stop()
        self.ask(proxy, 10, 10)
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual(len(list(spool.glob("*.lines"))), 1, proxy.said)

    def test_new_worker_takes_the_spool_once_the_old_one_has_ended(self):
        folder, server = self.folder(), self.server()
        control = folder / "control"
        proxy = self.ship(server, "--supervise", "--log-spool", str(folder / "spool"), "--control", str(control))
        self.ask(proxy, 0, 50)
        self.run_command(BINARY, "upgrade", "--control", str(control))
        self.ask(proxy, 50, 50)
        self.wait_until(lambda: set(self.numbers(server)) == set(range(100)), proxy.said)
        self.assertEqual(proxy.stop(), 0)
        self.assertFalse([line for line in proxy.said if "is not used" in line], proxy.said)

    def test_wrong_options_are_refused(self):
        for args, reason in [(["--log-ship", "http://h"], b"loki+http://HOST:PORT"),
                             (["--log-ship-label", "a=b"], b"works with --log-ship URL only"),
                             (["--log-ship", "loki+http://h", "--log-ship-label", "a-b=c"], b"no name for Loki"),
                             (["--log-ship", "loki+http://h", "--log-ship-buffer", "1MiB"], b"less than 2MiB"),
                             (["--log-ship", "loki+http://h", "--log-ship-auth", "x"], b"bearer:FILE")]:
            with self.subTest(args):
                done = self.run_command("sh", "-c", 'exec "$0" run "$@" 2>&1', BINARY, *args, code=2)
                self.assertIn(reason, done)


if __name__ == "__main__":
    unittest.main()
