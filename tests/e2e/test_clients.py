"""Real clients through a forward and a reverse proxy: curl, wget, openssl, Python's http.client."""

import hashlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time

from harness import BINARY, DEADLINE, Case, Pages, Stream, connect, content


class Forward(Case):
    def setUp(self):
        self.origin = self.start_origin()
        self.proxy = self.start_forward()

    def ask(self, path, *args, **kwargs):
        return self.curl("-x", self.proxy.url, self.origin.url + path, *args, **kwargs)

    def test_second_get_is_a_hit(self):
        first, second = self.ask("/bytes/5000", "-i"), self.ask("/bytes/5000", "-i")
        self.assertIn("fwd=uri-miss; stored", self.head_of(first)[1]["Cache-Status"])
        self.assertIn("hit", self.head_of(second)[1]["Cache-Status"])
        self.assertEqual(second.split(b"\r\n\r\n", 1)[1], content(5000))
        self.assertEqual(self.origin.counts["/bytes/5000"], 1)

    def test_conditional_get_is_answered_from_the_cache(self):
        folder = self.folder()
        tag, file = str(folder / "tag"), str(folder / "file")
        for _ in range(2):
            self.ask("/bytes/5000", "-o", file, "--etag-save", tag, "--etag-compare", tag)
        head = self.ask("/bytes/5000", "-i", "-H", 'If-None-Match: "bytes-5000"')
        self.assertEqual(self.head_of(head)[0], 304)
        self.assertEqual(self.origin.counts["/bytes/5000"], 1)

    def test_download_is_resumed_from_the_cache_and_the_origin(self):
        for path in ["/bytes/300000", "/raw/300000"]:
            with self.subTest(path):
                if path.startswith("/bytes"):
                    self.ask(path)
                file = self.folder() / "part"
                file.write_bytes(content(300000)[:123456])
                self.ask(path, "-C", "-", "-o", str(file))
                self.assertEqual(file.read_bytes(), content(300000))

    def test_head_has_the_length_and_no_content(self):
        status, fields = self.head_of(self.ask("/bytes/5000", "-I"))
        self.assertEqual((status, fields["Content-Length"]), (200, "5000"))
        self.ask("/bytes/5000")
        _, fields = self.head_of(self.ask("/bytes/5000", "-I"))
        self.assertIn("hit", fields["Cache-Status"])

    def test_content_is_uploaded_with_a_length_and_in_chunks(self):
        body = content(700_000)
        self.assertEqual(self.ask("/echo", "--data-binary", "@-", input=body), body)
        self.assertEqual(self.ask("/echo", "-T", "-", input=body), body)
        expect = ("-H", "Expect: 100-continue", "--expect100-timeout", "2")
        self.assertEqual(self.ask("/echo", "--data-binary", "@-", *expect, input=body), body)

    def test_wget_downloads_through_the_proxy(self):
        proxy = ("-e", "use_proxy=yes", "-e", f"http_proxy={self.proxy.url}")
        body = self.run_command("wget", "-q", "-O", "-", *proxy, self.origin.url + "/bytes/9000")
        self.assertEqual(body, content(9000))

    def test_python_client_keeps_its_connection(self):
        client = http.client.HTTPConnection(self.proxy.address, self.proxy.port, timeout=DEADLINE)
        for path in ["/bytes/100", "/bytes/100", "/raw/100", "/bytes/70000"]:
            client.request("GET", self.origin.url + path)
            answer = client.getresponse()
            self.assertEqual(answer.read(), content(int(path.split("/")[2])))
            self.assertFalse(answer.will_close)
        client.close()

    def test_truncated_response_is_visible_and_not_stored(self):
        for _ in range(2):
            self.ask("/cut/1000000", "-o", "/dev/null", code=18)
        self.assertEqual(self.origin.counts["/cut/1000000"], 2)

    def test_unknown_name_and_closed_port_are_502(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for url, error in [
            ("http://no-such-host.invalid/", "dns_error"),
            (f"http://127.0.0.1:{port}/", "connection_refused"),
        ]:
            status, fields = self.head_of(self.curl("-i", "-x", self.proxy.url, url))
            self.assertEqual(status, 502)
            self.assertIn(error, fields["Proxy-Status"])

    def test_every_request_has_a_log_line(self):
        self.ask("/bytes/10")
        self.ask("/bytes/10")
        self.curl("-x", self.proxy.url, "http://10.0.0.1/")
        self.curl(self.proxy.url + "/no-proxy-request")
        self.proxy.stop()
        words = [(line.split()[1], line.split()[2]) for line in self.proxy.lines()]
        self.assertEqual(words, [("200", "MISS"), ("200", "HIT"), ("403", "DENIED"), ("400", "ERROR")])


class Heavy(Case):
    def test_gibibyte_passes_in_little_memory(self):
        size = 1 << 30
        proxy, origin = self.start_forward("--cache-memory", "32MiB"), self.start_origin(Stream)
        down = self.curl("-x", proxy.url, f"{origin.url}/{size}", "-o", "/dev/null", "-w", "%{size_download}")
        self.assertEqual(int(down), size)
        with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as zeros:
            up = ["curl", "-sS", "--noproxy", "", "-x", proxy.url, "-T", "-", origin.url + "/up"]
            received = subprocess.run(up, stdin=zeros.stdout, capture_output=True, timeout=DEADLINE)
        self.assertEqual(int(received.stdout), size)
        self.assertLess(proxy.memory(), 100 << 20)

    def test_slow_readers_hold_little_memory(self):
        proxy, origin = self.start_forward("--cache-memory", "off"), self.start_origin(Stream)
        readers = []
        for _ in range(50):
            reader = self.connect(proxy)
            reader.sendall(f"GET {origin.url}/{1 << 30} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.assertTrue(reader.recv(1000).startswith(b"HTTP/1.1 200"))
            readers.append(reader)
        self.assertEqual(self.curl("-x", proxy.url, f"{origin.url}/100").count(b"."), 100)
        self.assertLess(proxy.memory(), 100 << 20)

    def test_thousand_concurrent_clients_get_correct_content(self):
        origin, proxy = self.start_origin(), self.start_forward()
        gate = threading.Barrier(50)
        wrong = []

        def twenty(worker):
            try:
                clients = [connect(proxy.address, proxy.port) for _ in range(20)]
                gate.wait(DEADLINE)
                for i, client in enumerate(clients):
                    path = f"/bytes/{1000 + (worker * 20 + i) % 100}"
                    client.sendall(f"GET {origin.url}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                for i, client in enumerate(clients):
                    answer = b"".join(iter(lambda: client.recv(65536), b""))
                    size = 1000 + (worker * 20 + i) % 100
                    if answer.split(b"\r\n\r\n", 1)[1] != content(size):
                        wrong.append(answer[:200])
                    client.close()
            except Exception as error:  # an error of a thread fails the test
                wrong.append(repr(error))

        threads = [threading.Thread(target=twenty, args=(i,)) for i in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(wrong, [])

    def test_herd_on_an_uncached_url_costs_one_fetch(self):
        control = str(self.folder() / "c.sock")
        origin, proxy = self.start_origin(Held), self.start_forward("--control", control)
        origin.released = threading.Event()
        results = []
        url = origin.url + "/bytes/65536"
        herd = [
            threading.Thread(target=lambda: results.append(self.curl("-x", proxy.url, url)))
            for _ in range(30)
        ]
        for client in herd:
            client.start()
        stats = [BINARY, "stats", "--json", "--control", control]
        self.wait_until(lambda: json.loads(self.run_command(*stats))["clients"] == len(herd))
        origin.released.set()
        for client in herd:
            client.join(DEADLINE)
        self.assertEqual([hashlib.md5(r).digest() for r in results], [hashlib.md5(content(65536)).digest()] * 30)
        self.assertEqual(origin.counts["/bytes/65536"], 1)

    def test_origin_killed_during_a_response_is_noticed(self):
        helper = (
            "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)\n"
            "c, _ = s.accept(); c.recv(9999)\n"
            "c.sendall(b'HTTP/1.1 200 OK\\r\\nCache-Control: max-age=60\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
            "5\\r\\nhello\\r\\n'); print('sent', flush=True); c.recv(1)"
        )
        proxy = self.start_forward()
        with subprocess.Popen(["python3", "-c", helper], stdout=subprocess.PIPE, text=True) as origin:
            port = int(origin.stdout.readline())
            client = self.connect(proxy)
            client.sendall(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            origin.stdout.readline()
            received = b""
            while b"hello" not in received:
                received += client.recv(65536)
            origin.kill()
        rest = b"".join(iter(lambda: client.recv(65536), b""))
        self.assertNotIn(b"0\r\n\r\n", received + rest, "a last chunk would hide the truncation")
        status, _ = self.head_of(self.curl("-i", "-x", proxy.url, f"http://127.0.0.1:{port}/"))
        self.assertEqual(status, 502, "a truncated response was stored")


class Tls(Case):
    def test_https_passes_through_connect(self):
        folder = self.folder()
        cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
        subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.run_command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                         "-keyout", key, "-out", cert, *subject)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key, "-www", "-quiet"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        for _ in range(200):  # until openssl listens
            try:
                connect("127.0.0.1", port).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        proxy = self.start_forward("--allow-connect-port", str(port))
        page = self.curl("-x", proxy.url, "--cacert", cert, f"https://127.0.0.1:{port}/")
        self.assertIn(b"Ciphers", page)
        environ = {**os.environ, "https_proxy": proxy.url, "no_proxy": ""}
        done = subprocess.run(["wget", "-q", "-O", "-", f"--ca-certificate={cert}", f"https://127.0.0.1:{port}/"],
                              env=environ, capture_output=True, timeout=DEADLINE)
        self.assertIn(b"Ciphers", done.stdout, done.stderr)
        proxy.stop()
        self.assertEqual([line.split()[2] for line in proxy.lines()], ["TUNNEL", "TUNNEL"])


class Reverse(Case):
    def test_origin_is_served_below_its_prefix(self):
        origin = self.start_origin(Redirects)
        proxy = self.start_proxy("--to", origin.url + "/base")
        status, fields = self.head_of(self.curl("-i", proxy.url + "/moved"))
        self.assertEqual((status, fields["Location"]), (302, "/there"))
        self.assertEqual(fields["X-Saw"], f"/base/moved 127.0.0.1:{proxy.port} 127.0.0.1")
        page = self.curl("-L", proxy.url + "/moved")
        self.assertEqual(page, b"you are /base/there")


class Held(Pages):
    """Responds once its server has been `released`."""

    def do_GET(self):
        self.server.released.wait(DEADLINE)
        super().do_GET()


class Redirects(Pages):
    def do_GET(self):
        moved = self.path.endswith("/moved")
        body = b"" if moved else f"you are {self.path}".encode()
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", f"http://{self.headers['Host']}/base/there")
            self.send_header("X-Saw", f"{self.path} {self.headers['Host']} {self.headers['X-Forwarded-For']}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
