"""Outputs of the access log: syslog, the journal, and files that the proxy rotates itself."""

import json
import os
import re
import signal
import socket
import struct
import threading
import unittest

from harness import AS_NOBODY, BINARY, Case, connect

SYSLOG = re.compile(
    r"<(\d{1,3})>1 "
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) "  # TIMESTAMP
    r"([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) "  # HOSTNAME, APP-NAME, PROCID, MSGID
    r"- (.*)"  # no STRUCTURED-DATA
)


def parse_syslog(datagram):
    """Returns facility, severity, process and text of a message (RFC 5424 §6)."""
    match = SYSLOG.fullmatch(datagram.decode("utf-8"))
    if not match:
        raise AssertionError(datagram)
    priority, _, host, app, process, message_id, text = match.groups()
    if (host, app, message_id) != (socket.gethostname(), "tidegate", "-"):
        raise AssertionError(datagram)
    if priority != str(int(priority)) or int(priority) > 191:
        raise AssertionError(datagram)
    return int(priority) >> 3, int(priority) & 7, int(process), text


def parse_entry(datagram):
    """Returns the fields of an entry in the journal's native protocol."""
    fields, rest = {}, datagram
    while rest:
        line, rest = rest.split(b"\n", 1)
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, end, rest = rest[8:8 + length], rest[8 + length:9 + length], rest[9 + length:]
            if end != b"\n":
                raise AssertionError(datagram)
        if not re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name) or name in fields:
            raise AssertionError(datagram)
        fields[name.decode()] = value.decode("utf-8")
    return fields


class Daemon:
    """A socket that takes datagrams."""

    def __init__(self, family, address):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(60)

    def take(self):
        return self.socket.recv(1 << 20)

    def close(self):
        self.socket.close()


class LogOutputs(Case):
    def local(self, path):
        daemon = Daemon(socket.AF_UNIX, str(path))
        self.addCleanup(daemon.close)
        return daemon

    def ask(self, proxy, path, origin):
        self.curl("-o", "/dev/null", "-x", proxy.url, f"{origin.url}{path}")

    def test_messages_of_syslog_have_the_severity_of_the_status(self):
        path = self.folder() / "log"
        daemon, origin = self.local(path), self.start_origin()
        proxy = self.start_forward("--access-log", f"syslog:{path}", "--syslog-facility", "local3",
                                   "--log-format", "json")
        self.ask(proxy, "/raw/10", origin)
        facility, severity, process, text = parse_syslog(daemon.take())
        self.assertEqual((facility, severity, process), (19, 6, proxy.process.pid))
        self.assertEqual(json.loads(text)["status"], 200)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        self.curl("-o", "/dev/null", "-x", proxy.url, f"http://127.0.0.1:{port}/")
        facility, severity, _, text = parse_syslog(daemon.take())
        self.assertEqual((facility, severity), (19, 3), text)
        self.curl("-o", "/dev/null", "-x", proxy.url, "http://10.0.0.1/")
        self.assertEqual(parse_syslog(daemon.take())[1], 5)

    def test_stream_takes_messages_with_line_ends(self):
        path, origin = self.folder() / "log", self.start_origin()

        def listen():
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            listener.bind(str(path))
            listener.listen()
            listener.settimeout(60)
            return listener

        def accept(listener):
            connection = listener.accept()[0]
            self.addCleanup(connection.close)
            lines = connection.makefile("rb")
            self.addCleanup(lines.close)
            return connection, lines

        listener = listen()
        proxy = self.start_forward("--access-log", f"syslog:{path}")
        self.ask(proxy, "/raw/10", origin)
        connection, lines = accept(listener)
        for number in range(11, 15):
            self.ask(proxy, f"/raw/{number}", origin)
        for number in range(10, 15):
            self.assertIn(f"/raw/{number}", parse_syslog(lines.readline()[:-1])[3])
        listener.close()
        lines.close()
        connection.close()
        path.unlink()
        self.ask(proxy, "/raw/20", origin)
        self.wait_until(lambda: any("waits for" in line for line in proxy.said), proxy.said)
        connection, lines = accept(listen())
        self.assertIn("/raw/20", parse_syslog(lines.readline()[:-1])[3])

    def test_long_message_over_udp_is_cut_and_counted(self):
        daemon = Daemon(socket.AF_INET, ("127.0.0.1", 0))
        self.addCleanup(daemon.close)
        port = daemon.socket.getsockname()[1]
        proxy = self.start_forward("--access-log", f"syslog:udp://127.0.0.1:{port}", "--log-format", "combined")
        origin = self.start_origin()
        self.curl("-o", "/dev/null", "-x", proxy.url, "-A", "x" * 6000, f"{origin.url}/raw/10?{'y' * 5000}")
        datagram = daemon.take()
        self.assertLessEqual(len(datagram), 8192)
        self.assertTrue(parse_syslog(datagram)[3].endswith("x…"))
        self.assertEqual(proxy.stop(), 0)
        self.assertIn("1 line of the access log was cut\n", proxy.said)

    def test_lines_for_a_daemon_that_is_away_are_kept_and_then_counted(self):
        path = self.folder() / "log"
        origin = self.start_origin()
        proxy = self.start_forward("--access-log", f"syslog:{path}", "--admin", "127.0.0.1:0")
        for number in range(20):
            self.ask(proxy, f"/raw/{number + 10}", origin)
        self.wait_until(lambda: any("waits for" in line for line in proxy.said), proxy.said)
        daemon = self.local(path)
        got = [parse_syslog(daemon.take())[3] for _ in range(20)]
        self.assertEqual([line.split("/raw/")[1].split()[0] for line in got],
                         [str(number + 10) for number in range(20)])
        self.wait_until(lambda: any("again" in line for line in proxy.said), proxy.said)
        # The daemon restarts.
        daemon.close()
        path.unlink()
        self.ask(proxy, "/raw/40", origin)
        daemon = self.local(path)
        self.assertIn("/raw/40", parse_syslog(daemon.take())[3])

    def test_lines_beyond_the_buffer_are_lost_and_counted(self):
        folder = self.folder()
        config = folder / "config.toml"
        config.write_text(f"access-log = 'syslog:{folder}/log'\ncontrol = '{folder}/control'\n"
                          "allow-destination = '127.0.0.0/8'\n[limits]\nlog-buffer = '4KiB'\n")
        origin = self.start_origin()
        proxy = self.start_proxy("-c", str(config))
        for number in range(60):
            self.ask(proxy, f"/raw/{number + 10}?{'x' * 100}", origin)
        daemon, got = self.local(folder / "log"), []

        def read():
            while datagram := daemon.take():
                got.append(parse_syslog(datagram)[3])

        reader = threading.Thread(target=read)
        reader.start()
        self.assertEqual(proxy.stop(), 0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(folder / "log"))
        reader.join()
        lost = [line for line in proxy.said if re.fullmatch(r"\d+ lines of the access log were lost\n", line)]
        self.assertIn("/raw/10?", got[0])
        self.assertLess(len(got), 60)
        self.assertEqual(len(got) + sum(int(line.split()[0]) for line in lost), 60, proxy.said)

    def test_entries_of_the_journal_have_fields(self):
        path = self.folder() / "socket"
        daemon, origin = self.local(path), self.start_origin()
        proxy = self.start_forward("--access-log", f"journald:{path}")
        self.ask(proxy, "/raw/10", origin)
        fields = parse_entry(daemon.take())
        self.assertEqual(fields["PRIORITY"], "6")
        self.assertEqual(fields["SYSLOG_IDENTIFIER"], "tidegate")
        self.assertEqual(fields["TIDEGATE_STATUS"], "200")
        self.assertEqual(fields["TIDEGATE_URL"], f"{origin.url}/raw/10")
        self.assertEqual(fields["MESSAGE"], f"127.0.0.1 GET {origin.url}/raw/10 200 MISS")
        self.curl("-o", "/dev/null", "-x", proxy.url, "http://10.0.0.1/")
        fields = parse_entry(daemon.take())
        self.assertEqual((fields["PRIORITY"], fields["TIDEGATE_REASON"]), ("5", "destination-private"))

    def test_reload_moves_the_log_to_another_output(self):
        folder = self.folder()
        daemon, origin, config = self.local(folder / "log"), self.start_origin(), folder / "config.toml"
        control = folder / "control"
        common = f"control = '{control}'\nallow-destination = '127.0.0.0/8'\nlog-format = 'json'\n"
        config.write_text(f"access-log = '{folder}/access.log'\n{common}")
        proxy = self.start_proxy("-c", str(config))
        self.ask(proxy, "/raw/10", origin)
        config.write_text(f"access-log = 'syslog:{folder}/log'\nsyslog-facility = 'user'\n{common}")
        self.reload_at(control)
        self.ask(proxy, "/raw/11", origin)
        facility, _, _, text = parse_syslog(daemon.take())
        self.assertEqual((facility, json.loads(text)["url"]), (1, f"{origin.url}/raw/11"))
        config.write_text(f"access-log = '{folder}/access.log'\n{common}")
        self.reload_at(control)
        self.ask(proxy, "/raw/12", origin)
        self.assertEqual(proxy.stop(), 0)
        lines = [json.loads(line) for line in (folder / "access.log").read_text().splitlines()]
        self.assertEqual([line["url"].split("/")[-1] for line in lines], ["10", "12"])

    def rotated(self, log):
        """Returns the lines of all files, from the oldest to the newest."""
        numbers = sorted((int(path.name.rsplit(".", 1)[1]) for path in log.parent.glob("access.log.*")),
                         reverse=True)
        files = [log.parent / f"access.log.{number}" for number in numbers] + [log]
        return files, [line for file in files for line in file.read_text().splitlines()]

    def ask_many(self, proxy, first, count):
        """Sends requests that are refused at once, on one connection."""
        connection = connect(proxy.address, proxy.port)
        with connection, connection.makefile("rb") as answers:
            for number in range(first, first + count):
                connection.sendall(b"GET http://10.0.0.1/n%d HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n" % number)
                length = 0
                while (line := answers.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)

    def numbers(self, lines):
        return [int(re.search(r"/n(\d+)", line)[1]) for line in lines]

    def test_rotation_by_size_loses_no_line_and_always_has_a_file(self):
        log = self.folder() / "access.log"
        proxy = self.start_proxy("--access-log", str(log), "--log-rotate-size", "4KiB", "--log-rotate-keep", "500")
        missing, done = [], threading.Event()

        def look():
            while not done.is_set():
                if not log.exists():
                    missing.append(True)

        reader = threading.Thread(target=look)
        reader.start()
        try:
            self.ask_many(proxy, 0, 1000)
            proxy.signal(signal.SIGUSR1)
            self.ask_many(proxy, 1000, 1000)
        finally:
            done.set()
            reader.join()
        self.assertEqual(proxy.stop(), 0)
        files, lines = self.rotated(log)
        self.assertEqual(self.numbers(lines), list(range(2000)))
        self.assertEqual(missing, [])
        self.assertGreater(len(files), 10)
        self.assertTrue(all(file.stat().st_size <= 4096 for file in files))
        self.assertEqual({path.name for path in log.parent.iterdir()}, {file.name for file in files})

    def test_number_of_rotated_files_is_bounded(self):
        log = self.folder() / "access.log"
        proxy = self.start_proxy("--access-log", str(log), "--log-rotate-size", "4KiB", "--log-rotate-keep", "2")
        self.ask_many(proxy, 0, 500)
        self.assertEqual(proxy.stop(), 0)
        files, lines = self.rotated(log)
        self.assertEqual([file.name for file in files], ["access.log.2", "access.log.1", "access.log"])
        self.assertEqual(self.numbers(lines), list(range(500 - len(lines), 500)))

    def test_rotation_works_for_another_user_in_a_sandbox(self):
        folder = self.folder()
        os.chmod(folder, 0o777)
        inner = folder / "logs" / "proxy"
        inner.mkdir(parents=True)
        args, log = [], inner / "access.log"
        if AS_NOBODY:
            for path in [inner.parent, inner]:
                os.chown(path, 65534, 65534)
            args = ["--user", "65534"]
        proxy = self.start_proxy("--access-log", str(log), "--log-rotate-size", "4KiB", "--log-rotate-keep", "50",
                                 "--confine", *args)
        self.ask_many(proxy, 0, 300)
        self.assertEqual(proxy.stop(), 0)
        files, lines = self.rotated(log)
        self.assertEqual(self.numbers(lines), list(range(300)), proxy.said)
        self.assertGreater(len(files), 3)

    def test_rotation_in_a_shared_folder_is_refused_in_a_sandbox(self):
        done = self.run_command(
            "sh", "-c", 'exec "$0" run --listen 127.0.0.1:0 --confine --access-log /tmp/tidegate-none.log '
            '--log-rotate-size 1MiB 2>&1', BINARY, code=1)
        self.addCleanup(lambda: os.path.exists("/tmp/tidegate-none.log") and os.unlink("/tmp/tidegate-none.log"))
        self.assertIn(b"needs a folder of its own", done)

    def test_options_without_their_output_are_refused(self):
        for args, reason in [(["--log-rotate-size", "1MiB"], b"--access-log FILE only"),
                             (["--syslog-facility", "user"], b"--access-log syslog only"),
                             (["--access-log", "syslog:tcp://h"], b"syslog:udp://HOST:PORT"),
                             (["--access-log", "f", "--log-rotate-keep", "0"], b"from 1 to 1000")]:
            with self.subTest(args):
                done = self.run_command("sh", "-c", 'exec "$0" run "$@" 2>&1', BINARY, *args,
                                        code=2)
                self.assertIn(reason, done)


if __name__ == "__main__":
    unittest.main()
