"""The command line interface that scripts rely on: options, exit codes, banner, signals, logs."""

import json
import re
import signal
import socket
import subprocess

from harness import BINARY, DEADLINE, Case, connect, content


class Usage(Case):
    def test_help_version_and_usage_errors_have_exit_codes(self):
        self.assertIn(b"--allow-destination", self.run_command(BINARY, "--help"))
        self.assertIn(b"--allow-destination", self.run_command(BINARY, "run", "--help"))
        self.assertRegex(self.run_command(BINARY, "--version"), rb"^tidegate \d+\.\d+\.\d+\n$")
        for argv in [["--nonsense"], ["--cache-memory", "lots"], ["--to", "ftp://127.0.0.1/"],
                     ["check"], ["check", "-c", "/nowhere"], ["-c", "/nowhere"], ["--log-format", "x"],
                     ["--listen", "0.0.0.0:0"], ["--listen", "[::]:0"]]:
            self.run_command(BINARY, *argv, code=2)

    def test_open_forward_proxy_is_refused_with_the_reason(self):
        done = subprocess.run([BINARY, "-l", "0.0.0.0:0"], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--allow-client", done.stderr)

    def test_port_in_use_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = subprocess.run([BINARY, "-l", f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"127.0.0.1:{port}", done.stderr)

    def test_configuration_is_checked_and_printed(self):
        file = self.folder() / "tidegate.toml"
        file.write_text('cache-memory = "64MiB"\n[limits]\nidle-timeout = "5s"\n')
        self.assertIn(b"ok", self.run_command(BINARY, "check", "-c", str(file)))
        printed = self.run_command(BINARY, "-c", str(file), "--via", "edge", "--print-config")
        self.assertIn(b'cache-memory = "64MiB"', printed)
        again = self.folder() / "again.toml"
        again.write_bytes(printed)
        self.assertEqual(self.run_command(BINARY, "-c", str(again), "--print-config"), printed)
        file.write_text('listen = "127.0.0.1:0"\ncache-memroy = "64MiB"\n')
        done = subprocess.run([BINARY, "check", "-c", str(file)], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{file}:2:1", done.stderr)
        self.assertIn("did you mean 'cache-memory'?", done.stderr)

    def test_banner_describes_the_proxy(self):
        proxy = self.start_proxy("--cache-memory", "64MiB")
        self.assertEqual(proxy.banner[0].split("  ")[1], f"forward proxy on {proxy.url}")
        self.assertIn("  cache    memory 64 MiB", proxy.banner)
        self.assertIn("  clients  this machine only", proxy.banner)
        self.assertIn(f"  try      curl -x {proxy.url} http://example.com/ -I", proxy.banner)
        self.assertEqual(proxy.banner[-1], f"listening {proxy.address}:{proxy.port}")


    def test_unspecified_ipv6_address_serves_ipv4_too(self):
        origin = self.start_origin()
        proxy = self.start_proxy("--to", origin.url, "--admin", "[::]:0", listen="[::]:0")
        self.assertTrue(proxy.banner[0].endswith(f"reverse proxy on http://[::]:{proxy.port} (all IPv4 and IPv6 addresses)"))
        self.assertIn(f"  try      curl http://127.0.0.1:{proxy.port}/ -I", proxy.banner)
        metrics = next(line for line in proxy.banner if line.startswith("  metrics"))
        self.assertRegex(metrics, r"^  metrics  http://\[::\]:\d+/metrics \(all IPv4 and IPv6 addresses\)$")
        self.assertIn(b"tidegate_clients", self.curl(metrics.split()[1].replace("[::]", "127.0.0.1")))
        for host in ["127.0.0.1", "[::1]"]:
            self.assertEqual(self.curl(f"http://{host}:{proxy.port}/bytes/3"), content(3), host)
        proxy.stop()
        self.assertEqual([line.split()[5] for line in proxy.lines()], ["127.0.0.1", "::1"], "the log has no IPv4-mapped address")

    def test_unspecified_ipv6_address_leaves_ipv4_to_a_separate_listener(self):
        origin = self.start_origin()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        proxy = self.start_proxy("--to", origin.url, "--listen", f"0.0.0.0:{port}", listen=f"[::]:{port}")
        self.assertTrue(proxy.banner[0].endswith(f"http://[::]:{port} (all IPv6 addresses)"))
        self.assertIn(f"  and on   http://0.0.0.0:{port} (all IPv4 addresses)", proxy.banner)
        for host in ["127.0.0.1", "[::1]"]:
            self.assertEqual(self.curl(f"http://{host}:{port}/bytes/3"), content(3), host)

    def test_lack_of_descriptors_is_reported_at_the_start(self):
        proxy = self.start_proxy(wrap=["sh", "-c", 'ulimit -n 80 && exec "$@"', "sh"])
        self.assertIn("RLIMIT_NOFILE is 80: enough for 8 clients only; raise it (ulimit -n)", proxy.banner)


class Signals(Case):
    def test_drain_finishes_exchanges_in_flight(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            with self.subTest(number):
                origin = self.start_origin()
                proxy = self.start_forward()
                idle, busy = (self.connect(proxy) for _ in range(2))
                busy.sendall(f"POST {origin.url}/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234".encode())
                self.wait_until(lambda: origin.counts)
                proxy.signal(number)
                self.assertEqual(idle.recv(1), b"")
                self.assertIsNone(proxy.process.poll())
                busy.sendall(b"56789")
                answer = b"".join(iter(lambda: busy.recv(65536), b""))
                self.assertTrue(answer.endswith(b"0123456789"), answer)
                self.assertIn(b"Connection: close", answer)
                self.assertEqual(proxy.process.wait(DEADLINE), 0)
                with self.assertRaises(ConnectionRefusedError):
                    connect(proxy.address, proxy.port)

    def test_second_interrupt_stops_at_once(self):
        origin, proxy = self.start_origin(), self.start_forward()
        busy = self.connect(proxy)
        busy.sendall(f"POST {origin.url}/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234".encode())
        self.wait_until(lambda: origin.counts)
        proxy.signal(signal.SIGINT)
        self.wait_until(lambda: any("draining" in line for line in proxy.said))
        proxy.signal(signal.SIGINT)
        self.assertEqual(proxy.process.wait(DEADLINE), 1)

    def test_reload_applies_a_valid_file_and_refuses_an_invalid_one(self):
        file = self.folder() / "tidegate.toml"
        file.write_text("")
        origin = self.start_origin()
        proxy = self.start_proxy("-c", str(file))

        def status():
            return self.head_of(self.curl("-i", "-x", proxy.url, origin.url + "/bytes/10"))[0]

        self.assertEqual(status(), 403)
        file.write_text('allow-destination = "127.0.0.0/8"\n')
        proxy.signal(signal.SIGHUP)
        self.wait_until(lambda: any("reloaded" in line for line in proxy.said))
        self.assertEqual(status(), 200)
        file.write_text("allow-destination = 'nonsense/'\n")
        proxy.signal(signal.SIGHUP)
        self.wait_until(lambda: any("not reloaded" in line for line in proxy.said))
        self.assertTrue(any(f"{file}:1:21" in line for line in proxy.said), proxy.said)
        self.assertEqual(status(), 200, "the old settings stay")

    def test_reload_names_the_options_that_take_a_restart(self):
        folder = self.folder()
        file = folder / "tidegate.toml"
        file.write_text(f'access-log = "{folder}/a.log"\n')
        proxy = self.start_proxy("-c", str(file))
        self.curl("-x", proxy.url, "http://10.0.0.1/a")
        limits = '[limits]\nlog-buffer = "2MiB"\nresolver-threads = 2\n'
        file.write_text(f'access-log = "{folder}/b.log"\nlog-format = "json"\n{limits}')
        for count in [1, 2]:
            proxy.signal(signal.SIGHUP)
            self.wait_until(lambda: proxy.said.count("reloaded\n") == count)
        self.curl("-x", proxy.url, "http://10.0.0.1/b")
        proxy.stop()
        self.assertTrue((folder / "a.log").read_text().endswith("http://10.0.0.1/a  [destination-private]\n"))
        self.assertEqual(json.loads((folder / "b.log").read_text())["url"], "http://10.0.0.1/b")
        for name in ["log-buffer", "resolver-threads"]:
            self.assertEqual(proxy.said.count(f"{name} has changed; that takes a restart\n"), 2, proxy.said)
        self.assertFalse([line for line in proxy.said if line.startswith("listen ")], proxy.said)

    def test_rotated_log_is_reopened(self):
        log = self.folder() / "access.log"
        proxy = self.start_proxy("--access-log", str(log), "--log-format", "json")
        self.curl("-x", proxy.url, "http://10.0.0.1/a")
        self.wait_until(lambda: log.exists() and log.read_text())
        log.rename(log.with_suffix(".1"))
        proxy.signal(signal.SIGUSR1)
        self.wait_until(log.exists)
        self.curl("-x", proxy.url, "http://10.0.0.1/b")
        proxy.stop()
        urls = [json.loads(file.read_text())["url"] for file in (log.with_suffix(".1"), log)]
        self.assertEqual(urls, ["http://10.0.0.1/a", "http://10.0.0.1/b"])

    def test_exchanges_aborted_by_a_drain_are_logged(self):
        for again in [False, True]:
            with self.subTest(interrupted_again=again):
                origin = self.start_origin()
                log = self.folder() / "access.log"
                timeout = "1m" if again else "100ms"
                proxy = self.start_forward("--access-log", str(log), "--drain-timeout", timeout)
                busy = self.connect(proxy)
                busy.sendall(f"POST {origin.url}/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234".encode())
                self.wait_until(lambda: origin.counts)
                proxy.signal(signal.SIGINT)
                if again:
                    self.wait_until(lambda: any("draining" in line for line in proxy.said))
                    proxy.signal(signal.SIGINT)
                self.assertEqual(proxy.process.wait(DEADLINE), 1 if again else 0)
                self.assertIn("[drain-timeout]", log.read_text())

    def test_late_signals_do_not_interrupt_the_last_flush(self):
        proxy = self.start_forward()
        for _ in range(20):
            proxy.signal(signal.SIGTERM)
        self.assertEqual(proxy.process.wait(DEADLINE), 0)

    def test_proxy_continues_without_a_reader_of_standard_error(self):
        origin, proxy = self.start_origin(), self.start_forward(read_on=False)
        proxy.signal(signal.SIGHUP)
        self.assertEqual(self.curl("-x", proxy.url, origin.url + "/bytes/3"), content(3))
        self.assertEqual(proxy.stop(), 0)


class Logs(Case):
    def test_unwritable_log_lines_are_counted(self):
        proxy = self.start_proxy("--access-log", "/dev/full")
        for _ in range(2):
            self.curl("-x", proxy.url, "http://10.0.0.1/")
        proxy.stop()
        said = "".join(proxy.said)
        self.assertEqual(said.count("the access log cannot be written"), 1, said)
        self.assertIn("2 lines of the access log were lost", said)

    def lines(self, form):
        origin = self.start_origin()
        proxy = self.start_forward("--log-format", form)
        self.curl("-x", proxy.url, "-A", 'agent "x"', "-e", "http://from.test/", origin.url + "/bytes/10")
        self.curl("-x", proxy.url, "http://10.0.0.1/")
        client = self.connect(proxy)
        client.sendall(b"GET http://x/\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(1000)
        client.close()
        half = self.connect(proxy)
        half.sendall(b"GET http://half/ HTTP/1.1\r\nHo")
        half.shutdown(socket.SHUT_WR)
        half.recv(1000)
        half.close()
        proxy.stop()
        lines = proxy.lines()
        self.assertEqual(len(lines), 4, lines)
        for line in lines:
            self.assertTrue(line.isprintable(), line)
        return origin, lines

    def test_combined_format_suits_web_log_tools(self):
        origin, lines = self.lines("combined")
        form = re.compile(r'(\S+) \S+ \S+ \[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "(\S+) (\S+) (\S+)" (\d{3}|-) (\d+) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"')
        first = form.fullmatch(lines[0])
        self.assertEqual(first.group(1, 3, 4, 5, 6, 7, 8, 9),
                         ("127.0.0.1", "GET", origin.url + "/bytes/10", "HTTP/1.1", "200", "10", "http://from.test/", 'agent \\"x\\"'))
        for line in lines[1:]:
            self.assertIsNotNone(re.match(r'127\.0\.0\.1 - - \[', line), line)

    def test_squid_format_is_the_native_one(self):
        origin, lines = self.lines("squid")
        form = re.compile(r"\d+\.\d{3} +\d+ \S+ [A-Z_]+/\d{3} (\d+) \S+ \S+ - [A-Z_]+/\S+ \S+")
        for line in lines:
            self.assertIsNotNone(form.fullmatch(line), line)
        self.assertIn("TCP_MISS/200", lines[0])
        self.assertGreater(int(form.fullmatch(lines[0]).group(1)), 100)  # includes the head
        self.assertIn("TCP_DENIED/403", lines[1])

    def test_json_format_has_one_object_a_line(self):
        origin, lines = self.lines("json")
        first, denied, wrong, half = (json.loads(line) for line in lines)
        self.assertEqual((first["result"], first["status"], first["bytes"]), ("MISS", 200, 10))
        self.assertEqual((denied["result"], denied["reason"]), ("DENIED", "destination-private"))
        self.assertEqual((wrong["status"], half["status"]), (400, 400))
