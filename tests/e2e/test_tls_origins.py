"""Real origins that speak TLS: nginx, openssl s_server, Python's ssl; reached by both kinds of proxy."""

import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import pki
from harness import BINARY, DEADLINE, Case, Pages, Stream, connect, content
from tls_origin import TlsOrigin, context


def setUpModule():
    global made
    made = Made()


def tearDownModule():
    made.pki.close()


class Made:
    """An authority, and certificates of an origin, of this proxy, and of this proxy as a client."""

    def __init__(self):
        self.pki = of = pki.Pki()
        self.root = of.authority("Origins Root")
        self.middle = of.authority("Origins Intermediate", self.root)
        self.ca = of.file(self.root, key=False)
        self.leaf = of.issue(self.middle, "origin", addresses=["127.0.0.1"])
        self.chain = of.file(self.leaf, self.middle)
        self.front = of.file(of.issue(self.root, "front", addresses=["127.0.0.1"]))
        self.own = of.file(of.issue(self.root, "Tidegate", purposes=["client"], key=of.key(use="own")))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Origins(Case):
    """A proxy that trusts the authority."""

    def start_tls_origin(self, handler=None, **how):
        origin = TlsOrigin(context(made.chain, **how), handler or Pages)
        self.addCleanup(origin.stop)
        return origin

    def reverse(self, url, *options, **kwargs):
        self.control = str(self.folder() / "c.sock")
        self.proxy = self.start_proxy("--to", url, "--origin-ca", made.ca, "--control", self.control, *options, **kwargs)
        return self.proxy

    def ask(self, path, *args, **kwargs):
        return self.curl(self.proxy.url + path, *args, **kwargs)

    def stats(self):
        return json.loads(self.run_command(BINARY, "stats", "--json", "--control", self.control))

    def assert_reused(self, reused, opened=1):
        self.assertEqual(self.stats()["connections_total"], {"new": opened, "reused": reused})

    def raw(self, request, proxy=None):
        """Returns all that the proxy sends in response, and whether it has reset the connection."""
        proxy = proxy or self.proxy
        answer = b""
        with connect(proxy.address, proxy.port) as client:
            client.sendall(request)
            try:
                while part := client.recv(65536):
                    answer += part
            except ConnectionResetError:
                return answer, True
        return answer, False

    def wait_for_port(self, port, process):
        for _ in range(500):
            try:
                connect("127.0.0.1", port).close()
                return
            except ConnectionRefusedError:
                self.assertIsNone(process.poll())
                time.sleep(0.02)
        self.fail("the server does not listen")


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; default_type text/plain;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_certificate {chain}; ssl_certificate_key {key}; ssl_session_cache shared:a:1m;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_protocols {protocol}; {auth}
    root {folder}/pages; dav_methods PUT; client_max_body_size 0;
    location / {{ add_header Cache-Control "max-age=60"; }}
    location /old/ {{ add_header Cache-Control "max-age=0"; }}
    location /session {{
      add_header Cache-Control no-store;
      return 200 "$connection_requests $ssl_protocol $ssl_session_reused $ssl_client_verify $ssl_server_name";
    }}
    location /last {{ keepalive_timeout 0; add_header Cache-Control no-store; return 200 $ssl_session_reused; }}
    location /moved {{ return 302 https://127.0.0.1:{port}/there; }}
  }}
}}
"""


@unittest.skipUnless(shutil.which("nginx"), "needs nginx")
class Nginx(Origins):
    def nginx(self, protocol, auth=""):
        """Starts nginx, and returns its URL."""
        folder, port = self.folder(), free_port()
        for name in ["pages/old", "body"]:
            (folder / name).mkdir(parents=True)
        (folder / "pages/file").write_bytes(content(300_000))
        (folder / "pages/old/file").write_bytes(content(5000))
        file = folder / "nginx.conf"
        file.write_text(NGINX.format(folder=folder, port=port, protocol=protocol, auth=auth, chain=made.chain,
                                     key=made.leaf.key.file))
        # The one process runs with the rights of this test.
        if os.geteuid() == 0:
            file.write_text("user root;" + file.read_text())
        process = subprocess.Popen(["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.wait_for_port(port, process)
        return f"https://127.0.0.1:{port}"

    def test_messages(self):
        for protocol in ["TLSv1.2", "TLSv1.3"]:
            with self.subTest(protocol):
                self.reverse(self.nginx(protocol))
                self.assertEqual(self.ask("/file"), content(300_000))
                self.assertEqual(self.ask("/file", "-r", "100000-200000"), content(300_000)[100000:200001])
                status, fields = self.head_of(self.ask("/file", "-I"))
                self.assertEqual((status, fields["Content-Length"]), (200, "300000"))
                self.assertIn("hit", fields["Cache-Status"])
                self.ask("/old/file")
                _, fields = self.head_of(self.ask("/old/file", "-i"))
                self.assertRegex(fields["Cache-Status"], "hit|fwd=stale.*fwd-status=304")
                body = content(700_000)
                file = self.folder() / "upload"
                file.write_bytes(body)
                self.ask("/length", "-f", "-T", str(file))
                self.ask("/chunked", "-f", "-T", "-", input=body)
                for path in ["/length", "/chunked"]:
                    self.assertEqual(self.ask(path), body)

    def test_connection_is_reused(self):
        for protocol in ["TLSv1.2", "TLSv1.3"]:
            with self.subTest(protocol):
                self.reverse(self.nginx(protocol))
                for count in range(1, 21):
                    self.assertEqual(self.ask("/session").split()[:2], [str(count).encode(), protocol.encode()])
                self.assert_reused(19)
                self.assertEqual(self.stats()["origin_tls_handshakes_total"], {protocol: 1})

    def test_session_is_resumed(self):
        for protocol in ["TLSv1.2", "TLSv1.3"]:
            with self.subTest(protocol):
                self.reverse(self.nginx(protocol))
                self.assertEqual([self.ask("/last") for _ in range(4)], [b".", b"r", b"r", b"r"])
                handshakes = self.stats()["origin_tls_handshakes_total"]
                self.assertEqual(handshakes, {protocol: 1, f"{protocol} resumed": 3})

    def test_certificate_is_presented(self):
        auth = f"ssl_client_certificate {made.ca}; ssl_verify_client optional;"
        for protocol in ["TLSv1.2", "TLSv1.3"]:
            url = self.nginx(protocol, auth)
            self.reverse(url, "--origin-cert", made.own)
            self.assertEqual(self.ask("/session").split()[3], b"SUCCESS")
            self.reverse(url)
            self.assertEqual(self.ask("/session").split()[3], b"NONE")

    def test_location_leads_to_the_proxy(self):
        self.reverse(self.nginx("TLSv1.3"))
        self.assertEqual(self.head_of(self.ask("/moved", "-i"))[1]["Location"], "/there")


class SServer(Origins):
    """`openssl s_server`, whose input is what the origin sends."""

    def s_server(self, *args, where=None):
        self.port = free_port()
        self.server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", made.chain, "-key",
             str(made.leaf.key.file), "-cert_chain", made.chain, *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=where)
        self.said = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.addCleanup(self.stop_server)
        self.wait_until(lambda: b"ACCEPT" in self.said, self.said)
        return f"https://127.0.0.1:{self.port}"

    def read(self):
        while part := os.read(self.server.stdout.fileno(), 65536):
            self.said += part

    def stop_server(self):
        if self.server.stdin.closed:
            return
        self.server.kill()
        self.server.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.server.stdin.close()
        self.server.stdout.close()

    def say(self, text):
        self.server.stdin.write(text)
        self.server.stdin.flush()

    def exchange(self, number):
        """Requests a URL, and responds to it by the input of s_server."""
        url, found = f"{self.proxy.url}/{number}", []
        client = threading.Thread(target=lambda: found.append(self.curl(url)), daemon=True)
        client.start()
        self.wait_until(lambda: f"GET /{number} HTTP/1.1".encode() in self.said)
        self.say(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 5\r\n\r\nhello")
        client.join(DEADLINE)
        self.assertEqual(found, [b"hello"])

    def test_keys_are_updated_on_an_idle_connection(self):
        self.reverse(self.s_server("-tls1_3", "-msg"))
        self.exchange(1)
        for number in range(2, 6):
            for command in [b"K\n", b"k\n"]:  # K asks for an update in return, before the next request
                self.say(command)
                sent = 2 * (number - 1) - (command == b"K\n")
                self.wait_until(lambda: len(re.findall(rb">>> TLS 1.3, Handshake .*KeyUpdate", self.said)) == sent)
                self.assertEqual(self.stats()["pool_idle"], 1)
            self.exchange(number)
            received = len(re.findall(rb"<<< TLS 1.3, Handshake .*KeyUpdate", self.said))
            self.assertEqual(received, number - 1)
        self.assert_reused(4)

    def test_file_is_served_by_http_1_0(self):
        """The end of the connection, by close_notify, is the end of the content."""
        folder = self.folder()
        (folder / "page.txt").write_bytes(content(500_000))
        for option in ["-tls1_2", "-tls1_3"]:
            self.reverse(self.s_server("-WWW", "-http_server_binmode", option, where=folder))
            for _ in range(3):
                self.assertEqual(self.ask("/page.txt"), content(500_000))
            self.stop_server()

    def test_renegotiation_is_refused(self):
        """s_server asks for a new handshake of TLS 1.2 on an idle connection, and ends when it gets none."""
        self.reverse(self.s_server("-tls1_2", "-msg"))
        self.exchange(1)
        self.say(b"r\n")
        self.wait_until(lambda: b"no_renegotiation" in self.said, self.said)


class Python(Origins):
    def test_messages(self):
        for highest in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            with self.subTest(highest):
                origin = self.start_tls_origin(highest=highest)
                self.reverse(origin.url)
                body = content(700_000)
                self.assertEqual(self.ask("/echo", "--data-binary", "@-", input=body), body)
                self.assertEqual(self.ask("/echo", "-T", "-", input=body), body)
                for path in ["/bytes/300000", "/raw/300000"]:
                    self.assertEqual(self.ask(path), content(300_000))
                    self.assertEqual(self.ask(path, "-r", "123456-200000"), content(300_000)[123456:200001])
                status, fields = self.head_of(self.ask("/raw/5000", "-I"))
                self.assertEqual((status, fields["Content-Length"]), (200, "5000"))
                self.assertEqual(origin.counts["/bytes/300000"], 1)
                self.ask("/cut/1000000", "-o", "/dev/null", code=18)
                self.ask("/cut/1000000", "-o", "/dev/null", code=18)
                self.assertEqual(origin.counts["/cut/1000000"], 2)

    def test_large_contents_are_whole(self):
        origin = self.start_tls_origin()
        self.reverse(origin.url, "--cache-memory", "off")
        size = 64 << 20
        digest = hashlib.md5(content(size)).digest()
        self.assertEqual(hashlib.md5(self.ask(f"/raw/{size}")).digest(), digest)
        self.assertEqual(hashlib.md5(self.ask("/echo", "--data-binary", "@-", input=content(size))).digest(), digest)
        self.assertLess(self.proxy.memory(), 100 << 20)

    def test_slow_readers_hold_little_memory(self):
        origin = self.start_tls_origin(Stream)
        self.reverse(origin.url, "--cache-memory", "off", "--listen-tls", "127.0.0.1:0", "--tls-cert", made.front)
        port = self.proxy.ports(2)[1]
        for number in range(40):
            reader = connect("127.0.0.1", port if number % 2 else self.proxy.port)
            if number % 2:
                reader = ssl.create_default_context(cafile=made.ca).wrap_socket(reader, server_hostname="127.0.0.1")
            self.addCleanup(reader.close)
            reader.sendall(f"GET /{1 << 30} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.assertTrue(reader.recv(1000).startswith(b"HTTP/1.1 200"))
        self.assertEqual(self.ask("/100"), b"." * 100)
        self.assertLess(self.proxy.memory(), 100 << 20)

    def test_idle_connection_that_was_closed_is_replaced(self):
        for how in ["notify", "fin", "reset", "garbage"]:
            with self.subTest(how):
                origin = self.start_tls_origin(Closing)
                origin.waits, origin.released = True, threading.Event()
                self.reverse(origin.url)
                for count in range(1, 4):
                    origin.released.clear()
                    self.assertEqual(self.ask(f"/idle-{how}"), b"hello")
                    origin.released.set()
                    self.wait_until(lambda: origin.counts.get("closed") == count)
                    self.wait_until(lambda: self.stats()["pool_idle"] == 0)
                self.assertEqual(self.stats()["origin_strays_total"], 0)

    def test_upgrade(self):
        origin = self.start_tls_origin(Switching)
        self.reverse(origin.url, "--listen-tls", "127.0.0.1:0", "--tls-cert", made.front)
        for port in self.proxy.ports(2):
            client = connect("127.0.0.1", port)
            if port != self.proxy.port:
                client = ssl.create_default_context(cafile=made.ca).wrap_socket(client, server_hostname="127.0.0.1")
            with client:
                client.sendall(b"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
                answer = b""
                while b"\r\n\r\n" not in answer:
                    answer += client.recv(65536)
                self.assertIn(b" 101 ", answer)
                for word in [b"one", b"two" * 10000]:
                    client.sendall(word + b"\n")
                    echoed = b""
                    while not echoed.endswith(b"\n"):
                        echoed += client.recv(65536)
                    self.assertEqual(echoed, word + b"\n")


class Ends(Origins):
    """How a response ends, and what of that is an end of its content (RFC 9112 §9.8)."""

    def setUp(self):
        self.origin = self.start_tls_origin(Closing)
        self.origin.waits, self.origin.released = True, threading.Event()
        self.reverse(self.origin.url)

    def fetch(self, path, version="1.1"):
        """Returns the response, and whether the connection was reset. The origin ends the connection once
        the client has the content, if it `waits`."""
        self.origin.released.clear()
        answer = b""
        with connect(self.proxy.address, self.proxy.port) as client:
            client.sendall(f"GET {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            try:
                while part := client.recv(65536):
                    answer += part
                    if b"hello" in answer:
                        self.origin.released.set()
            except ConnectionResetError:
                return answer, True
        return answer, False

    def assert_whole(self, path):
        first, was_reset = self.fetch(path)
        self.assertFalse(was_reset)
        self.assertIn(b"hello", first)
        self.assertEqual(b"chunked" in first, first.endswith(b"0\r\n\r\n"), first)
        for version in ["1.1", "1.0"]:
            answer, was_reset = self.fetch(path, version)
            self.assertFalse(was_reset)
            self.assertIn(b"; hit", answer)
        self.assertEqual(self.origin.counts[path], 1, "the response is cached")

    def assert_truncated(self, path):
        """The client sees that the content is not whole, or gets an error in its place."""
        for self.origin.waits in [True, False]:
            for version in ["1.1", "1.1", "1.0", "1.0"]:
                answer, was_reset = self.fetch(path, version)
                is_error = answer.startswith(b"HTTP/1.1 502 ")
                if self.origin.waits:
                    self.assertIn(b"hello", answer)
                if not was_reset and not is_error:
                    head, _, body = answer.partition(b"\r\n\r\n")
                    is_short = b"Content-Length: 1000" in head and len(body) < 1000
                    lacks_last_chunk = b"chunked" in head and not body.endswith(b"0\r\n\r\n")
                    self.assertTrue(is_short or lacks_last_chunk, answer)
        self.assertEqual(self.origin.counts[path], 8, "nothing is cached")

    def test_content_up_to_close_notify_is_whole(self):
        self.assert_whole("/close-notify")

    def test_content_up_to_the_end_of_the_connection_is_truncated(self):
        for how in ["fin", "reset", "garbage", "alert"]:
            with self.subTest(how):
                self.assert_truncated(f"/close-{how}")

    def test_content_with_its_length_is_whole_without_close_notify(self):
        for how in ["notify", "fin"]:
            with self.subTest(how):
                self.assert_whole(f"/length-{how}")

    def test_content_in_chunks_is_whole_without_close_notify(self):
        for how in ["notify", "fin"]:
            with self.subTest(how):
                self.assert_whole(f"/chunked-{how}")

    def test_content_shorter_than_its_length_is_truncated(self):
        for how in ["notify", "fin", "reset", "garbage"]:
            with self.subTest(how):
                self.assert_truncated(f"/short-{how}")

    def test_content_without_its_last_chunk_is_truncated(self):
        for how in ["notify", "fin", "reset", "garbage"]:
            with self.subTest(how):
                self.assert_truncated(f"/part-{how}")

    def test_connection_that_ends_before_the_response(self):
        for how in ["notify", "fin", "reset"]:
            with self.subTest(how):
                status, fields = self.head_of(self.ask(f"/nothing-{how}", "-i"))
                self.assertEqual(status, 502)
                self.assertIn("error=connection_terminated", fields["Proxy-Status"])


class Authorities(Origins):
    def test_authorities_of_the_system_outlive_a_reload(self):
        file = self.folder() / "system.pem"
        file.write_bytes(Path(made.ca).read_bytes())
        origin = self.start_tls_origin()
        control = str(self.folder() / "c.sock")
        with mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(file)}):
            self.proxy = self.start_proxy("--to", origin.url, "--control", control, "--confine")
        for _ in range(2):
            self.assertEqual(self.ask("/raw/10"), content(10))
            self.reload_at(control)

    def test_authorities_of_files_are_read_again(self):
        file = self.folder() / "authorities.pem"
        file.write_text(made.pki.authority("Another Root").pem)
        origin = self.start_tls_origin()
        control = str(self.folder() / "c.sock")
        self.proxy = self.start_proxy("--to", origin.url, "--control", control, "--confine", "--origin-ca", str(file))
        self.assertIn(b"issuer is unknown", self.ask("/raw/10"))
        file.write_bytes(Path(made.ca).read_bytes())
        self.reload_at(control)
        self.assertEqual(self.ask("/raw/10"), content(10))
        file.write_text(made.pki.authority("A Third Root").pem)
        self.reload_at(control)
        self.assertIn(b"issuer is unknown", self.ask("/raw/10"), "no connection or session of before is used")


class Public(Origins):
    def test_location_leads_to_the_proxy(self):
        origin = self.start_tls_origin(Moving)
        self.reverse(origin.url + "/base", "--listen-tls", "127.0.0.1:0", "--tls-cert", made.front)
        bases = [f"http://127.0.0.1:{self.proxy.port}", f"https://127.0.0.1:{self.proxy.ports(2)[1]}"]
        for base in bases:
            for path in ["/to-origin", "/to-host", "/relative"]:
                with self.subTest(base + path):
                    _, fields = self.head_of(self.curl("-i", "--cacert", made.ca, base + path))
                    if (base, path) == (bases[0], "/to-host"):
                        # The origin wants clients to use TLS: a path would lead to itself.
                        self.assertTrue(fields["Location"].startswith("https://"))
                        continue
                    self.assertEqual(fields["Location"], "/there")
                    self.assertEqual(self.curl("-L", "--cacert", made.ca, base + path), b"you are /base/there")
            _, fields = self.head_of(self.curl("-i", "--cacert", made.ca, base + "/to-others"))
            self.assertEqual(fields["Location"], "https://other.test/base/there")


class Forward(Origins):
    def setUp(self):
        self.origin = self.start_tls_origin()
        self.control = str(self.folder() / "c.sock")
        self.proxy = self.start_forward(
            "--origin-ca", made.ca, "--control", self.control, "--listen-tls", "127.0.0.1:0", "--tls-cert", made.front,
            "--allow-connect-port", str(self.origin.port))
        self.port = self.proxy.ports(2)[1]

    def get(self, client, path, method="GET"):
        client.request(method, self.origin.url + path)
        answer = client.getresponse()
        return answer.status, answer.headers["Cache-Status"], answer.read()

    def test_https_url_is_fetched(self):
        secure = ssl.create_default_context(cafile=made.ca)
        for client in [http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=DEADLINE),
                       http.client.HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE, context=secure)]:
            self.addCleanup(client.close)
            for _ in range(2):
                self.assertEqual(self.get(client, "/bytes/5000")[::2], (200, content(5000)))
                self.assertEqual(self.get(client, "/raw/70000")[::2], (200, content(70000)))
            self.assertEqual(self.get(client, "/bytes/5000", "HEAD")[::2], (200, b""))
            self.assertIn("hit", self.get(client, "/bytes/5000")[1])
        self.assertEqual(self.origin.counts["/bytes/5000"], 1)
        self.assert_reused(4)

    def test_cached_response_is_not_that_of_the_plain_url(self):
        plain = self.start_origin()
        self.get(client := http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=DEADLINE), "/bytes/10")
        self.addCleanup(client.close)
        status = self.head_of(self.curl("-i", "-x", self.proxy.url, f"http://127.0.0.1:{self.origin.port}/bytes/10"))[0]
        self.assertEqual(status, 502, "the origin speaks no plain HTTP")
        self.assertEqual(self.curl("-x", self.proxy.url, plain.url + "/bytes/10"), content(10))

    def test_tunnel_through_a_tls_listener(self):
        proxied = ["-x", f"https://127.0.0.1:{self.port}", "--proxy-cacert", made.ca, "--cacert", made.ca]
        for options in [[], ["--tls-max", "1.2"], ["--tlsv1.3"]]:
            self.assertEqual(self.curl(*proxied, *options, self.origin.url + "/raw/300000"), content(300_000))
        body = content(700_000)
        self.assertEqual(self.curl(*proxied, self.origin.url + "/echo", "-T", "-", input=body), body)
        self.proxy.stop()
        self.assertEqual([line.split()[2] for line in self.proxy.lines()], ["TUNNEL"] * 4)

    def test_ports_for_tunnels_do_not_bind_requests(self):
        other = self.start_tls_origin()
        client = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=DEADLINE)
        self.addCleanup(client.close)
        client.request("GET", other.url + "/bytes/10")
        answer = client.getresponse()
        self.assertEqual((answer.status, answer.read()), (200, content(10)))
        self.curl("-x", self.proxy.url, "--cacert", made.ca, other.url, code=56)
        explain = [BINARY, "explain", "--live", "--control", self.control]
        self.run_command(*explain, "--method", "GET", other.url)
        self.assertIn(b"connect-port", self.run_command(*explain, other.url, code=3))

    def test_denial_quotes_the_request_to_explain(self):
        proxy = self.start_forward("--rule", "deny 127.0.0.1 scheme=https method=GET", "--control", self.control + "2")
        with connect(proxy.address, proxy.port) as client:
            client.sendall(f"GET {self.origin.url}/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        self.assertIn(" 403 ", answer)
        command = answer.partition("To see why: ")[2].strip()
        self.assertIn(f"--method GET {self.origin.url}/", command)
        arguments = command.removeprefix("tidegate ").split()
        self.assertIn(b"denied", self.run_command(BINARY, *arguments, code=3))


class Closing(Pages):
    """/KIND-HOW: content of a kind, after which the connection is closed in one of several ways."""

    heads = {
        "close": b"Connection: close\r\n\r\nhello",
        "length": b"Content-Length: 5\r\nConnection: close\r\n\r\nhello",
        "chunked": b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "short": b"Content-Length: 1000\r\n\r\nhello",
        "part": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "idle": b"Content-Length: 5\r\n\r\nhello",
    }

    def do_GET(self):
        self.server.count(self.path)
        kind, _, how = self.path.strip("/").partition("-")
        if kind != "nothing":
            lifetime = b"no-store" if kind == "idle" else b"max-age=60"
            self.connection.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: " + lifetime + b"\r\n" + self.heads[kind])
            if self.server.waits:
                self.server.released.wait(DEADLINE)
        self.end(how)
        self.close_connection = True
        self.server.count("closed")

    def end(self, how):
        fd = self.connection.fileno()
        with socket.socket(fileno=os.dup(fd)) as wire:
            if how == "notify":
                try:
                    self.connection.unwrap()
                except OSError:
                    pass  # the peer has closed without close_notify
            elif how == "reset":
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif how == "garbage":
                wire.send(bytes([23, 3, 3, 0, 40]) + bytes(40))
            elif how == "alert":  # close_notify that was not encrypted, as an attacker could send it
                wire.send(bytes([21, 3, 3, 0, 2, 1, 0]))
            if how != "reset":
                wire.shutdown(socket.SHUT_RDWR)


class Switching(Pages):
    def do_GET(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.end_headers()
        for line in self.rfile:
            self.wfile.write(line)
        self.close_connection = True


class Moving(Pages):
    def do_GET(self):
        host = self.headers["Host"]
        places = {
            "/base/to-origin": f"{self.server.url}/base/there", "/base/to-host": f"https://{host}/base/there",
            "/base/relative": "/base/there", "/base/to-others": "https://other.test/base/there",
        }
        body = b"" if self.path in places else f"you are {self.path}".encode()
        self.send_response(302 if self.path in places else 200)
        if self.path in places:
            self.send_header("Location", places[self.path])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    unittest.main()
