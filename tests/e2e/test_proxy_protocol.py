"""The PROXY protocol between tidegate, curl, HAProxy and nginx, and HTTP over sockets in the file system."""

import json
import os
import pwd
import socket
import socketserver
import stat
import subprocess
import threading
import unittest
from pathlib import Path

import pki
from harness import AS_NOBODY, BINARY, DEADLINE, Case, Pages, connect, content

ROOT = os.geteuid() == 0
USER = "daemon"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


class Fields(Pages):
    """Responds with the fields of the request."""

    def do_GET(self):
        self.server.count(self.path)
        body = json.dumps({name.title(): value for name, value in self.headers.items()}).encode()
        self.head(200, len(body))
        self.wfile.write(body)


class LocalOrigin(socketserver.ThreadingUnixStreamServer):
    """An origin at a socket in the file system."""

    daemon_threads = True

    def __init__(self, path, handler):
        super().__init__(str(path), handler)
        self.counts = {}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def count(self, path):
        self.counts[path] = self.counts.get(path, 0) + 1

    def handle_error(self, request, client_address):
        pass


class Recorder(socketserver.ThreadingTCPServer):
    """An origin that keeps the bytes in front of each request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), RecordedConnection)
        self.headers = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class RecordedConnection(socketserver.BaseRequestHandler):
    def handle(self):
        received = b""
        while b"\r\n\r\n" not in received.partition(b"HTTP/1.1")[2]:
            if not (more := self.request.recv(4096)):
                return
            received += more
        before, _, request = received.partition(b"GET ")
        self.server.headers.append((before, request.split(b" ")[0].decode()))
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.request.recv(4096)


class Wire(Case):
    def setUp(self):
        self.files = self.folder()
        self.files.chmod(0o755)

    def start(self, config, *args, **kwargs):
        path = self.files / "tidegate.toml"
        path.write_text(config)
        kwargs.setdefault("wrap", ["env", f"XDG_RUNTIME_DIR={self.files}"])
        return self.start_proxy("-c", str(path), *args, **kwargs)

    def run_peer(self, *argv, pass_fds=(), ready):
        """Runs another proxy until the end of the test."""
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=pass_fds)

        def end():
            process.terminate()
            process.communicate(timeout=DEADLINE)

        self.addCleanup(end)
        self.wait_until(lambda: process.poll() is not None or ready())
        if process.poll() is not None:
            self.fail(process.stdout.read().decode())

    def start_haproxy(self, text, listener=None):
        """Runs HAProxy with sections, which may listen at `listener`."""
        config = self.files / "haproxy.cfg"
        timeouts = "".join(f"  timeout {what} {DEADLINE}s\n" for what in ["connect", "client", "server"])
        config.write_text(f"global\n  log stderr local0\ndefaults\n{timeouts}{text}")
        fds = [listener.fileno()] if listener else []
        path = self.files / "haproxy.sock"
        self.run_peer("haproxy", "-db", "-f", str(config), pass_fds=fds, ready=lambda: listener or path.exists())
        return path

    def listening_socket(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return listener

    def ask(self, proxy, begin, request=b"GET /raw/x HTTP/1.1\r\nHost: o.test\r\nConnection: close\r\n\r\n"):
        """Sends bytes and a request on a connection; returns all that is received."""
        with connect("127.0.0.1", proxy.port) as connection:
            connection.sendall(begin + request)
            received = b""
            try:
                while more := connection.recv(4096):
                    received += more
            except ConnectionResetError:
                pass
        return received

    def fields(self, answer):
        return json.loads(answer.partition(b"\r\n\r\n")[2] or answer)


class FromClients(Wire):
    def config(self, trusted="127.0.0.0/8", tls=None):
        origin = self.start_origin(Fields)
        certificate = f'tls-cert = ["{tls}"]\n' if tls else ""
        return (f'to = "{origin.url}"\ntrusted-proxy = ["{trusted}"]\nlog-format = "json"\n{certificate}'
                f'[[listener]]\nlisten = "127.0.0.1:0"\nproxy-protocol = "on"\ntls = "{"on" if tls else "off"}"\n')

    def test_curl_sends_a_header_before_http_and_before_tls(self):
        made = pki.Pki()
        self.addCleanup(made.close)
        root = made.authority("Root")
        certificate = made.file(made.issue(root, "o.test", dns=["o.test"], addresses=["127.0.0.1"]))
        for tls in [None, certificate]:
            proxy = self.start(self.config("127.0.0.5", tls), listen=None)
            url = f"{'https' if tls else 'http'}://127.0.0.1:{proxy.port}/raw/x"
            asked = ["--interface", "127.0.0.5", "--cacert", str(made.file(root, key=False)), url]
            fields = self.fields(self.curl("--haproxy-protocol", *asked))
            self.assertEqual(fields["X-Forwarded-For"], "127.0.0.5")
            self.assertEqual(fields["X-Forwarded-Proto"], "https" if tls else "http")
            self.assertNotIn("PROXY", fields)
            # Without a header, curl is told nothing.
            self.curl(*asked, code=35 if tls else 52)
            # A stranger is refused whether or not it sends a header.
            asked[1] = "127.0.0.6"
            done = subprocess.run(["curl", "-sS", "--haproxy-protocol", *asked], capture_output=True)
            self.assertIn(done.returncode, [35, 52, 55, 56], done)
            proxy.stop()
            first, *refused = map(json.loads, proxy.lines())
            self.assertEqual((first["client"], first["status"]), ("127.0.0.5", 200))
            self.assertEqual([(line["client"], line["result"], line["reason"]) for line in refused],
                             [("127.0.0.5", "DENIED", "proxy-header"), ("127.0.0.6", "DENIED", "proxy-header-untrusted")])

    def test_header_states_client_and_scheme(self):
        proxy = self.start(self.config(), listen=None)
        fields = self.fields(self.ask(proxy, b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"))
        self.assertEqual(fields["X-Forwarded-For"], "192.0.2.7")
        v6 = b"\x21\x21\0\x2c" + socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + b"\x12\x67\0\x50"
        fields = self.fields(self.ask(proxy, V2 + v6 + b"\x20\0\5\1\0\0\0\0"))
        self.assertEqual((fields["X-Forwarded-For"], fields["X-Forwarded-Proto"]), ("2001:db8::7", "https"))
        fields = self.fields(self.ask(proxy, V2 + b"\x20\0\0\0"))
        self.assertEqual(fields["X-Forwarded-For"], "127.0.0.1")

    def test_clients_are_admitted_by_the_address_in_the_header(self):
        config = self.config() + 'allow-client = ["192.0.2.0/24"]\n'
        proxy = self.start(config, listen=None)
        for client, status in [("192.0.2.7", b"200"), ("198.51.100.7", b"403")]:
            begin = f"PROXY TCP4 {client} 198.51.100.1 4711 80\r\n".encode()
            self.assertEqual(self.ask(proxy, begin).split(b" ")[1], status, client)

    def test_haproxy_in_front_tells_the_client(self):
        for version in ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"]:
            proxy = self.start(self.config("127.0.0.1"), listen=None)
            listener = self.listening_socket()
            self.start_haproxy(f"listen front\n  mode tcp\n  bind fd@{listener.fileno()}\n"
                               f"  server tidegate 127.0.0.1:{proxy.port} {version}\n", listener)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/raw/x"
            fields = self.fields(self.curl("--interface", "127.0.0.5", url))
            self.assertEqual(fields["X-Forwarded-For"], "127.0.0.5", version)
            proxy.stop()
            self.assertEqual(json.loads(proxy.lines()[0])["client"], "127.0.0.5")

    def test_haproxy_that_ends_tls_tells_the_scheme(self):
        made = pki.Pki()
        self.addCleanup(made.close)
        root = made.authority("Root")
        site = made.file(made.issue(root, "o.test", dns=["o.test"], addresses=["127.0.0.1"]))
        proxy = self.start(self.config("127.0.0.1"), listen=None)
        for tls in [False, True]:
            listener = self.listening_socket()
            bound = f"fd@{listener.fileno()}" + (f" ssl crt {site}" if tls else "")
            self.start_haproxy(f"listen front\n  mode tcp\n  bind {bound}\n"
                               f"  server tidegate 127.0.0.1:{proxy.port} send-proxy-v2-ssl\n", listener)
            scheme = "https" if tls else "http"
            asked = ["--interface", "127.0.0.5", "--cacert", str(made.file(root, key=False))]
            fields = self.fields(self.curl(*asked, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/raw/x"))
            self.assertEqual((fields["X-Forwarded-For"], fields["X-Forwarded-Proto"]), ("127.0.0.5", scheme))

    def test_header_listener_needs_a_trusted_proxy(self):
        config = self.files / "tidegate.toml"
        config.write_text('[[listener]]\nlisten = "127.0.0.1:0"\nproxy-protocol = "on"\n')
        done = subprocess.run([BINARY, "-c", str(config)], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("trusted-proxy", done.stderr)


class ToOrigins(Wire):
    def config(self, member, version, more=""):
        return (f'trusted-proxy = ["127.0.0.9"]\n[[origin]]\nname = "app"\nto = ["{member}"]\n'
                f'proxy-protocol = "{version}"\n{more}[[site]]\nto = "app"\n')

    def test_haproxy_behind_is_told_the_client(self):
        origin = self.start_origin(Fields)
        path = self.start_haproxy(
            f"listen behind\n  mode http\n  bind unix@{self.files}/haproxy.sock accept-proxy\n"
            "  http-request set-header X-Seen %[src]\n"
            f"  server origin {origin.server_address[0]}:{origin.server_address[1]}\n")
        for version in ["v1", "v2"]:
            proxy = self.start(self.config(f"unix:{path}", version))
            for client in ["127.0.0.5", "127.0.0.6"]:
                fields = self.fields(self.curl("--interface", client, f"{proxy.url}/raw/{client}"))
                self.assertEqual(fields["X-Seen"], client, version)
            reported = ["--interface", "127.0.0.9", "-H", "X-Forwarded-For: 192.0.2.7"]
            fields = self.fields(self.curl(*reported, f"{proxy.url}/raw/x"))
            self.assertEqual(fields["X-Seen"], "192.0.2.7", "the client behind a trusted proxy")
            proxy.stop()

    def test_nginx_behind_is_told_the_client(self):
        path = self.files / "nginx.sock"
        temporary = "".join(f"{kind}_temp_path {self.files}/{kind};\n"
                            for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        config = self.files / "nginx.conf"
        config.write_text(f"daemon off;\nmaster_process off;\npid {self.files}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
                          f"http {{\naccess_log off;\n{temporary}server {{\nlisten unix:{path} proxy_protocol;\n"
                          'location / { return 200 "$proxy_protocol_addr $proxy_protocol_port"; }\n}\n}\n')
        self.run_peer("nginx", "-e", "stderr", "-c", str(config), ready=path.exists)
        for version in ["v1", "v2"]:
            proxy = self.start(self.config(f"unix:{path}", version))
            seen = self.curl("--interface", "127.0.0.5", "-w", " %{local_port}", f"{proxy.url}/").decode().split()
            self.assertEqual(seen[0], "127.0.0.5", version)
            self.assertEqual(seen[1], seen[2], "the port is the client's")
            proxy.stop()

    def test_each_connection_has_a_header_and_health_checks_have_none_of_a_client(self):
        recorder = Recorder()
        self.addCleanup(recorder.server_close)
        self.addCleanup(recorder.shutdown)
        url = f"http://127.0.0.1:{recorder.server_address[1]}"
        proxy = self.start(self.config(url, "v1", 'health = "/up"\n'), listen="[::]:0")
        self.wait_until(lambda: recorder.headers)
        self.assertEqual(set(recorder.headers), {(b"PROXY UNKNOWN\r\n", "/up")})
        self.run_command("curl", "-sS", "--interface", "127.0.0.5",
                         *[f"http://127.0.0.1:{proxy.port}/{n}" for n in range(3)])
        told = [before for before, target in recorder.headers if target != "/up"]
        self.assertEqual(len(told), 3, "no connection is reused")
        for before in told:
            self.assertRegex(before, rb"\APROXY TCP4 127\.0\.0\.5 127\.0\.0\.1 \d+ %d\r\n\Z" % proxy.port)


class Local(Wire):
    def test_origin_at_a_socket_is_served_and_its_failures_are_told(self):
        path = self.files / "app.sock"
        proxy = self.start(f'to = "unix:{path}"\ncache-memory = "off"\n')
        said = self.curl("-i", f"{proxy.url}/bytes/9")
        self.assertEqual(self.head_of(said)[0], 502)
        self.assertIn(b"there is no socket at the path", said)
        origin = LocalOrigin(path, Pages)
        self.addCleanup(origin.server_close)
        self.addCleanup(origin.shutdown)
        for _ in range(2):
            self.assertEqual(self.curl(f"{proxy.url}/bytes/9"), content(9))
        with socket.socket(socket.AF_UNIX) as left:
            other = self.files / "left.sock"
            left.bind(str(other))
        self.start(f'to = "unix:{other}"\n')
        proxy = self.start(f'to = "unix:{other}"\n')
        self.assertIn(b"connection refused", self.curl("-i", f"{proxy.url}/"))

    @unittest.skipUnless(ROOT, "for root")
    def test_missing_permission_is_told(self):
        path = self.files / "app.sock"
        origin = LocalOrigin(path, Pages)
        self.addCleanup(origin.server_close)
        self.addCleanup(origin.shutdown)
        path.chmod(0o600)
        proxy = self.start(f'to = "unix:{path}"\n', "--control", "off", wrap=AS_NOBODY)
        self.assertIn(b"no permission to connect", self.curl("-i", f"{proxy.url}/"))

    def test_full_backlog_is_waited_for(self):
        path = self.files / "slow.sock"
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as taken:
            listener.bind(str(path))
            listener.listen(0)
            taken.connect(str(path))
            config = f'to = "unix:{path}"\n[limits]\nconnect-timeout = "%s"\n'
            proxy = self.start(config % "200ms")
            said = self.curl("-i", f"{proxy.url}/")
            self.assertIn(b"connecting to the origin took too long", said)
            proxy = self.start(config % "30s")
            curl = threading.Thread(target=self.curl, args=(f"{proxy.url}/",))
            curl.start()
            listener.accept()[0].close()
            with listener.accept()[0] as origin:
                origin.settimeout(DEADLINE)
                self.assertTrue(origin.recv(4096).startswith(b"GET / "))
                origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                curl.join(DEADLINE)

    def config(self, path, mode=""):
        origin = self.start_origin()
        return f'to = "{origin.url}"\nlog-format = "json"\n[[listener]]\nlisten = "unix:{path}{mode}"\n'

    def fetch(self, path):
        return self.curl("--unix-socket", str(path), "http://o.test/bytes/5")

    def test_listener_at_a_socket_has_its_mode_and_is_removed(self):
        path = self.files / "t.sock"
        proxy = self.start(self.config(path, " mode=660"), "--confine")
        self.wait_until(lambda: any(line == f"listening unix:{path} mode=660\n" for line in proxy.said), proxy.said)
        self.assertIn(f"  listener http+unix://{path}: reverse; clients: all; users: none", proxy.banner)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)
        self.assertEqual(self.fetch(path), content(5))
        proxy.stop()
        self.assertFalse(path.exists(), "the socket goes with the process")
        self.assertEqual(json.loads(proxy.lines()[0])["client"], "127.0.0.1")

    def test_all_listeners_may_be_sockets(self):
        path = self.files / "t.sock"
        proxy = self.start(self.config(path), listen=None)
        self.assertEqual(proxy.banner[-1], f"listening unix:{path}")
        self.assertIn(f"  try      curl --unix-socket {path} http://localhost/ -I", proxy.banner)
        self.assertIn(f"  control  {self.files}/tidegate-0.sock", proxy.banner)
        self.assertEqual(self.fetch(path), content(5))
        done = subprocess.run([BINARY, "stats", "--port", "0"], capture_output=True, text=True, timeout=DEADLINE,
                              env={**os.environ, "XDG_RUNTIME_DIR": str(self.files)})
        self.assertEqual(done.returncode, 0, done.stderr)
        said = subprocess.run([BINARY, "-c", str(self.files / "tidegate.toml"), "--control", "off"],
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(said.returncode, 1)
        self.assertIn(f"cannot listen on unix:{path}", said.stderr)

    @unittest.skipUnless(ROOT, "for root")
    def test_socket_belongs_to_the_user_that_the_process_becomes(self):
        user = pwd.getpwnam(USER)
        folder = self.files / "sockets"
        folder.mkdir()
        os.chown(folder, user.pw_uid, user.pw_gid)
        path = folder / "t.sock"
        proxy = self.start(self.config(path), "--user", USER, "--confine", "--control", "off")
        self.assertEqual((path.stat().st_uid, path.stat().st_gid), (user.pw_uid, user.pw_gid))
        self.assertEqual(self.fetch(path), content(5))
        proxy.stop()
        self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
