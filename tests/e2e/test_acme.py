"""Certificates that the proxy obtains itself, from pebble: a CA for tests of ACME (RFC 8555)."""

import base64
import hashlib
import http.client
import http.server
import itertools
import json
import os
import pwd
import random
import re
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

import pki
from harness import BINARY, DEADLINE, Case, Pages, connect, content
from pki import DAY

ROOT = os.geteuid() == 0
USER = "daemon"
# The CA asks all proxies at the same two ports, so each proxy has an address of its own.
numbers = itertools.count(1)
EAB_ID, EAB_KEY = "kid-1", base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()


def setUpModule():
    global world
    world = World()


def tearDownModule():
    world.close()


def free_port():
    """Returns a port for TCP and UDP. It is below those of clients, so that none of them takes it meanwhile."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass  # in use


def post(url, **fields):
    request = urllib.request.Request(url, json.dumps(fields).encode())
    urllib.request.urlopen(request, timeout=DEADLINE).close()


class Service:
    """A program that listens at a port."""

    def __init__(self, argv, port, **environment):
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
                                        env={**os.environ, **environment})
        end = time.monotonic() + DEADLINE
        while not self.listens(port):
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError((argv, self.said()))
            time.sleep(0.01)

    @staticmethod
    def listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def said(self):
        self.output.seek(0)
        return self.output.read()

    def stop(self):
        self.process.kill()
        self.process.wait(DEADLINE)
        self.output.close()


class Names(Service):
    """A DNS server, whose names have the address 127.0.0.1 until they are moved."""

    def __init__(self):
        self.port, self.management = free_port(), free_port()
        off = [option for kind in ["http01", "https01", "tlsalpn01"] for option in (f"-{kind}", "")]
        super().__init__(["pebble-challtestsrv", *off, "-dns01", f"127.0.0.1:{self.port}", "-management",
                          f"127.0.0.1:{self.management}", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""],
                         self.management)

    def move(self, name, address):
        """Moves a name."""
        post(f"http://127.0.0.1:{self.management}/clear-a", host=name)
        post(f"http://127.0.0.1:{self.management}/add-a", host=name, addresses=[address])


class Ca:
    """A CA that rejects every tenth nonce. Each start forgets accounts, orders and its own key."""

    def __init__(self, of, **config):
        self.of, self.config = of, config
        self.port, self.management = free_port(), free_port()
        self.directory = f"https://127.0.0.1:{self.port}/dir"
        self.service = None

    def start(self):
        of = self.of
        file = of.folder / f"pebble-{self.port}.json"
        file.write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": of.certificate, "privateKey": str(of.pki.key().file), "httpPort": of.http,
            "tlsPort": of.tls, "ocspResponderURL": "", "externalAccountBindingRequired": False, **self.config}}))
        argv = ["pebble", "-config", str(file), "-dnsserver", f"127.0.0.1:{of.names.port}"]
        self.service = Service(argv, self.port, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="10",
                               PEBBLE_AUTHZREUSE="0")
        self.root = str(of.folder / f"root-{self.port}.pem")
        Path(self.root).write_bytes(self.ask("/roots/0"))
        return self

    def ask(self, path):
        trust = ssl.create_default_context(cafile=self.of.ca)
        with urllib.request.urlopen(f"https://127.0.0.1:{self.management}{path}", context=trust,
                                    timeout=DEADLINE) as answer:
            return answer.read()

    def status(self, serial):
        """Returns what the CA knows of a certificate."""
        return json.loads(self.ask(f"/cert-status-by-serial/{serial.lower().lstrip('0')}"))

    def stop(self):
        if self.service:
            self.service.stop()
            self.service = None


class Echo(Pages):
    """An origin that says which path was asked for."""

    def do_GET(self):
        self.head(200, len(self.path))
        self.wfile.write(self.path.encode())


class Closed(http.server.BaseHTTPRequestHandler):
    """A CA that has no directory."""

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *args):
        pass


class ClosedCa(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, of, port=0):
        super().__init__(("127.0.0.1", port), Closed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(of.certificate, of.pki.key().file)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.directory = f"https://127.0.0.1:{self.server_address[1]}/dir"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # clients may disconnect at any time


class World:
    """CAs, the names that they resolve, and certificates of the CAs' own servers."""

    def __init__(self):
        self.pki = of = pki.Pki()
        self.folder = of.folder
        root = of.authority("Root of CAs")
        self.ca = of.file(root, key=False)
        self.certificate = of.file(of.issue(root, "ca", addresses=["127.0.0.1"]), key=False)
        self.users = of.authority("Users Root")
        self.users_ca = of.file(self.users, key=False)
        self.site = of.file(of.issue(self.users, "site.test", dns=["site.test"]))
        self.other_site = of.file(of.issue(self.users, "other.test", dns=["other.test"]))
        self.user = of.file(of.issue(self.users, "user", purposes=["client"]))
        self.http, self.tls = free_port(), free_port()
        self.names = Names()
        self.main = Ca(self).start()
        self.others = {}
        self.closed = ClosedCa(self)

    def other(self, kind, **config):
        """Returns a further CA, which is started when it is first needed."""
        if kind not in self.others:
            self.others[kind] = Ca(self, **config).start()
        return self.others[kind]

    def close(self):
        for service in [self.closed, self.main, *self.others.values(), self.names]:
            service.stop()
        self.pki.close()


def begun(begin):
    """Has `begin` called with the class of a test."""
    def mark(test):
        test.begin = begin
        return test
    return mark


class Acme(Case):
    """A proxy that obtains certificates; in `place` it has an address, a name and files of its own."""

    @classmethod
    def setUpClass(cls):
        """Starts the proxies of tests that are marked so: they obtain their certificates at the same time."""
        cls.started = {}
        for name in dir(cls):
            begin = getattr(getattr(cls, name), "begin", None)
            if begin:
                cls.started[name] = case = cls(name)
                cls.addClassCleanup(case.doCleanups)
                case.prepare()
                begin(case)

    def setUp(self):
        if self._testMethodName in self.started:
            self.go(self.started[self._testMethodName].here())
        else:
            self.prepare()

    def prepare(self):
        self.place()
        self.ca = world.main
        self.origin = self.start_origin()

    def place(self):
        number = next(numbers)
        self.address, self.host = f"127.77.{number // 250}.{number % 250 + 1}", f"h{number}.proxy.test"
        self.names = [f"{each}.{self.host}" for each in ["a", "b", "c"]]
        self.files = self.folder()
        self.store, self.control, self.log = self.files / "acme", self.files / "c.sock", self.files / "log"
        for name in [self.host, *self.names]:
            world.names.move(name, self.address)

    def at(self, ca):
        """Has certificates obtained from this CA."""
        self.ca = ca
        return self

    def start_ca(self):
        """Returns a CA that the test may stop."""
        ca = Ca(world).start()
        self.addCleanup(ca.stop)
        return ca

    def here(self):
        """Returns the place and its proxy, to `go` there again."""
        names = ["address", "host", "names", "files", "store", "control", "log", "ca", "origin", "proxy", "hosts"]
        return {name: getattr(self, name) for name in names}

    def go(self, place):
        self.__dict__.update(place)

    def move(self, name, address):
        """Moves a name, and returns it."""
        world.names.move(name, address)
        return name

    def options(self, *options, plain="redirect", hosts=None, directories=None, forward=False):
        """Returns options of a proxy that listens where the CA asks; `plain` is the listener beside TLS."""
        tls = f"{self.address}:{world.tls}"
        listeners = {"redirect": "--http-redirect", "listen": "--listen"}
        plain = [listeners[plain], f"{self.address}:{world.http}"] if plain else []
        directories = directories or [self.ca.directory]
        mode = ["--allow-destination", "127.0.0.0/8"] if forward else ["--to", self.origin.url]
        return [*mode, "--listen-tls", tls, *plain, "--acme-dir", str(self.store), "--origin-ca", world.ca,
                "--control", str(self.control), "--access-log", str(self.log),
                *(each for host in hosts or [self.host] for each in ("--acme", host)),
                *(each for directory in directories for each in ("--acme-directory", directory)), *options]

    def serve(self, *options, **how):
        self.hosts = how.get("hosts") or [self.host]
        self.origin = how.pop("origin", self.origin)
        self.proxy = self.start_proxy(*self.options(*options, **how), listen=None)
        return self.proxy

    def obtain(self, *options, **how):
        """Starts a proxy, and waits until it has all its certificates."""
        self.serve(*options, **how)
        self.assert_obtained()

    def obtained(self, name=None):
        """Returns the number of certificates that were obtained for a name."""
        return self.said().count(f"\nnew certificate for {name or self.host}, valid until ")

    def assert_obtained(self, count=1, name=None):
        """Waits until so many certificates were obtained for a name, or for each name."""
        for each in [name] if name else [hosts.split(",")[0] for hosts in self.hosts]:
            self.wait_until(lambda: self.obtained(each) >= count, Later(self.said))

    def said(self):
        return "\n".join(self.proxy.banner + self.proxy.said)

    def assert_said(self, text, count=1):
        self.wait_until(lambda: self.said().count(text) >= count, Later(self.said))

    def assert_silent(self, text):
        self.assertNotIn(text, self.said())

    def stats(self):
        return json.loads(self.run_command(BINARY, "stats", "--json", "--control", str(self.control)))

    def renew(self, name=None, *options, code=0):
        """Runs `tidegate renew`, and returns its output: standard error on failure."""
        argv = [BINARY, "renew", name or self.host, *options, "--control", str(self.control)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, code, done)
        return done.stderr if code else done.stdout

    def renewed(self, name=None, *options):
        """Renews a certificate, and waits for the new one."""
        count = self.obtained(name)
        self.renew(name, *options)
        self.assert_obtained(count + 1, name)

    def url(self, path="/bytes/10", host=None):
        return f"https://{host or self.host}:{world.tls}{path}"

    def fetch(self, *args, host=None, root=None, code=0):
        """Requests a page by curl, which trusts the CA."""
        host = host or self.host
        to = ["--resolve", f"{host}:{world.tls}:{self.address}", "--cacert", root or self.ca.root]
        done = self.curl(*to, self.url(host=host), *args, code=code)
        if code == 0:
            self.assertEqual(done, content(10))

    def shown(self, name=None, *args, root=None):
        """Returns the certificate that `openssl s_client` is shown and trusts."""
        argv = ["openssl", "s_client", "-connect", f"{self.address}:{world.tls}", "-CAfile", root or self.ca.root,
                "-verify_return_error", *(["-servername", name] if name else ["-noservername"]), *args]
        done = subprocess.run(argv, input=b"", capture_output=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done)
        return Shown(done.stdout)

    def keep_open(self, name=None, root=None):
        """Returns a connection on which one request was made."""
        trust = ssl.create_default_context(cafile=root or self.ca.root)
        raw = connect(self.address, world.tls)
        connection = http.client.HTTPSConnection(name or self.host, world.tls, timeout=DEADLINE)
        connection.sock = trust.wrap_socket(raw, server_hostname=name or self.host)
        self.addCleanup(connection.close)
        self.ask_on(connection)
        return connection

    def ask_on(self, connection):
        port = connection.sock.getsockname()
        connection.request("GET", "/bytes/10")
        self.assertEqual(connection.getresponse().read(), content(10))
        self.assertEqual(connection.sock.getsockname(), port)

    def stored(self, name=None):
        return self.store / f"{name or self.host}.pem"

    def asked(self):
        """Returns the lines of the access log about challenges."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if "/.well-known/acme-challenge/" in line]

    def refused(self, *args, code):
        """Returns why a command is refused."""
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, code, done)
        return done.stderr


class Later:
    """A message that is made when it is shown."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text()


class Shown:
    """A certificate."""

    def __init__(self, text):
        shown = pki.openssl("x509", "-noout", "-serial", "-ext", "subjectAltName", "-issuer", input=text).decode()
        self.serial = re.search(r"serial=(\w+)", shown)[1]
        self.names = sorted(re.findall(r"(?:DNS|IP Address):([^,\s]+)", shown))


class Challenges(Acme):
    @begun(lambda case: case.serve())
    def test_http_01_over_the_listener_for_redirects(self):
        self.assert_obtained()
        self.assertTrue(self.asked(), "the CA has asked by HTTP")
        self.fetch()
        shown = self.shown(self.host)
        self.assertEqual(shown.names, [self.host])
        self.assertEqual(self.shown(None).serial, shown.serial)
        self.assertEqual(self.ca.status(shown.serial)["Status"], "Valid")
        stats = self.stats()
        self.assertEqual([stats[name] for name in ["certificates_issued_total", "certificate_failures_total",
                                                   "certificates_failing"]], [1, 0, 0])
        self.assertIn(self.host, stats["certificate_days_left"])
        plain = f"http://{self.address}:{world.http}"
        for path in ["/", "/.well-known/acme-challenge/" + "a" * 43]:
            status, fields = self.head_of(self.curl("-i", plain + path))
            self.assertEqual((status, fields["Location"][:8]), (308, "https://"), "other requests are redirected")
        answered = re.search(r"/\.well-known/acme-challenge/[\w-]+", self.asked()[0])[0]
        self.assertEqual(self.head_of(self.curl("-i", plain + answered))[0], 308, "a challenge is answered once")

    @begun(lambda case: case.serve(origin=case.start_origin(Echo), plain="listen"))
    def test_http_01_over_a_plain_listener(self):
        self.assert_obtained()
        self.assertTrue(self.asked())
        path = "/.well-known/acme-challenge/another"
        for start, trust in [(f"http://{self.address}:{world.http}", []), (self.url(""), ["--cacert", self.ca.root])]:
            to = ["--resolve", f"{self.host}:{world.tls}:{self.address}", *trust]
            self.assertEqual(self.curl(*to, start + path).decode(), path, "other challenges are those of the origin")

    @begun(lambda case: case.serve(plain="listen", forward=True))
    def test_http_01_by_a_forward_proxy(self):
        self.assert_obtained()
        self.assertTrue(self.asked())
        to = ["--resolve", f"{self.host}:{world.tls}:{self.address}", "--proxy-cacert", self.ca.root]
        page = self.curl(*to, "-x", self.url(""), self.origin.url + "/bytes/10")
        self.assertEqual(page, content(10))

    @begun(lambda case: case.serve(plain=None))
    def test_tls_alpn_01_with_a_listener_for_tls_alone(self):
        self.assert_obtained()
        self.assertEqual(self.asked(), [])
        self.fetch()
        said = subprocess.run(["openssl", "s_client", "-connect", f"{self.address}:{world.tls}", "-servername",
                               self.host, "-alpn", "acme-tls/1"], input=b"", capture_output=True, timeout=DEADLINE)
        self.assertIn(b"alert", said.stderr, "no challenge is answered any more")

    @begun(lambda case: case.serve("--client-ca", world.users_ca, "--acme-challenge", "tls-alpn-01"))
    def test_tls_alpn_01_if_clients_must_have_certificates(self):
        self.assert_obtained()
        self.assertEqual(self.asked(), [])
        self.fetch("--cert", world.user)
        self.fetch(code=56)

    @begun(lambda case: case.serve(hosts=[",".join([case.host, *case.names])]))
    def test_several_names(self):
        self.assert_obtained()
        for name in [self.host, *self.names]:
            self.assertEqual(self.shown(name).names, sorted([self.host, *self.names]))
            self.fetch(host=name)
        said = self.renew(self.names[0], code=1)
        self.assertIn(f"no certificate for '{self.names[0]}'; there are {self.host}", said)

    @begun(lambda case: case.serve(plain=None, hosts=[",".join([case.host, *case.names])]))
    def test_several_names_by_tls_alpn_01(self):
        self.assert_obtained()
        self.fetch(host=self.names[2])

    @begun(lambda case: case.serve(hosts=[case.address]))
    def test_address(self):
        self.assert_obtained()
        self.assertEqual(self.shown().names, [self.address])
        self.fetch(host=self.address)

    @begun(lambda case: case.serve(hosts=[f"{case.address},{case.host}"], plain=None))
    def test_address_by_tls_alpn_01(self):
        self.assert_obtained()
        self.assertEqual(self.shown().names, [self.address, self.host])
        self.fetch(host=self.address)
        self.fetch()

    @begun(lambda case: case.serve(hosts=[case.host, case.names[0], ",".join(case.names[1:])]))
    def test_several_certificates_at_once(self):
        self.assert_obtained()
        self.assertEqual(len(list(self.store.glob("account-*.pem"))), 1)
        serials = {name: self.shown(name).serial for name in [self.host, *self.names]}
        self.assertEqual(len(set(serials.values())), 3)
        self.assertEqual(serials[self.names[1]], serials[self.names[2]])
        for name in [self.host, *self.names]:
            self.fetch(host=name)
        self.assertEqual(self.stats()["certificates_issued_total"], 3)
        self.renewed(self.names[0])
        self.assertNotEqual(self.shown(self.names[0]).serial, serials[self.names[0]])
        self.assertEqual(self.shown(self.host).serial, serials[self.host])

    @begun(lambda case: case.serve("--acme-email", "ops@proxy.test", "--acme-email", "hostmaster@proxy.test"))
    def test_addresses_of_the_operator_are_sent(self):
        self.assert_obtained()

    @begun(lambda case: case.serve("--tls-cert", world.site))
    def test_configured_certificate_is_served_beside(self):
        self.assert_obtained()
        self.fetch(host="site.test", root=world.users_ca)
        self.fetch()


class Renewals(Acme):
    @begun(lambda case: case.serve())
    def test_renewal_keeps_connections(self):
        self.assert_obtained()
        first, connection = self.shown(self.host).serial, self.keep_open()
        self.assertEqual(self.renew(), f"the certificate for {self.host} is being replaced\n")
        self.assert_obtained(2)
        self.ask_on(connection)
        second = self.shown(self.host).serial
        self.assertNotEqual(first, second)
        self.assertEqual(self.ca.status(first)["Status"], "Valid", "nobody wanted it to be revoked")
        self.fetch()

    @begun(lambda case: case.serve("--tls-cert", world.site, hosts=[case.move(case.host, "127.78.0.1")]))
    def test_first_certificate_keeps_connections(self):
        """A connection with a configured certificate survives the issuance."""
        connection = self.keep_open("site.test", world.users_ca)
        self.assert_said("attempt 1")
        self.move(self.host, self.address)
        self.renewed()
        self.ask_on(connection)
        self.fetch()

    @begun(lambda case: case.serve())
    def test_revocation(self):
        self.assert_obtained()
        first = self.shown(self.host).serial
        self.renewed(None, "--revoke", "key-compromise")
        self.assert_said(f"the replaced certificate for {self.host} was revoked")
        known = self.ca.status(first)
        self.assertEqual((known["Status"], known["Reason"]), ("Revoked", 1))
        self.assertEqual(self.ca.status(self.shown(self.host).serial)["Status"], "Valid")
        refused = self.refused("renew", self.host, "--revoke", "bored", "--control", str(self.control), code=2)
        self.assertIn("bored", refused)

    @begun(lambda case: case.at(world.other("short", certificateValidityPeriod=20)).serve())
    def test_renewal_by_lifetime(self):
        """The CA issues for 20 seconds."""
        self.assert_obtained()
        first, connection = self.shown(self.host).serial, self.keep_open()
        self.assert_obtained(self.obtained() + 1)
        self.ask_on(connection)
        self.assertNotEqual(self.shown(self.host).serial, first)
        self.fetch()
        self.assertEqual(self.stats()["certificate_failures_total"], 0)

    @begun(lambda case: case.serve(hosts=[f"{case.host},{case.names[0]}"]))
    def test_restart_serves_the_stored_certificate(self):
        self.assert_obtained()
        first = self.shown(self.host).serial
        self.proxy.stop()
        self.serve(hosts=[f"{self.host},{self.names[0]}"])
        self.assertEqual(self.shown(self.host).serial, first)
        self.fetch()
        self.renewed()  # by the stored account
        self.assertEqual(len(list(self.store.glob("account-*.pem"))), 1)
        self.assertEqual(self.stats()["certificates_issued_total"], 1)
        self.proxy.stop()
        self.obtain(hosts=[f"{self.host},{self.names[1]}"])  # other names need another certificate
        self.assertEqual(self.shown(self.host).names, sorted([self.host, self.names[1]]))

    def test_reloads_keep_the_certificate(self):
        file = self.files / "site.pem"
        file.write_text(Path(world.site).read_text())
        self.obtain("--tls-cert", str(file))
        self.assertEqual(self.reload_at(self.control), "reloaded\n")
        self.fetch()
        new = self.files / "new.pem"
        new.write_text(Path(world.other_site).read_text())
        new.rename(file)
        self.assert_said("files of certificates have changed and were read again")
        self.fetch(host="other.test", root=world.users_ca)
        self.fetch()
        self.renewed()
        self.fetch()

    @begun(lambda case: case.at(case.start_ca()).serve())
    def test_ca_that_is_down_at_a_renewal(self):
        ca = self.ca
        self.assert_obtained()
        first, connection = self.shown(self.host).serial, self.keep_open()
        ca.stop()
        closed = ClosedCa(world, ca.port)
        try:
            self.renew()
            self.assert_said("attempt 1: directory of the CA: the CA says HTTP status 404; the one in use is valid")
        finally:
            closed.stop()
        self.assertEqual(self.stats()["certificates_failing"], 1)
        self.ask_on(connection)
        self.assertEqual(self.shown(self.host).serial, first)
        self.fetch()
        self.renew()
        self.assert_said("attempt 2: directory of the CA: no response: ")
        ca.start()
        self.renew()
        self.assert_obtained(2)
        self.ask_on(connection)
        self.fetch()
        self.assertEqual(self.stats()["certificates_failing"], 0)

    @begun(lambda case: case.at(case.start_ca()).serve())
    def test_account_that_the_ca_has_lost_is_registered_again(self):
        ca = self.ca
        self.assert_obtained()
        ca.stop()
        ca.start()
        self.renewed()
        self.fetch()


class Files(Acme):
    @begun(lambda case: case.serve())
    def test_modes_and_replacement(self):
        self.assert_obtained()
        self.wait_until(self.stored().exists)
        self.assertEqual(stat.S_IMODE(self.store.stat().st_mode), 0o700)
        for file in self.store.iterdir():
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file)
        before, seen, ended = self.stored().read_text(), set(), threading.Event()

        def watch():
            while not ended.is_set():
                seen.add(self.stored().read_text())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            self.renewed()
            self.wait_until(lambda: self.stored().read_text() != before)
        finally:
            ended.set()
            watcher.join(DEADLINE)
        self.assertLessEqual(len(seen), 2)
        for text in seen:
            self.assertRegex(text, r"(?s)^-----BEGIN CERTIFICATE-----.*-----END PRIVATE KEY-----\n$")
        self.assertFalse(list(self.store.glob("*.new")))
        pki.openssl("x509", "-in", str(self.stored()), "-noout")
        pki.openssl("pkey", "-in", str(self.stored()), "-noout")

    @begun(lambda case: case.serve())
    def test_second_process_is_refused(self):
        self.assert_obtained()
        first, store, place = self.shown(self.host).serial, self.store, self.here()
        self.place()
        self.store = store
        said = self.refused("run", *self.options(), code=1)
        self.assertIn(f"--acme-dir {store}: another process uses the folder", said)
        self.go(place)
        self.assertEqual(self.shown(self.host).serial, first)
        self.proxy.process.kill()  # the lock ends with the process
        self.proxy.process.wait(DEADLINE)
        self.serve()
        self.assertEqual(self.shown(self.host).serial, first)

    def serve_from(self, **files):
        """Starts a proxy whose folder has these files."""
        self.place()
        self.store.mkdir(mode=0o700)
        for name, text in files.items():
            (self.store / name.format(self=self)).write_text(text)
        self.serve()
        return self.here()

    def test_corrupt_certificate_is_replaced(self):
        of = world.pki
        expired = of.issue(world.users, "expired", dns=[f"h{number}.proxy.test" for number in range(100)],
                           begins=-9 * DAY, ends=-DAY)
        other = Path(world.site).read_text()
        texts = {"garbage": "\x7fELF\n", "nothing": "", "expired": expired.key.pem + expired.pem, "other": other,
                 "wrong key": of.key("P-384").pem + expired.pem}
        for place in [self.serve_from(**{"{self.host}.pem": text, "{self.host}.pem.new": "left by a crash",
                                         "notes.txt": "not of the proxy"}) for text in texts.values()]:
            self.go(place)
            self.assert_obtained()
            self.assertIn(f"warning: {self.stored()}: ", self.said())
            self.fetch()
            self.assertEqual((self.store / "notes.txt").read_text(), "not of the proxy")

    def test_corrupt_account_is_replaced(self):
        name = f"account-{hashlib.sha256(self.ca.directory.encode()).hexdigest()[:16]}.pem"
        key = world.pki.key().pem
        texts = ["", "\0\1\2", f"Directory: {self.ca.directory}\n\n{key[:70]}",
                 f"Directory: {self.ca.directory}\n\n{world.pki.key('P-384').pem}"]
        for place in [self.serve_from(**{name: text, "account-foreign.pem": "a diary"}) for text in texts]:
            self.go(place)
            self.assert_obtained()
            for file in [name, "account-foreign.pem"]:
                self.assertIn(f"warning: {self.store / file}: ", self.said())
            self.assertEqual((self.store / "account-foreign.pem").read_text(), "a diary")
            self.wait_until(lambda: "\nAccount: https://" in (self.store / name).read_text())

    def test_folder_that_cannot_be_used(self):
        self.store.write_text("a file")
        self.assertIn(f"--acme-dir {self.store}: ", self.refused("run", *self.options(), code=1))

    def confine(self, *options):
        """Starts a proxy with few rights, whose folders are apart."""
        self.place()
        self.files.chmod(0o755)
        for name in ["logs", "control", "state"]:
            (self.files / name).mkdir(mode=0o755)
        for name in ["logs", "control"]:
            os.chown(self.files / name, pwd.getpwnam(USER).pw_uid, -1)
        self.control, self.log = self.files / "control" / "c.sock", self.files / "logs" / "log"
        self.store = self.files / "state" / "acme"
        self.serve(*options)
        return self.here()

    @unittest.skipUnless(ROOT, "for root")
    def test_process_with_few_rights(self):
        all_options = [["--user", USER], ["--confine"], ["--user", USER, "--confine"]]
        places = [self.confine(*options) for options in all_options]
        for place in places:
            self.go(place)
            self.assert_obtained()
            self.wait_until(self.stored().exists)
            left = self.store / f"{self.host}.pem.new"
            left.write_text("left by a crash")
            os.chown(left, self.store.stat().st_uid, -1)
            self.renew()
        for place, options in zip(places, all_options):
            self.go(place)
            self.assert_obtained(2)
            new = self.shown(self.host).serial
            self.wait_until(lambda: Shown(self.stored().read_bytes()).serial == new, Later(self.said))
            self.assert_silent("cannot write")
            owner = USER if "--user" in options else "root"
            for file in [self.store, *self.store.iterdir()]:
                self.assertEqual(file.owner(), owner)
            self.proxy.stop()
            self.serve(*options)
            self.assertEqual(self.shown(self.host).serial, new)


class Failures(Acme):
    @begun(lambda case: case.serve(plain="listen", hosts=[case.move(case.host, "127.78.0.1")]))
    def test_challenge_that_cannot_be_reached(self):
        self.assert_said("attempt 1")
        line = next(line for line in self.proxy.said if "attempt 1" in line)
        self.assertRegex(line, rf"^no new certificate for {self.host}, attempt 1: .*the CA says .*connection.*refused")
        self.assertIn("check that the addresses in DNS lead to this proxy, on port 80", line)
        self.assertIn("there is none yet; next attempt at ", line)
        stats = self.stats()
        self.assertEqual((stats["certificates_failing"], stats["certificate_failures_total"]), (1, 1))
        self.assertEqual(self.curl(f"http://{self.address}:{world.http}/bytes/10"), content(10))
        world.names.move(self.host, self.address)
        self.renewed()
        self.fetch()
        self.assertEqual(self.stats()["certificates_failing"], 0)

    @begun(lambda case: case.serve(directories=[world.closed.directory, case.ca.directory]))
    def test_fallback_is_asked_after_two_failures(self):
        self.assert_said("attempt 1: directory of the CA: the CA says HTTP status 404")
        self.renew()
        self.assert_said("attempt 2: directory of the CA")
        self.renewed()
        first = self.shown(self.host).serial
        self.assertEqual(self.stats()["certificates_failing"], 0)
        self.renew(None, "--revoke", "superseded")
        self.assert_said("attempt 1: ", 2)
        self.renew()
        self.assert_said("attempt 2: ", 2)
        self.renew()
        self.assert_said("the replaced certificate for")
        self.assertEqual(self.ca.status(first)["Status"], "Revoked", self.said())
        second = self.shown(self.host).serial
        self.proxy.stop()
        self.serve(directories=[world.closed.directory, self.ca.directory])  # which does not know the issuer
        for attempt in [1, 2]:
            self.renew(None, "--revoke", "superseded")
            self.assert_said(f"attempt {attempt}: ")
        self.renew()
        self.assert_said("the replaced certificate for")
        self.assertEqual(self.ca.status(second)["Status"], "Revoked", self.said())

    @begun(lambda case: case.serve("--acme-staging", world.other("short", certificateValidityPeriod=20).directory))
    def test_first_certificate_is_tried_out(self):
        self.assert_obtained()
        self.assertLess(self.said().find(f"the certificate for {self.host} can be obtained"),
                        self.said().find("new certificate for"))
        self.fetch()
        self.assertEqual(len(list(self.store.glob("account-*.pem"))), 2)
        self.renewed()
        self.proxy.stop()
        self.serve("--acme-staging", world.others["short"].directory)
        self.renewed()
        self.assert_silent("can be obtained")

    def test_failed_trials_are_no_failures_of_the_ca(self):
        staging = Ca(world)
        closed = ClosedCa(world, staging.port)
        try:
            self.serve("--acme-staging", staging.directory, directories=[self.ca.directory, world.closed.directory])
            self.assert_said("attempt 1: ")
            self.renew()
            self.assert_said("attempt 2: ")
        finally:
            closed.stop()
        self.addCleanup(staging.stop)
        staging.start()
        self.renewed()
        self.assertEqual(self.stats()["certificate_failures_total"], 2, "the fallback was not asked")

    def test_failed_trial_spares_the_ca(self):
        self.serve("--acme-staging", world.closed.directory)
        self.assert_said("attempt 1: directory of the CA: the CA says HTTP status 404")
        self.renew()
        self.assert_said("attempt 2: ")
        self.renew()
        self.assert_said("attempt 3: ")
        accounts = [file.read_text() for file in self.store.glob("account-*.pem")]
        self.assertTrue(all(world.closed.directory in text for text in accounts), accounts)

    @begun(lambda case: case.at(world.other("late", certificateValidityPeriod=1)).serve())
    def test_certificate_that_has_expired_on_arrival(self):
        """Clocks may differ. The CA is not asked again at once."""
        self.assert_said(f"no new certificate for {self.host}, attempt 1: the new certificate cannot be used: ")
        self.assertEqual(self.stats()["certificates_failing"], 1)
        orders = len(re.findall("There are now \\d+ orders", self.ca.service.said()))
        self.renew()
        self.assert_said("attempt 2: ")
        self.assertEqual(len(re.findall("There are now \\d+ orders", self.ca.service.said())), 2 * orders)

    def test_external_account(self):
        self.ca = world.other("external", externalAccountBindingRequired=True,
                              externalAccountMACKeys={EAB_ID: EAB_KEY})
        self.serve()
        self.assert_said("attempt 1")
        self.assertIn("requires an external account; configure the key identifier and the MAC key", self.said())
        self.proxy.stop()
        file = self.files / "eab"
        file.write_text(f"{EAB_ID} {EAB_KEY}\n")
        self.obtain("--acme-eab", str(file))
        self.fetch()

    def test_process_ends_while_the_ca_does_not_respond(self):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            self.serve(directories=[f"https://127.0.0.1:{deaf.getsockname()[1]}/dir"])
            deaf.settimeout(DEADLINE)
            with deaf.accept()[0]:
                began = time.monotonic()
                self.assertEqual(self.proxy.stop(), 0)
                self.assertLess(time.monotonic() - began, 5)


class Options(Acme):
    def test_invalid_options_are_named(self):
        full = {"acme": [self.host], "acme-directory": self.ca.directory, "acme-dir": str(self.store),
                "listen-tls": f"{self.address}:{world.tls}", "to": self.origin.url, "origin-ca": world.ca}
        eab = self.files / "eab"
        eab.write_text("only-one-word\n")
        hundred = ",".join(f"h{number}.test" for number in range(101))
        for changes, expected in [
            ({"acme-directory": None}, "--acme-directory"),
            ({"acme-dir": None}, "--acme-dir"),
            ({"listen-tls": None, "listen": "127.0.0.1:0"}, "--listen-tls"),
            ({"acme": None}, "acme"),
            ({"acme": ["*.proxy.test"]}, "acme"),
            ({"acme": ["not a name"]}, "acme"),
            ({"acme": [""]}, "acme"),
            ({"acme": [hundred]}, "a certificate has at most 100 names"),
            ({"acme": [self.host, f"{self.host},{self.names[0]}"]}, "acme"),
            ({"acme-directory": "nonsense"}, "acme-directory"),
            ({"acme-directory": "ftp://127.0.0.1/dir"}, "acme-directory"),
            ({"acme-directory": "https://"}, "acme-directory"),
            ({"acme-directory": "https:///dir"}, "acme-directory"),
            ({"acme-directory": "https://127.0.0.1:99999/dir"}, "acme-directory"),
            ({"acme-staging": "nonsense"}, "acme-staging"),
            ({"acme-challenge": "dns-01"}, "acme-challenge"),
            ({"acme-challenge": "http-01"}, "--http-redirect"),
            ({"acme-eab": str(eab)}, str(eab)),
            ({"acme-eab": "/none"}, "/none"),
        ]:
            with self.subTest(changes):
                chosen = {name: value for name, value in {**full, **changes}.items() if value is not None}
                argv = [each for name, value in chosen.items() for one in (value if name == "acme" else [value])
                        for each in (f"--{name}", one)]
                said = self.refused("run", *argv, code=2)
                self.assertIn(expected, said)
                file = self.files / "tidegate.toml"
                file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in chosen.items()))
                said = self.refused("check", "-c", str(file), code=2)
                self.assertIn(expected.removeprefix("--"), said)
        file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in full.items()))
        self.assertIn(b"ok", self.run_command(BINARY, "check", "-c", str(file)))
        self.assertFalse(self.store.exists(), "a check creates nothing")

    def test_proxy_without_certificates_to_obtain(self):
        self.proxy = self.start_forward("--control", str(self.control))
        self.assertIn("this proxy obtains no certificates (--acme)", self.renew(code=1))


class Unreachable(Acme):
    """A CA to which nothing can connect."""

    def test_ca_that_is_down_at_the_start(self):
        self.at(Ca(world)).serve("--admin", "127.0.0.1:0", plain="listen")
        plain = f"http://{self.address}:{world.http}/bytes/10"
        self.assertEqual(self.curl(plain), content(10))
        self.fetch(root=world.ca, code=35)  # there is no certificate
        self.wait_until(lambda: "attempt 1: directory of the CA: no response: " in self.said(), Later(self.said))
        self.assertIn("there is none yet; next attempt at ", self.said())
        self.assertEqual(self.stats()["certificates_failing"], 1)
        metrics = next(line for line in self.proxy.banner if line.startswith("  metrics ")).split()[1]
        self.assertIn("tidegate_certificates_failing 1\n", self.curl(metrics).decode())
        self.assertEqual(self.curl(plain), content(10))
        self.addCleanup(self.ca.stop)
        self.ca.start()
        self.renewed()
        self.fetch()
        self.assertEqual(self.stats()["certificates_failing"], 0)


if __name__ == "__main__":
    unittest.main()
