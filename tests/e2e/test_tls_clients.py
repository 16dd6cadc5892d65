"""Real clients of TLS listeners: curl, openssl, wget, Python, Node; and bytes that are no TLS."""

import ctypes
import ctypes.util
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

import pki
from harness import BINARY, DEADLINE, Case, Pages, connect, content
from pki import DAY

ALERT = 21
UNRECOGNIZED_NAME, NO_APPLICATION_PROTOCOL, DECODE_ERROR, UNEXPECTED_MESSAGE = 112, 120, 50, 10


def setUpModule():
    global made
    made = Made()


def tearDownModule():
    made.pki.close()


class Made:
    """An authority, and certificates for several names."""

    def __init__(self):
        self.pki = of = pki.Pki()
        self.root = of.authority("Clients Root")
        self.middle = of.authority("Clients Intermediate", self.root)
        self.ca = of.file(self.root, key=False)
        self.site = of.file(of.issue(self.middle, "site.test", dns=["site.test"], addresses=["127.0.0.1", "::1"]),
                            self.middle)
        self.two = of.file(of.issue(self.root, "two.test", dns=["two.test", "deep.wild.test"]))
        self.wild = of.file(of.issue(self.root, "wild", dns=["*.wild.test"]))
        self.users = of.authority("Users Root")
        self.users_ca = of.file(self.users, key=False)


class Talk:
    """A running `openssl s_client`, whose input stays open."""

    def __init__(self, *argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.output = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while part := os.read(self.process.stdout.fileno(), 65536):
            self.output += part

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def stop(self):
        self.process.kill()
        self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        for pipe in [self.process.stdin, self.process.stdout]:
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # the program has ended before it read everything


class Tls(Case):
    """A reverse proxy with a listener for TLS."""

    def serve(self, *options, certificates=None, origin=None, plain=True):
        """Starts the proxy. It has a listener for plain requests, too, unless `plain` is false."""
        folder = self.folder()
        self.log, self.control = folder / "log", str(folder / "c.sock")
        self.origin = origin or self.start_origin()
        certificates = certificates or [made.site]
        pairs = [option for file in certificates for option in ("--tls-cert", file)]
        self.proxy = self.start_proxy(
            "--to", self.origin.url, "--listen-tls", "127.0.0.1:0", *pairs, "--access-log", str(self.log),
            "--control", self.control, *options, listen="127.0.0.1:0" if plain else None)
        self.port = self.proxy.ports(2)[1] if plain else self.proxy.port
        return self.proxy

    def url(self, path, host="site.test"):
        return f"https://{host}:{self.port}{path}"

    def ask(self, path, *args, host="site.test", **kwargs):
        """Requests a URL by curl."""
        resolve = ["--resolve", f"{host}:{self.port}:127.0.0.1", "--cacert", made.ca]
        return self.curl(*resolve, self.url(path, host), *args, **kwargs)

    def s_client(self, *args, request=None, code=0):
        """Runs `openssl s_client` with one request, and returns its output."""
        if request is None:
            request = b"GET /bytes/10 HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n"
        argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", made.ca, "-ign_eof", *args]
        done = subprocess.run(argv, input=request, capture_output=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, code, done)
        return (done.stdout + done.stderr).decode("latin-1")

    def talk(self, *args):
        talk = Talk("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", made.ca, "-servername",
                    "site.test", *args)
        self.addCleanup(talk.stop)
        return talk

    def stats(self):
        return json.loads(self.run_command(BINARY, "stats", "--json", "--control", self.control))

    def raw(self, port=None):
        connection = connect("127.0.0.1", port or self.port)
        self.addCleanup(connection.close)
        return connection

    def secure(self):
        """Returns a connection by Python's ssl."""
        connection = ssl.create_default_context(cafile=made.ca).wrap_socket(self.raw(), server_hostname="site.test")
        self.addCleanup(connection.close)
        return connection

    def assert_logged(self, text):
        self.wait_until(lambda: self.log.exists() and text in self.log.read_text(), self.log.read_text)


def received(connection):
    """Returns all bytes until the peer has closed."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def hello(**how):
    """Returns a ClientHello as Python sends it."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.wrap_bio(into, out, **how).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


class Curl(Tls):
    def test_versions(self):
        self.serve()
        for option, version in [("--tls-max", "1.2"), ("--tlsv1.3", "1.3")]:
            options = [option, version] if option == "--tls-max" else [option]
            self.assertEqual(self.ask("/bytes/5000", *options), content(5000))
            self.assertEqual(self.stats()["tls_handshakes_total"][f"TLSv{version}"], 1)
        self.ask("/", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0", "--tlsv1.0", code=35)
        self.assertEqual(self.origin.counts, {"/bytes/5000": 1})

    def test_connection_is_kept(self):
        self.serve()
        counts = self.ask("/bytes/[10-12]", "-o", "/dev/null", "-w", "%{num_connects} %{http_version}\n")
        self.assertEqual(counts, b"1 1.1\n0 1.1\n0 1.1\n")

    def test_methods_and_ranges(self):
        self.serve()
        body = content(700_000)
        self.assertEqual(self.ask("/echo", "--data-binary", "@-", input=body), body)
        self.assertEqual(self.ask("/echo", "-T", "-", input=body), body)
        expect = ("-H", "Expect: 100-continue", "--expect100-timeout", "2")
        self.assertEqual(self.ask("/echo", "--data-binary", "@-", *expect, input=body), body)
        status, fields = self.head_of(self.ask("/bytes/5000", "-I"))
        self.assertEqual((status, fields["Content-Length"]), (200, "5000"))
        for path in ["/bytes/300000", "/raw/300000"]:
            self.assertEqual(self.ask(path, "-r", "123456-200000"), content(300000)[123456:200001])

    def test_large_response_is_whole(self):
        self.serve()
        size = 64 << 20
        sums = hashlib.md5(self.ask(f"/raw/{size}")).digest()
        self.assertEqual(sums, hashlib.md5(content(size)).digest())

    def test_origin_is_told_of_https(self):
        self.serve("--hsts", "1h", origin=self.start_origin(Told))
        answer = self.ask("/", "-i")
        _, fields = self.head_of(answer)
        self.assertIn(f"https site.test:{self.port}", answer.decode())
        self.assertEqual(fields["Strict-Transport-Security"], "max-age=3600")
        _, fields = self.head_of(self.curl("-i", self.proxy.url))
        self.assertNotIn("Strict-Transport-Security", fields)

    def test_clients_do_not_trust_another_name(self):
        self.serve()
        self.ask("/", host="other.test", code=60)

    def test_listener_for_tls_alone(self):
        self.serve(plain=False)
        self.assertIn(f"https://127.0.0.1:{self.port}", self.proxy.banner[0])
        self.assertTrue(any("site.test, 127.0.0.1" in line for line in self.proxy.banner), self.proxy.banner)
        self.assertEqual(self.ask("/bytes/10"), content(10))

    def test_forward_proxy(self):
        """A client may reach a forward proxy itself by TLS."""
        origin = self.start_origin()
        proxy = self.start_forward("--listen-tls", "127.0.0.1:0", "--tls-cert", made.site, listen=None)
        proxied = ["-x", f"https://127.0.0.1:{proxy.port}", "--proxy-cacert", made.ca]
        self.assertEqual(self.curl(*proxied, origin.url + "/bytes/100"), content(100))
        self.assertIn("hit", self.head_of(self.curl("-i", *proxied, origin.url + "/bytes/100"))[1]["Cache-Status"])


class Told(Pages):
    def do_GET(self):
        said = f"{self.headers['X-Forwarded-Proto']} {self.headers['Host']}".encode()
        self.head(200, len(said))
        self.wfile.write(said)


class Openssl(Tls):
    def test_certificate_is_chosen_by_name(self):
        self.serve(certificates=[made.site, made.two, made.wild])
        for name, subject in [("site.test", "site.test"), ("two.test", "two.test"), ("TWO.test", "two.test"),
                              ("a.wild.test", "wild"), ("deep.wild.test", "two.test"), ("a.b.wild.test", "site.test"),
                              ("wild.test", "site.test"), ("unknown.test", "site.test"), ("two.test.", "two.test"),
                              ("127.0.0.1", "site.test")]:
            with self.subTest(name):
                said = self.s_client("-servername", name)
                self.assertIn(f"\nsubject=CN = {subject}\n", said)
                self.assertIn("HTTP/1.1 200", said)
                self.assertIn("Verify return code: 0 (ok)", said)
        self.assertIn("\nsubject=CN = site.test\n", self.s_client("-noservername"))

    def test_versions(self):
        self.serve()
        for option, name in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")]:
            self.assertIn(f"New, {name}", self.s_client(option))
        for option in ["-tls1", "-tls1_1"]:
            said = self.s_client(option, "-cipher", "DEFAULT:@SECLEVEL=0", code=1)
            self.assertIn("SSL alert number 70", said)
        self.assertEqual(self.stats()["tls_handshake_failures_total"], {"tls-incompatible": 2})

    def test_weak_ciphers_are_refused(self):
        self.serve()
        said = self.s_client("-tls1_2", "-cipher", "AES128-SHA:AES256-SHA256:AES128-GCM-SHA256", code=1)
        self.assertIn("SSL alert number 40", said)

    def test_session_is_resumed_in_tls_1_3(self):
        self.serve()
        file = str(self.folder() / "session")
        self.assertIn("New, TLSv1.3", self.s_client("-sess_out", file))
        self.assertIn("Reused, TLSv1.3", self.s_client("-sess_in", file))
        self.assertEqual(self.stats()["tls_handshakes_total"], {"TLSv1.3": 1, "TLSv1.3 resumed": 1})

    def test_session_is_resumed_in_tls_1_2(self):
        self.serve()
        file = str(self.folder() / "session")
        self.assertIn("New, TLSv1.2", self.s_client("-tls1_2", "-sess_out", file))
        self.assertIn("Reused, TLSv1.2", self.s_client("-tls1_2", "-sess_in", file))
        said = self.s_client("-tls1_2", "-reconnect")
        self.assertEqual(said.count("Reused, TLSv1.2"), 5)

    def test_session_is_not_resumed_by_another_name(self):
        """A session belongs to the name under which it began (RFC 6066 §3)."""
        self.serve(certificates=[made.site, made.two])
        file = str(self.folder() / "session")
        self.s_client("-servername", "site.test", "-sess_out", file)
        self.assertIn("New, TLSv1.3", self.s_client("-servername", "two.test", "-sess_in", file))

    def test_application_protocols(self):
        self.serve()
        self.assertIn("ALPN protocol: http/1.1", self.s_client("-alpn", "h2,http/1.1"))
        self.assertIn("No ALPN negotiated", self.s_client())
        said = self.s_client("-alpn", "h2", code=1)
        self.assertIn(f"SSL alert number {NO_APPLICATION_PROTOCOL}", said)
        self.assert_logged("[tls-incompatible]")

    def test_renegotiation_is_refused(self):
        self.serve()
        talk = self.talk("-tls1_2")
        self.wait_until(lambda: b"Verify return code" in talk.output)
        talk.say(b"R\n")
        self.wait_until(lambda: b"no renegotiation" in talk.output, talk.output)
        self.assertEqual(self.ask("/bytes/10"), content(10))

    def test_keys_are_updated(self):
        self.serve()
        talk = self.talk("-tls1_3")
        self.wait_until(lambda: b"Verify return code" in talk.output)
        for turn in range(1, 4):
            for command in [b"K", b"k"]:
                talk.say(command + b"\n")
                count = 2 * turn - (command == b"K")
                self.wait_until(lambda: talk.output.count(b"KEYUPDATE") == count, talk.output)
            talk.say(b"GET /bytes/10 HTTP/1.1\r\nHost: site.test\r\n\r\n")
            self.wait_until(lambda: talk.output.count(b"HTTP/1.1 200 OK") == turn, talk.output)
        self.assertEqual(self.stats()["tls_handshakes_total"], {"TLSv1.3": 1})


LIBSSL = ctypes.util.find_library("ssl")


class Library:
    """A client of TLS 1.3 by libssl itself, which can do what neither openssl nor Python offers."""

    def __init__(self, connection):
        self.ssl = ctypes.CDLL(LIBSSL)
        for name in ["TLS_client_method", "SSL_CTX_new", "SSL_new"]:
            getattr(self.ssl, name).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.ssl.SSL_CTX_new(ctypes.c_void_p(self.ssl.TLS_client_method())))
        self.session = ctypes.c_void_p(self.ssl.SSL_new(self.context))
        connection.setblocking(True)
        self.ssl.SSL_set_fd(self.session, connection.fileno())
        if self.ssl.SSL_connect(self.session) != 1:
            raise AssertionError("the handshake has failed")

    def update(self):
        """Updates the keys, and asks for an update in return. Returns true unless the connection has ended."""
        return self.ssl.SSL_key_update(self.session, 1) == 1 and self.ssl.SSL_do_handshake(self.session) == 1

    def write(self, data):
        return self.ssl.SSL_write(self.session, data, len(data))

    def read(self):
        buffer = ctypes.create_string_buffer(65536)
        count = self.ssl.SSL_read(self.session, buffer, len(buffer))
        return buffer.raw[: max(0, count)]

    def close(self):
        self.ssl.SSL_free(self.session)
        self.ssl.SSL_CTX_free(self.context)


@unittest.skipUnless(LIBSSL, "needs libssl")
class KeyUpdates(Tls):
    def open(self):
        client = Library(self.raw())
        self.addCleanup(client.close)
        return client

    def test_some_are_answered(self):
        self.serve()
        client = self.open()
        for _ in range(5):
            for _ in range(10):
                self.assertTrue(client.update())
            client.write(b"GET /bytes/10 HTTP/1.1\r\nHost: site.test\r\n\r\n")
            answer = b""
            while not answer.endswith(content(10)):
                self.assertTrue(part := client.read())
                answer += part

    def test_flood_ends_the_connection(self):
        self.serve()
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        clients = [self.open() for _ in range(10)]
        for client in clients:
            for _ in range(2000):
                if not client.update():
                    break
            client.write(b"GET /bytes/10 HTTP/1.1\r\nHost: site.test\r\n\r\n")
            self.assertEqual(client.read(), b"")
        self.assertEqual(self.ask("/bytes/10"), content(10))
        self.assertLess(self.proxy.memory(), 100 << 20)


class Names(Tls):
    def setUp(self):
        self.serve("--tls-strict-sni", certificates=[made.site, made.two])

    def test_unknown_names_are_refused(self):
        for args in [["-servername", "unknown.test"], ["-noservername"]]:
            self.assertIn(f"SSL alert number {UNRECOGNIZED_NAME}", self.s_client(*args, code=1))
        self.assert_logged("tls-unknown-name")
        self.assertEqual(self.stats()["tls_handshake_failures_total"], {"tls-unknown-name": 2})

    def test_known_names_are_served(self):
        for name in ["site.test", "two.test"]:
            self.assertIn(f"\nsubject=CN = {name}\n", self.s_client("-servername", name))


class ClientCertificates(Tls):
    def own(self, issuer=None, **how):
        how.setdefault("purposes", ["client"])
        leaf = made.pki.issue(issuer or made.users, "alice", **how)
        return ["-cert", made.pki.file(leaf, key=False), "-key", str(leaf.key.file)]

    def test_certificate_is_required(self):
        self.serve("--client-ca", made.users_ca)
        for option in ["-tls1_2", "-tls1_3"]:
            self.assertIn("HTTP/1.1 200", self.s_client(option, *self.own()))
            self.log.write_text("")
            for args, alert, word in [
                ([], 116, "certificate-missing"),
                (self.own(made.root), 48, "certificate-unknown-issuer"),
                (self.own(begins=-3 * DAY, ends=-DAY), 45, "certificate-expired"),
                (self.own(purposes=["server"]), 43, "certificate-purpose"),
            ]:
                with self.subTest((option, word)):
                    said = self.s_client(option, *args, code=1)
                    self.assertIn(f"SSL alert number {alert}\n", said)
                    self.assert_logged(f"[{word}]")
        self.assertEqual(self.origin.counts, {"/bytes/10": 1}, "no other client may reach the origin")

    def test_certificate_is_optional(self):
        self.serve("--client-ca", made.users_ca, "--client-cert", "optional")
        self.assertIn("HTTP/1.1 200", self.s_client())
        self.assertIn("HTTP/1.1 200", self.s_client(*self.own()))
        self.assertIn("SSL alert number 48", self.s_client(*self.own(made.root), code=1))
        self.assertIn("CN = Users Root", self.s_client(), "the client is told which authorities are accepted")

    def test_session_of_a_client_is_resumed(self):
        self.serve("--client-ca", made.users_ca)
        file = str(self.folder() / "session")
        self.s_client("-sess_out", file, *self.own())
        self.assertIn("Reused, TLSv1.3", self.s_client("-sess_in", file, *self.own()))


class Programs(Tls):
    def setUp(self):
        self.serve()

    def test_wget(self):
        for options in [[], ["--secure-protocol=TLSv1_2"]]:
            page = self.run_command("wget", "-q", "-O", "-", *options, f"--ca-certificate={made.ca}",
                                    self.url("/bytes/9000", "127.0.0.1"))
            self.assertEqual(page, content(9000))

    def test_python_keeps_its_connection(self):
        context = ssl.create_default_context(cafile=made.ca)
        client = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE, context=context)
        self.addCleanup(client.close)
        for path in ["/bytes/100", "/bytes/100", "/raw/100", "/bytes/70000"]:
            client.request("GET", path)
            answer = client.getresponse()
            self.assertEqual(answer.read(), content(int(path.split("/")[2])))
            self.assertFalse(answer.will_close)
        self.assertEqual(self.stats()["tls_handshakes_total"], {"TLSv1.3": 1})

    def test_end_is_declared(self):
        """The proxy sends close_notify before it closes: a client can tell the end from truncation."""
        for options in [{}, {"suppress_ragged_eofs": False}]:
            context = ssl.create_default_context(cafile=made.ca)
            with context.wrap_socket(self.raw(), server_hostname="site.test", **options) as client:
                client.sendall(b"GET /raw/70000 HTTP/1.0\r\nHost: site.test\r\n\r\n")
                self.assertTrue(received(client).endswith(content(70000)))

    def test_requests_are_pipelined(self):
        client = self.secure()
        request = b"GET /bytes/10 HTTP/1.1\r\nHost: site.test\r\n"
        client.sendall(50 * (request + b"\r\n") + request + b"Connection: close\r\n\r\n")
        self.assertEqual(received(client).count(b"HTTP/1.1 200"), 51)

    def test_client_that_has_declared_its_end_gets_its_response(self):
        """close_notify ends one direction only (RFC 8446 §6.1)."""
        for size in [10, 300_000]:
            with self.raw() as connection:
                into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
                client = ssl.create_default_context(cafile=made.ca).wrap_bio(into, out, server_hostname="site.test")
                while True:
                    try:
                        client.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        connection.sendall(out.read())
                        into.write(connection.recv(65536))
                client.write(f"GET /raw/{size} HTTP/1.1\r\nHost: site.test\r\n\r\n".encode())
                with self.assertRaises(ssl.SSLWantReadError):
                    client.unwrap()
                connection.sendall(out.read())
                connection.shutdown(socket.SHUT_WR)
                into.write(received(connection))
                into.write_eof()
                answer = b""
                try:
                    while part := client.read(65536):
                        answer += part
                except (ssl.SSLZeroReturnError, ssl.SSLError):
                    pass
                self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer[:100])
                self.assertTrue(answer.endswith(content(size)))

    def test_node(self):
        script = """
            const https = require('node:https'), fs = require('node:fs')
            const [port, ca] = process.argv.slice(1)
            const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: fs.readFileSync(ca) })
            const get = (path) => new Promise((resolve, reject) => {
              const options = { host: '127.0.0.1', port, path, agent, servername: 'site.test', ALPNProtocols: ['h2', 'http/1.1'] }
              https.get(options, async (answer) => {
                const session = `${answer.socket.getProtocol()} ${answer.socket.alpnProtocol}`
                let size = 0
                for await (const part of answer) size += part.length
                resolve(`${answer.statusCode} ${size} ${session}`)
              }).on('error', reject)
            })
            ;(async () => {
              for (const path of ['/bytes/10', '/bytes/10', '/raw/300000']) console.log(await get(path))
              agent.destroy()
            })()
        """
        said = self.run_command("node", "-e", script, str(self.port), made.ca).decode().splitlines()
        self.assertEqual(said, [f"200 {size} TLSv1.3 http/1.1" for size in [10, 10, 300000]])
        self.assertEqual(self.stats()["tls_handshakes_total"], {"TLSv1.3": 1})

    @unittest.skipUnless(shutil.which("chromium"), "needs chromium")
    def test_chromium(self):
        # The browser's own requests reach nothing.
        argv = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--ignore-certificate-errors",
                f"--user-data-dir={self.folder()}", "--dump-dom", self.url("/page", "127.0.0.1")]
        done = subprocess.run(argv, capture_output=True, timeout=DEADLINE)
        self.assertIn(b"<p>shown</p>", done.stdout, done.stderr)
        self.assertEqual(self.origin.counts["/page"], 1)
        self.assertIn("TLSv1.3", self.stats()["tls_handshakes_total"])


class OtherBytes(Tls):
    """Clients that send something else than the messages of TLS in order."""

    def setUp(self):
        self.serve("--header-timeout", "2s")

    def assert_alert(self, connection, number):
        """Checks that a fatal alert is received, and then the end."""
        self.assertEqual(received(connection), bytes([ALERT, 3, 3, 0, 2, 2, number]))

    def assert_served(self):
        self.assertEqual(self.ask("/bytes/10"), content(10))

    def test_plain_http_gets_a_plain_response(self):
        for request in [b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n", b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"]:
            client = self.raw()
            client.sendall(request)
            answer = received(client)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
            self.assertIn(b"this port speaks TLS; use an https:// URL", answer)
        self.assert_logged("[http-on-tls-port]")
        self.assertEqual(self.origin.counts, {})
        self.assertIn(b"400", self.curl("-i", f"http://127.0.0.1:{self.port}/"))

    def test_tls_on_the_plain_port(self):
        client = self.raw(self.proxy.port)
        client.sendall(hello(server_hostname="site.test"))
        self.assertIn(b"this port speaks plain HTTP", received(client))
        self.assert_logged("[tls-on-plain-port]")

    def test_other_protocols_get_an_alert(self):
        for data in [b"\0", b"\0\1garbage", b"\x80\x2e\1\0\2", bytes(range(128, 256)) * 100]:
            client = self.raw()
            client.sendall(data)
            self.assert_alert(client, UNEXPECTED_MESSAGE)
        self.assert_logged("[not-tls]")

    def test_malformed_messages_get_an_alert(self):
        whole = hello(server_hostname="site.test")
        record = lambda size, data: bytes([22, 3, 1]) + size.to_bytes(2, "big") + data
        for data in [record(5, b"hello"), record(0x5000, bytes(0x5000)), record(4, bytes([1, 255, 255, 255])),
                     record(4, bytes([1, 0, 0, 0])), record(4, bytes([2, 0, 0, 0])),
                     whole[:43] + bytes([255]) + whole[44:]]:
            with self.subTest(data[:20]):
                client = self.raw()
                client.sendall(data)
                answer = received(client)
                self.assertEqual((answer[0], len(answer), answer[5]), (ALERT, 7, 2), answer)
        self.assert_logged("[tls-protocol]")
        self.assert_served()

    def test_first_message_beyond_all_bounds(self):
        client = self.raw()
        try:
            client.sendall(bytes([22, 3, 1, 64, 0, 1, 255, 255, 255]) + bytes(16380))
            for _ in range(100):
                client.sendall(bytes([22, 3, 1, 64, 0]) + bytes(16384))
        except OSError:
            pass
        received(client)
        self.assert_served()

    def test_first_message_arrives_in_parts(self):
        client = self.raw()
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = ssl.create_default_context(cafile=made.ca).wrap_bio(into, out, server_hostname="site.test")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    for byte in out.read():
                        client.sendall(bytes([byte]))
                    into.write(client.recv(65536))

        until_done(session.do_handshake)
        session.write(b"GET /bytes/10 HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")
        self.assertIn(b"HTTP/1.1 200", until_done(lambda: session.read(65536)))

    def test_first_message_in_several_records(self):
        whole = hello(server_hostname="site.test")[5:]
        client = self.raw()
        for at in range(0, len(whole), 7):
            part = whole[at : at + 7]
            client.sendall(bytes([22, 3, 1, 0, len(part)]) + part)
        self.assertEqual(client.recv(5)[0], 22, "the ServerHello")

    def test_stalled_handshakes_end_in_time_and_disturb_nobody(self):
        whole = hello(server_hostname="site.test")
        begins = [b"", whole[:1], whole[:100], whole]
        stalled = [self.raw() for _ in range(200)]
        for number, client in enumerate(stalled):
            client.sendall(begins[number % len(begins)])
        self.wait_until(lambda: self.stats()["clients"] >= len(stalled))
        for _ in range(5):
            self.assert_served()
        began = time.monotonic()
        for client in stalled:
            received(client)
        self.assertLess(time.monotonic() - began, 20)
        self.assert_served()
        self.assertEqual(self.stats()["tls_handshake_failures_total"], {"timeout": len(stalled)})

    def test_request_that_is_refused_early(self):
        """The response arrives although the client still sends."""
        file = self.folder() / "tidegate.toml"
        file.write_text('[limits]\nupload = "1KiB"\n')
        self.serve("-c", str(file))
        for options in [["--tls-max", "1.2"], ["--tlsv1.3"]]:
            for upload in ["-T", "--data-binary"]:
                data = "@-" if upload == "--data-binary" else "-"
                answer = self.ask("/echo", "-i", upload, data, "-H", "Expect:", *options, input=bytes(20_000_000))
                self.assertEqual(self.head_of(answer)[0], 413)

    def test_proxy_that_drains(self):
        """Idle connections end by close_notify, those in use when their response is complete."""
        context = ssl.create_default_context(cafile=made.ca)
        idle, busy = [context.wrap_socket(self.raw(), server_hostname="site.test", suppress_ragged_eofs=False)
                      for _ in range(2)]
        for client, size in [(idle, 10), (busy, 50_000_000)]:
            self.addCleanup(client.close)
            client.sendall(f"GET /raw/{size} HTTP/1.1\r\nHost: site.test\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(content(10)):
            answer += idle.recv(65536)
        whole = busy.recv(100)
        self.proxy.signal(signal.SIGTERM)
        self.assertEqual(received(idle), b"")
        whole += received(busy)
        self.assertEqual(len(whole.partition(b"\r\n\r\n")[2]), 50_000_000)
        self.assertEqual(self.proxy.stop(), 0)

    def test_client_that_disappears(self):
        for data in [b"", hello()[:50], hello()]:
            client = self.raw()
            client.sendall(data)
            client.close()
        self.assert_served()

    def test_garbage_within_a_session_ends_it(self):
        client = self.raw()
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = ssl.create_default_context(cafile=made.ca).wrap_bio(into, out, server_hostname="site.test")
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.sendall(out.read())
                into.write(client.recv(65536))
        client.sendall(out.read() + bytes([23, 3, 3, 0, 40]) + bytes(40))
        self.assertEqual(received(client)[-24:-21][:1], b"\x17", "an encrypted alert")
        self.assert_served()


class Redirect(Tls):
    def ask_plain(self, request):
        client = self.raw(self.redirect)
        client.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += client.recv(65536)
        return self.head_of(answer)

    def setUp(self):
        self.serve("--http-redirect", "127.0.0.1:0")
        self.redirect = self.proxy.ports(3)[2]

    def test_urls_are_kept(self):
        base = f"https://site.test:{self.port}"
        for target, host, location in [
            ("/", "site.test", "/"), ("/a/b?c=d&e=%20", "SITE.test:80", "/a/b?c=d&e=%20"),
            ("/?", "site.test:8080", "/?"), ("http://site.test/x", "other.test", "/x"),
            ("http://site.test?q", "site.test", "/?q"), ("//evil.test/", "site.test", "//evil.test/"),
        ]:
            with self.subTest(target):
                status, fields = self.ask_plain(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                self.assertEqual((status, fields["Location"]), (308, base + location))
        status, fields = self.ask_plain(b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")
        self.assertEqual(fields["Location"], f"https://[::1]:{self.port}/")
        self.assertEqual(self.origin.counts, {})

    def test_methods(self):
        for method in ["HEAD", "POST", "PUT", "DELETE"]:
            request = f"{method} /x HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n\r\n".encode()
            self.assertEqual(self.ask_plain(request)[0], 308)
        status, fields = self.ask_plain(b"CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n\r\n")
        self.assertEqual(status, 405)
        self.assertIn("GET", fields["Allow"])

    def test_requests_without_a_host(self):
        for request in [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"]:
            self.assertEqual(self.ask_plain(request)[0], 400, request)
        self.assertEqual(self.ask_plain(b"GET /y HTTP/1.0\r\nHost: site.test\r\n\r\n")[1]["Location"],
                         f"https://site.test:{self.port}/y")

    def test_curl_follows(self):
        page = self.curl("-L", "--cacert", made.ca, "--resolve", f"site.test:{self.port}:127.0.0.1", "--resolve",
                         f"site.test:{self.redirect}:127.0.0.1", f"http://site.test:{self.redirect}/bytes/20")
        self.assertEqual(page, content(20))


class Start(Tls):
    def refuse(self, args, texts):
        done = subprocess.run([BINARY, "run", "--listen-tls", "127.0.0.1:0", *args], capture_output=True, text=True,
                              timeout=DEADLINE)
        self.assertNotEqual(done.returncode, 0)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertNotIn("listening", done.stderr)
        self.check(args, texts, 2)

    def check(self, args, texts, code):
        """Checks that `tidegate check` says the same of the same options in a file."""
        lists, listed = {"listen-tls": ["127.0.0.1:0"]}, iter(args)
        for name, value in zip(listed, listed):
            lists.setdefault(name.removeprefix("--"), []).append(value)
        file = self.folder() / "tidegate.toml"
        for name in {"origin-cert", "origin-key", "origin-sni"} & lists.keys():
            [lists[name]] = lists[name]
        file.write_text("".join(f"{name} = {json.dumps(values)}\n" for name, values in lists.items()))
        done = subprocess.run([BINARY, "check", "-c", str(file)], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, code, done)
        for text in texts:
            self.assertIn(text, done.stderr)

    def text(self, name, text):
        file = self.folder() / name
        file.write_bytes(text)
        file.chmod(0o600)
        return str(file)

    def test_certificates_that_cannot_be_used(self):
        of = made.pki
        cert = of.file(of.issue(made.root, "x", dns=["x.test"]), key=False)
        key, other = str(of.key().file), str(of.key(use="other").file)
        expired = of.issue(made.root, "late.test", dns=["late.test"], begins=-3 * DAY, ends=-DAY)
        encrypted = str(self.folder() / "encrypted.key")
        pki.openssl("pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out", encrypted)
        old = str(self.folder() / "old.key")
        pki.openssl("ec", "-in", key, "-aes128", "-passout", "pass:secret", "-out", old)
        garbage = self.text("garbage", b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n")
        noise = self.text("noise", bytes(range(256)))
        empty = self.text("empty", b"")
        wrong = self.text("wrong", pki.pem("CERTIFICATE", b"\x30\x03\x02\x01\x05").encode())
        missing = str(self.folder() / "missing")
        for args, texts in [
            (["--tls-cert", cert, "--tls-key", other], [cert, "the key does not belong to the certificate"]),
            (["--tls-cert", of.file(expired)], ["late.test", "has expired", expired.not_after.strftime("%d %b %Y")]),
            (["--tls-cert", missing, "--tls-key", key], [f"cannot read {missing}", "No such file"]),
            (["--tls-cert", cert, "--tls-key", missing], [f"cannot read {missing}", "No such file"]),
            (["--tls-cert", cert], [cert, "no private key"]),
            (["--tls-cert", garbage, "--tls-key", key], [garbage, "no valid PEM"]),
            (["--tls-cert", noise, "--tls-key", key], [noise, "no certificate"]),
            (["--tls-cert", empty, "--tls-key", key], [empty, "no certificate"]),
            (["--tls-cert", wrong, "--tls-key", key], [wrong, "certificate 1"]),
            (["--tls-cert", cert, "--tls-key", encrypted], [encrypted, "the key is encrypted", "openssl pkey"]),
            (["--tls-cert", cert, "--tls-key", old], [old, "the key is encrypted"]),
            (["--tls-cert", cert, "--tls-cert", cert, "--tls-key", key], ["2 tls-cert and 1 tls-key"]),
            (["--tls-cert", str(self.folder()), "--tls-key", key], ["not a regular file"]),
            ([], ["needs a certificate: add --tls-cert"]),
            (["--tls-cert", made.site, "--client-ca", empty], [empty, "no certificate"]),
            (["--tls-cert", made.site, "--client-ca", wrong], [wrong, "certificate 1 cannot be that of an authority"]),
            (["--tls-cert", made.site, "--origin-ca", wrong], [wrong, "certificate 1 cannot be that of an authority"]),
            (["--tls-cert", made.site, "--origin-cert", cert], [cert, "no private key"]),
            (["--tls-cert", made.site, "--origin-key", key], ["origin-key works with --origin-cert only"]),
            (["--tls-cert", made.site, "--origin-cert", cert, "--origin-key", other], [cert, "does not belong"]),
            (["--tls-cert", made.site, "--origin-ca", empty], [empty, "no certificate"]),
            (["--tls-cert", made.site, "--origin-sni", "no name"], ["no name"]),
        ]:
            with self.subTest(args):
                self.refuse(args, texts)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to become another user")
    def test_file_that_may_not_be_read(self):
        cert = made.site
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", BINARY, "run",
                               "--listen-tls", "127.0.0.1:0", "--tls-cert", cert], capture_output=True, text=True,
                              timeout=DEADLINE)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"cannot read {cert}: Permission denied", done.stderr)

    def test_certificate_that_does_not_suit_is_warned_of(self):
        of = made.pki
        rsa = of.issue(made.root, "rsa", dns=["rsa.test"], key=of.key("RSA-2048"))
        late = of.issue(made.root, "late", dns=["late.test"], begins=-30 * DAY, ends=2 * DAY)
        for file, texts in [
            (of.file(rsa, mode=0o644), ["warning: other users can read the key in", "chmod 600", "the key is RSA (2048 bits)"]),
            (of.file(late), ["the certificate expires in 1 days; renew it"]),
        ]:
            proxy = self.start_proxy("--listen-tls", "127.0.0.1:0", "--tls-cert", file, listen=None)
            for text in [*texts, file]:
                self.assertIn(text, "\n".join(proxy.banner))
            self.check(["--tls-cert", file], [*texts, file], 0)
        proxy = self.start_proxy("--listen-tls", "127.0.0.1:0", "--tls-cert", made.site, listen=None)
        self.assertFalse([line for line in proxy.banner if made.site in line])


class Reload(Tls):
    def setUp(self):
        self.file = self.folder() / "cert.pem"
        self.put("old")
        self.serve(certificates=[str(self.file)])

    def put(self, subject, **how):
        leaf = made.pki.issue(made.root, subject, dns=["site.test"], **how)
        self.file.write_text(leaf.key.pem + leaf.pem)
        self.file.chmod(0o600)

    def subject(self):
        with self.secure() as client:
            return client.getpeercert()["subject"][0][0][1]

    def get(self, client):
        client.sendall(b"GET /raw/3 HTTP/1.1\r\nHost: site.test\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\n" + bytes(3)):
            read = client.recv(4096)
            self.assertTrue(read, answer)
            answer += read
        self.assertIn(b" 200 ", answer)

    def test_certificate_is_replaced(self):
        kept = self.secure()
        self.get(kept)
        self.put("new", key=made.pki.key(use="new"))
        plan = self.reload_at(self.control, "--plan")
        self.assertRegex(plan, r"^certificate added: site.test \(ECDSA P-256, valid until .*\)\n"
                               r"certificate removed: site.test \(ECDSA P-256, valid until .*\)\n$")
        self.assertEqual(self.subject(), "old", "a plan changes nothing")
        self.assertEqual(self.reload_at(self.control), plan + "reloaded\n")
        self.assertEqual(self.subject(), "new")
        self.get(kept)
        self.put("newer")
        self.proxy.signal(signal.SIGHUP)
        self.wait_until(lambda: self.subject() == "newer")
        self.get(kept)

    def test_file_that_is_broken_is_not_used(self):
        kept = self.secure()
        whole = self.file.read_text()
        key = str(self.file)
        for text, reason in [("", "no private key"), (whole.replace("CERTIFICATE", "NOTHING"), "no certificate"),
                             (made.pki.key(use="new").pem + whole.split("-----END PRIVATE KEY-----\n")[1],
                              "the key does not belong to the certificate")]:
            self.file.write_text(text)
            said = self.reload_at(self.control, code=1)
            self.assertIn(key, said)
            self.assertIn(reason, said)
            self.assertIn("not reloaded: the settings stay as they were", said)
            self.assertEqual(self.subject(), "old")
            self.get(kept)
        self.proxy.signal(signal.SIGHUP)
        self.wait_until(lambda: any("not reloaded" in line for line in self.proxy.said))
        self.assertEqual(self.subject(), "old")

    def test_ticket_of_before_a_reload_does_no_harm(self):
        """The settings that a reload makes have other keys for tickets: the handshake is a full one."""
        file = str(self.folder() / "session")
        self.s_client("-servername", "site.test", "-sess_out", file)
        self.reload_at(self.control)
        said = self.s_client("-servername", "site.test", "-sess_in", file)
        self.assertIn("New, TLSv1.3", said)
        self.assertIn("HTTP/1.1 200", said)


if __name__ == "__main__":
    unittest.main()
