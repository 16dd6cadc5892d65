"""Authentication of clients other than curl: Python's requests, wget and pip, plain and through CONNECT."""

import base64
import hashlib
import io
import os
import ssl
import subprocess
import sys
import zipfile

import requests
from harness import DEADLINE, Case, Origin, Pages, content
from requests.auth import HTTPDigestAuth

REALM = "an office"
ENVIRON = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def users_file(folder):
    """Writes a users file with entries of alice for every scheme; her password is 'secret'."""
    file = folder / "users"
    secret = f"alice:{REALM}:secret".encode()
    lines = [f"alice:{REALM}:{hashlib.new(name, secret).hexdigest()}\n" for name in ["md5", "sha256"]]
    file.write_text("alice:$2y$04$aNU/8Ye9laySHV1Hzng3y.Y8.NTgdFSsvzKy46EHBro7D04n3AsQW\n" + "".join(lines))
    return str(file)


class Users(Case):
    def setUp(self):
        self.users = users_file(self.folder())
        self.options = ["--users", self.users, "--realm", REALM, "--log-format", "json"]

    def start_for_users(self):
        return self.start_forward("--allow-connect-port", "1-65535", *self.options)

    def start_tls_origin(self, handler=None):
        """Starts an origin with TLS; returns it and the file of its certificate."""
        folder = self.folder()
        cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
        self.run_command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
                         "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        origin = TlsOrigin(handler, context)
        self.addCleanup(origin.stop)
        return origin, cert

    def run_client(self, *argv, code=0):
        done = subprocess.run(argv, capture_output=True, timeout=DEADLINE, env=ENVIRON)
        self.assertEqual(done.returncode, code, (argv, done.stderr.decode(errors="replace")))
        return done.stdout

    def assert_no_secret_is_logged(self, proxy):
        proxy.stop()
        log = "\n".join(proxy.lines() + proxy.said)
        self.assertIn('"user":"alice"', log)
        self.assertNotRegex(log, "secret|" + base64.b64encode(b"alice:secret").decode())


class Requests(Users):
    def session(self, **kwargs):
        session = requests.Session()
        session.trust_env = False
        self.addCleanup(session.close)
        for name, value in kwargs.items():
            setattr(session, name, value)
        return session

    def through(self, proxy, password="secret", **kwargs):
        url = f"http://alice:{password}@{proxy.address}:{proxy.port}"
        return self.session(proxies={"http": url, "https": url}, **kwargs)

    def test_requests_session_authenticates_plain_and_through_connect(self):
        origin, (tls_origin, cert) = self.start_origin(Tells), self.start_tls_origin(Tells)
        proxy = self.start_for_users()
        session = self.through(proxy, verify=cert)
        for url in [origin.url, tls_origin.url] * 2:
            answer = session.get(url + "/credentials", timeout=DEADLINE)
            self.assertEqual((answer.status_code, answer.text), (200, "none"), url)
        self.assertEqual(session.post(origin.url + "/echo", data=b"x" * 100_000, timeout=DEADLINE).content, b"x" * 100_000)
        self.assert_no_secret_is_logged(proxy)

    def test_wrong_password_is_refused(self):
        origin, (tls_origin, cert) = self.start_origin(), self.start_tls_origin()
        session = self.through(self.start_for_users(), password="wrong", verify=cert)
        self.assertEqual(session.get(origin.url + "/bytes/1", timeout=DEADLINE).status_code, 407)
        with self.assertRaisesRegex(requests.exceptions.ProxyError, "407"):
            session.get(tls_origin.url + "/bytes/1", timeout=DEADLINE)
        self.assertEqual(origin.counts | tls_origin.counts, {})

    def test_protected_path_of_a_reverse_proxy_requires_authentication(self):
        origin = self.start_origin(Tells)
        rule = f'/credentials realm="{REALM}" users={self.users}'
        proxy = self.start_proxy("--to", origin.url, "--protect", rule)
        session = self.session()
        url = proxy.url + "/credentials"
        self.assertEqual(session.get(proxy.url + "/bytes/5", timeout=DEADLINE).content, content(5))
        self.assertEqual(session.get(url, timeout=DEADLINE).status_code, 401)
        for auth in [("alice", "secret"), HTTPDigestAuth("alice", "secret")]:
            for _ in range(3):
                answer = session.get(url, auth=auth, timeout=DEADLINE)
                self.assertEqual((answer.status_code, answer.text), (200, "none"))
        self.assertEqual(session.get(url, auth=("alice", "wrong"), timeout=DEADLINE).status_code, 401)

    def test_basic_user_names_must_be_utf_8(self):
        origin, folder = self.start_origin(Tells), self.folder()
        with open(self.users) as lines:
            (folder / "users").write_text(lines.readline().replace("alice", "jürgen"))
        proxy = self.start_proxy("--to", origin.url, "--users", str(folder / "users"))
        get = lambda auth: self.session().get(proxy.url + "/bytes/5", auth=auth, timeout=DEADLINE).status_code
        self.assertEqual(get(("jürgen".encode(), b"secret")), 200)
        self.assertEqual(get(("jürgen", "secret")), 400, "requests sends Latin-1")

    def test_digest_user_names_must_be_utf_8(self):
        proxy = self.start_proxy("--to", self.start_origin(Tells).url, "--users", self.users, "--realm", REALM)
        auth = HTTPDigestAuth("jürgen", "secret")
        self.assertEqual(self.session().get(proxy.url + "/bytes/5", auth=auth, timeout=DEADLINE).status_code, 400)


class Wget(Users):
    def test_wget_authenticates_plain_and_through_connect(self):
        origin, (tls_origin, cert) = self.start_origin(Tells), self.start_tls_origin(Tells)
        proxy = self.start_for_users()
        settings = [f"{scheme}_proxy={proxy.url}" for scheme in ["http", "https"]]
        argv = ["wget", "-q", "-O", "-", f"--ca-certificate={cert}", "--proxy-user=alice", "-e", "use_proxy=yes"]
        argv += [word for setting in settings for word in ["-e", setting]]
        for url in [origin.url, tls_origin.url]:
            self.assertEqual(self.run_client(*argv, "--proxy-password=secret", url + "/credentials"), b"none")
            code = 8 if url == origin.url else 4  # an error of the server, or of the network
            self.run_client(*argv, "--proxy-password=wrong", url + "/bytes/1", code=code)
        self.assert_no_secret_is_logged(proxy)

    def test_wget_authenticates_at_a_reverse_proxy(self):
        origin = self.start_origin(Tells)
        proxy = self.start_proxy("--to", origin.url, *self.options)
        argv = ["wget", "-q", "-O", "-", "--no-proxy", "--user=alice", proxy.url + "/credentials"]
        self.assertEqual(self.run_client(*argv, "--password=secret"), b"none")
        self.run_client(*argv, "--password=wrong", code=6)


class Pip(Users):
    def test_pip_installs_through_the_proxy(self):
        for origin, trusted in [(self.start_origin(Index), []), self.start_tls_origin(Index)]:
            with self.subTest(origin.url):
                proxy, target = self.start_for_users(), self.folder()
                url = f"http://alice:{{}}@{proxy.address}:{proxy.port}"
                argv = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir",
                        "install", "--retries", "0", "--no-deps", "--index-url", origin.url + "/simple/",
                        "--trusted-host", "127.0.0.1", "tidegate-tiny"]
                self.run_client(*argv, "--target", str(target), "--proxy", url.format("secret"))
                self.assertEqual((target / "tidegate_tiny.py").read_text(), "WORD = 'tide'\n")
                self.run_client(*argv, "--target", str(target), "--proxy", url.format("wrong"), code=1)
                self.assert_no_secret_is_logged(proxy)


class TlsOrigin(Origin):
    def __init__(self, handler, context):
        self.context = context
        super().__init__(handler)

    def get_request(self):
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    @property
    def url(self):
        return super().url.replace("http:", "https:")


class Tells(Pages):
    """/credentials: the names of the credential fields received."""

    def do_GET(self):
        if self.path != "/credentials":
            super().do_GET()
            return
        names = [name for name in self.headers if name.lower() in ("authorization", "proxy-authorization")]
        body = ",".join(names or ["none"]).encode()
        self.head(200, len(body))
        self.wfile.write(body)


class Index(Pages):
    """A package index with one package."""

    def do_GET(self):
        if self.path == "/simple/tidegate-tiny/":
            self.answer(f'<a href="/{WHEEL}">{WHEEL}</a>'.encode(), "text/html")
        elif self.path == "/" + WHEEL:
            self.answer(wheel(), "application/octet-stream")
        else:
            self.send_error(404)

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


WHEEL = "tidegate_tiny-1.0-py3-none-any.whl"


def wheel():
    """Returns a minimal package that pip installs."""
    info = "tidegate_tiny-1.0.dist-info"
    files = {
        "tidegate_tiny.py": "WORD = 'tide'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tidegate-tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()
