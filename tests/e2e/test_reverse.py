"""A reverse proxy before real applications: groups, a member killed under load, rewriting, nginx on
either side, and a browser's login."""

import base64
import hashlib
import http.server
import shutil
import signal
import socket
import subprocess
import threading
import unittest
import urllib.request

from harness import DEADLINE, Case, Pages, connect

FLASK = """
import os, time
from flask import Flask, redirect, request, session
app = Flask(__name__)
app.secret_key = "for tests only"

@app.get("/")
def home():
    return f"member {os.environ['MEMBER']} user {session.get('user', 'nobody')}\\n"

@app.get("/slow")
def slow():
    time.sleep(0.02)
    return f"member {os.environ['MEMBER']}\\n" + "x" * 20000

@app.post("/login")
def login():
    session["user"] = request.form["user"]
    return redirect("/")
"""

NODE = """
const http = require("http");
http.createServer((request, response) => {
  response.setHeader("Content-Type", "text/plain");
  setTimeout(() => response.end("member node\\n" + "x".repeat(20000)), 20);
}).listen(Number(process.argv[1]), "127.0.0.1");
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Tomcat(Pages):
    """An application below /app that knows itself by its own address, as Tomcat's connectors do."""

    def do_GET(self):
        host, port = self.server.server_address
        if self.path == "/app":
            self.send_response(302)
            self.send_header("Location", f"http://{host}:{port}/app/")
            self.send_header("Set-Cookie", "JSESSIONID=1; Path=/app; HttpOnly")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = f"{self.path} {self.headers['Host']} {self.headers.get('Cookie', '-')}\n".encode()
        self.send_response(200)
        self.send_header("Link", f'<http://{host}:{port}/app/next>; rel="next"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Echo(Pages):
    """Shows the fields of each request; /page logs in by script and opens a WebSocket.

    The browser's virtual time stands still while a request is pending, but not for a WebSocket: /held is
    answered once the page has shown the message.
    """

    shown = threading.Event()

    PAGE = b"""<!doctype html><p id=out>waiting</p><script>
      (async () => {
        await fetch("/login", {method: "POST", body: "user=alice"});
        const text = await (await fetch("/who")).text();
        fetch("/held");
        const socket = new WebSocket("ws://" + location.host + "/chat");
        socket.onmessage = event => { out.textContent = text + " " + event.data; fetch("/shown"); };
        socket.onopen = () => socket.send("ping");
      })();
    </script>"""

    def do_GET(self):
        if self.path == "/chat":
            return self.chat()
        if self.path == "/held":
            self.shown.wait(20)
        if self.path == "/shown":
            self.shown.set()
        if self.path == "/page":
            return self.answer(self.PAGE, "text/html")
        if self.path == "/who":
            return self.answer(self.headers.get("Cookie", "nobody").encode(), "text/plain")
        lines = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        self.answer(lines.encode(), "text/plain")

    def do_POST(self):
        self.read_body()
        self.send_response(303)
        self.send_header("Location", "/who")
        self.send_header("Set-Cookie", "session=alice; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chat(self):
        """Answers one message of a WebSocket (RFC 6455)."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.end_headers()
        head = self.rfile.read(2)
        mask = self.rfile.read(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
        reply = b"pong to " + text
        self.wfile.write(bytes([0x81, len(reply)]) + reply)
        self.rfile.read(1)  # until the client closes
        self.close_connection = True


class Reverse(Case):
    def start(self, *argv, port, **kwargs):
        """Starts a server, and waits until it listens."""
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)
        self.addCleanup(self.end, process)

        def listens():
            self.assertIsNone(process.poll(), argv)
            try:
                connect("127.0.0.1", port).close()
                return True
            except OSError:
                return False

        self.wait_until(listens)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)

    def gunicorn(self, name):
        folder, port = self.folder(), free_port()
        (folder / "shop.py").write_text(FLASK)
        argv = ["gunicorn", "--workers", "1", "--threads", "8", "--bind", f"127.0.0.1:{port}", "shop:app"]
        environment = {"MEMBER": name, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        return self.start(*argv, port=port, cwd=folder, env=environment), port

    def output(self, *argv):
        """Runs a command and returns its standard output as text, with line ends as in Unix."""
        return self.run_command(*argv).decode().replace("\r\n", "\n")

    def fetch(self, url):
        with urllib.request.urlopen(url, timeout=DEADLINE) as response:
            return response.read().decode()

    def test_member_killed_under_load_fails_no_get(self):
        (doomed, first), (_, second) = self.gunicorn("one"), self.gunicorn("two")
        third = free_port()
        self.start("node", "-e", NODE, str(third), port=third)
        members = [f"http://127.0.0.1:{port}" for port in (first, second, third)]
        proxy = self.start_proxy(*[word for url in members for word in ("--to", url)], "--cache-memory", "off")
        seen, failures, lock = {}, [], threading.Lock()

        def load(count):
            for _ in range(count):
                try:
                    text = self.fetch(f"{proxy.url}/slow")
                    member, _, body = text.partition("\n")
                    whole = body == "x" * 20000
                except OSError as error:
                    member, whole = str(error), False
                with lock:
                    seen[member] = seen.get(member, 0) + 1
                    if not whole:
                        failures.append(member)
                    if sum(seen.values()) == 100:
                        doomed.send_signal(signal.SIGKILL)

        threads = [threading.Thread(target=load, args=(60,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(failures, [], seen)
        self.assertEqual(sum(seen.values()), 480)
        for member in ("member one", "member two", "member node"):
            self.assertGreater(seen.get(member, 0), 10, seen)
        self.assertTrue(any("is ejected" in line for line in proxy.said), proxy.said)

    def test_login_keeps_its_session(self):
        (_, port) = self.gunicorn("one")
        proxy = self.start_proxy("--to", f"http://127.0.0.1:{port}")
        jar = self.folder() / "jar"
        page = self.output("curl", "-sS", "-L", "-b", jar, "-c", jar, "-d", "user=alice", f"{proxy.url}/login")
        self.assertEqual(page, "member one user alice\n")
        self.assertEqual(self.output("curl", "-sS", f"{proxy.url}/"), "member one user nobody\n")

    def test_redirects_and_cookies_of_an_application_below_a_path(self):
        origin = self.start_origin(Tomcat)
        proxy = self.start_proxy("--route", f"/=http://127.0.0.1:{origin.server_address[1]}/app")
        head = self.output("curl", "-sS", "-i", "-c", "-", f"{proxy.url}/")
        self.assertIn('Link: </next>; rel="next"', head)
        moved = self.start_proxy("--route", f"/shop=http://127.0.0.1:{origin.server_address[1]}/app")
        jar = self.folder() / "jar"
        shown = self.output("curl", "-sS", "-L", "-b", jar, "-c", jar, f"{moved.url}/shop")
        self.assertEqual(shown, f"/app/ 127.0.0.1:{moved.port} JSESSIONID=1\n")
        self.assertIn("\t/shop\t", jar.read_text())

    def test_nginx_behind_and_before(self):
        origin = self.start_origin(Echo)
        inner, outer, folder = free_port(), free_port(), self.folder()
        proxy = self.start_proxy("--to", f"http://127.0.0.1:{inner}", "--trusted-proxy", "127.0.0.1")
        (folder / "nginx.conf").write_text(f"""
            master_process off; daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
            http {{
              access_log off;
              client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
              uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
              server {{ listen 127.0.0.1:{inner}; location / {{
                proxy_pass {origin.url}; proxy_set_header Host $http_host; }} }}
              server {{ listen 127.0.0.1:{outer}; location / {{
                proxy_pass {proxy.url}; proxy_set_header Host www.example;
                proxy_set_header X-Forwarded-For 192.0.2.7; proxy_set_header X-Forwarded-Proto https; }} }}
            }}""")
        self.start("nginx", "-c", f"{folder}/nginx.conf", "-p", folder, port=outer)
        shown = self.output("curl", "-sS", f"http://127.0.0.1:{outer}/fields")
        self.assertIn("Host: www.example\n", shown)
        self.assertIn("X-Forwarded-For: 192.0.2.7, 127.0.0.1\n", shown)
        self.assertIn("X-Forwarded-Proto: https\n", shown)
        self.assertIn("X-Forwarded-Port: 443\n", shown)
        self.assertIn('Forwarded: for=192.0.2.7;host="www.example";proto=https, for=127.0.0.1', shown)
        stranger = self.start_proxy("--to", origin.url)
        shown = self.output("curl", "-sS", "-H", "X-Forwarded-For: 192.0.2.7", "-H", "X-Real-IP: 192.0.2.7",
                                 "-H", "Forwarded: for=192.0.2.7", f"{stranger.url}/fields")
        self.assertNotIn("192.0.2.7", shown)

    @unittest.skipUnless(shutil.which("chromium"), "needs chromium")
    def test_chromium_logs_in_and_opens_a_websocket(self):
        origin = self.start_origin(Echo)
        proxy = self.start_proxy("--to", origin.url)
        shown = self.output(
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={self.folder()}", "--virtual-time-budget=20000", "--dump-dom", f"{proxy.url}/page")
        self.assertIn("session=alice pong to ping", shown)

    def test_sites_share_one_listener(self):
        one, two = self.start_origin(Echo), self.start_origin(Tomcat)
        config = self.folder() / "t.toml"
        config.write_text(f"""
            listen = '127.0.0.1:0'
            [[origin]]
            name = 'shop'
            to = '{two.url}'
            host = 'origin'
            [[site]]
            hosts = ['www.example', '*.www.example']
            to = '{one.url}'
            [[site.route]]
            path = '/old/'
            redirect = '301 https://www.example{{uri}}'
            [[site]]
            hosts = 'shop.example'
            [[site.route]]
            path = '/'
            to = 'shop'
            prefix = '/app'
            [[site.route]]
            path = '=/healthz'
            answer = '200 ok'
            """)
        proxy = self.start_proxy("--config", str(config), listen=None)
        get = lambda host, path, *more: self.output(
            "curl", "-sS", *more, "--connect-to", f"::127.0.0.1:{proxy.port}", f"http://{host}{path}")
        self.assertIn("X-Forwarded-Host: www.example\n", get("www.example", "/fields"))
        self.assertIn("X-Forwarded-Host: a.www.example\n", get("a.www.example", "/fields"))
        self.assertEqual(get("shop.example", "/cart"), f"/app/cart {two.server_address[0]}:{two.server_address[1]} -\n")
        self.assertEqual(get("shop.example", "/healthz"), "ok\n")
        self.assertIn("Location: https://www.example/old/x?y", get("www.example", "/old/x?y", "-i"))
        unknown = get("other.example", "/", "-i")
        self.assertIn("421 Misdirected Request", unknown)
        self.assertIn("serves no site of that host", unknown)

    def test_sites_have_users_of_their_own(self):
        origin, folder = self.start_origin(Echo), self.folder()
        config = folder / "t.toml"
        for name in ("all", "staff"):
            (folder / name).write_text(f"{name}:{digest(name)}\n")
        config.write_text(f"""
            listen = '127.0.0.1:0'
            users = '{folder}/all'
            [[site]]
            hosts = 'www.example'
            to = '{origin.url}'
            [[site.route]]
            path = '/admin'
            to = '{origin.url}'
            users = '{folder}/staff'
            realm = 'the staff'
            [[site]]
            hosts = 'public.example'
            to = '{origin.url}'
            """)
        proxy = self.start_proxy("--config", str(config), listen=None)

        def status(host, path, user=None):
            login = ["--digest", "-u", f"{user}:{user}"] if user else []
            return self.output("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *login,
                               "--connect-to", f"::127.0.0.1:{proxy.port}", f"http://{host}{path}")

        for host, path, user, expected in (
            ("www.example", "/", None, "401"), ("www.example", "/", "all", "200"),
            ("www.example", "/", "staff", "401"), ("www.example", "/admin", "all", "401"),
            ("www.example", "/admin/x", "staff", "200"), ("www.example", "/%61dmin", "all", "401"),
            ("public.example", "/admin", "all", "200"), ("public.example", "/admin", "staff", "401"),
        ):
            self.assertEqual(status(host, path, user), expected, (host, path, user))

    def test_websocket_ends_once_its_site_has_lost_the_user(self):
        origin, folder = self.start_origin(Echo), self.folder()
        config, control = folder / "t.toml", folder / "control"
        for name in ("alice", "bob"):
            (folder / name).write_text(f"{name}:$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/\n")

        def write(*sites):
            config.write_text(f"listen = '127.0.0.1:0'\ncontrol = '{control}'\n" + "".join(f"""
                [[site]]
                hosts = '{host}'
                to = '{origin.url}'
                users = '{folder}/{user}'
                """ for host, user in sites))

        write(("a.example", "alice"))
        proxy = self.start_proxy("--config", str(config), listen=None)
        chat = self.connect(proxy)
        login = base64.b64encode(b"alice:secret").decode()
        key = base64.b64encode(bytes(16)).decode()
        chat.sendall(f"GET /chat HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic {login}\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     f"Sec-WebSocket-Key: {key}\r\n\r\n".encode())
        stream = chat.makefile("rb")
        self.addCleanup(stream.close)
        self.assertIn(b" 101 ", stream.readline())
        while stream.readline() != b"\r\n":
            pass
        write(("b.example", "bob"), ("a.example", "alice"))
        self.reload_at(control)
        chat.sendall(b"\x81\x82\0\0\0\0hi")
        self.assertEqual(stream.read(12), b"\x81\x0apong to hi")
        write(("b.example", "alice"), ("a.example", "bob"))
        self.reload_at(control)
        with self.assertRaises(ConnectionResetError):
            stream.read(1)


def digest(name):
    """Returns the rest of a line for Digest: realm and HA1."""
    realm = "the staff" if name == "staff" else "tidegate"
    return f"{realm}:" + hashlib.md5(f"{name}:{realm}:{name}".encode()).hexdigest()


if __name__ == "__main__":
    unittest.main()
