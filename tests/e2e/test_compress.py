"""Compression on the fly before real clients: curl decodes what the proxy has coded, files and streams."""

import http.client
import os
import threading
import unittest
import zlib

from harness import DEADLINE, Case, Pages

LINE = b"The tide comes in, the tide goes out, and the gate is open at the right time.\n"


class Texts(Pages):
    """/N: N cacheable bytes of text; /events: events that the test releases one by one."""

    go_on = threading.Semaphore(0)

    def do_GET(self):
        self.server.count(self.path)
        if self.path.startswith("/events"):
            return self.events()
        body = (LINE * (int(self.path.strip("/")) // len(LINE) + 1))[: int(self.path.strip("/"))]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("ETag", f'"{len(body)}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for n in range(3):
            self.go_on.acquire(timeout=DEADLINE)
            self.wfile.write(b"data: %d\n\n" % n)
        self.close_connection = True


class Compress(Case):
    def start(self, *args):
        self.origin = self.start_origin(Texts)
        return self.start_proxy("--to", self.origin.url, "--admin", "127.0.0.1:0", *args)

    def get(self, proxy, path, coding, *args):
        """Returns the fields, and the content that curl has decoded."""
        accept = ("-H", f"Accept-Encoding: {coding}", "--compressed") if coding else ()
        answer = self.curl("-i", *accept, *args, f"http://127.0.0.1:{proxy.port}{path}")
        fields = self.head_of(answer)[1]
        return fields, answer.split(b"\r\n\r\n", 1)[1]

    def metric(self, proxy, name):
        url = next(line for line in proxy.banner if line.startswith("  metrics ")).split()[1]
        lines = self.curl(url).decode().splitlines()
        return int(next(line for line in lines if line.startswith(f"tidegate_{name} ")).split()[1])

    def test_each_coding_is_decoded_by_curl_and_made_once(self):
        proxy = self.start("--compress")
        size = 3_000_000
        expected = (LINE * (size // len(LINE) + 1))[:size]
        for coding in ("zstd", "br", "gzip"):
            for _ in range(2):
                fields, content = self.get(proxy, f"/{size}", coding)
                self.assertEqual(content, expected)
                self.assertEqual(fields["Content-Encoding"], coding)
                self.assertEqual((fields["ETag"], fields["Vary"]), (f'W/"{size}"', "Accept-Encoding"))
            self.assertIn("detail=compressed", fields["Cache-Status"])
            self.assertLess(int(fields["Content-Length"]), size // 50)
        fields, content = self.get(proxy, f"/{size}", None)
        self.assertEqual((content, fields["ETag"]), (expected, f'"{size}"'))
        self.assertEqual(self.origin.counts, {f"/{size}": 1})
        self.assertEqual(self.metric(proxy, "compression_input_bytes_total"), 3 * size)
        self.assertEqual(self.metric(proxy, "compressed_hits_total"), 3)
        self.assertGreater(self.metric(proxy, "compression_jobs_total"), 3)

    def test_many_clients_at_once_have_content_compressed_once(self):
        proxy = self.start("--compress=gzip")
        size = 2_000_000
        expected = (LINE * (size // len(LINE) + 1))[:size]
        self.get(proxy, f"/{size}", None)
        wrong = []

        def client():
            if self.get(proxy, f"/{size}", "gzip")[1] != expected:
                wrong.append(1)

        clients = [threading.Thread(target=client) for _ in range(20)]
        [one.start() for one in clients]
        [one.join(DEADLINE) for one in clients]
        self.assertEqual(wrong, [])
        self.assertEqual(self.metric(proxy, "compression_input_bytes_total"), size)

    def test_events_are_not_held_back(self):
        proxy = self.start("--compress", "--compress-types", "text/event-stream")
        connection = self.connect(proxy)
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        Texts.go_on.release()
        response.begin()
        self.assertEqual(response.headers["Content-Encoding"], "gzip")
        decoder = zlib.decompressobj(31)
        for n in range(3):
            seen = b""
            while not seen.endswith(b"\n\n"):
                seen += decoder.decompress(response.read1())
            self.assertEqual(seen, b"data: %d\n\n" % n)
            Texts.go_on.release()
        self.assertEqual(decoder.decompress(response.read()), b"")
        self.assertTrue(decoder.eof)

    def test_files_are_compressed_unless_a_sibling_is(self):
        www = self.folder()
        text = LINE * 40_000
        (www / "large.html").write_bytes(text)
        (www / "small.html").write_bytes(LINE)
        (www / "picture.png").write_bytes(text)
        proxy = self.start_proxy(str(www), "--compress", subcommand="serve")
        for coding in ("zstd", "br", "gzip"):
            fields, content = self.get(proxy, "/large.html", coding)
            self.assertEqual((content, fields["Content-Encoding"]), (text, coding))
            self.assertTrue(fields["ETag"].startswith('W/"'))
        for path, size in (("/small.html", len(LINE)), ("/picture.png", len(text))):
            fields, content = self.get(proxy, path, "gzip")
            self.assertEqual((len(content), fields.get("Content-Encoding"), fields.get("Vary")), (size, None, None))
        fields, content = self.get(proxy, "/large.html", "gzip", "-r", "5-9")
        self.assertEqual((content, fields["Vary"]), (text[5:10], "Accept-Encoding"))
        tag = self.get(proxy, "/large.html", "gzip")[0]["ETag"]
        answer = self.curl("-i", "-H", f"If-None-Match: {tag}", "-H", "Accept-Encoding: gzip",
                           f"http://127.0.0.1:{proxy.port}/large.html")
        self.assertEqual(self.head_of(answer)[0], 304)
        os.truncate(www / "large.html", 0)
        self.assertEqual(self.get(proxy, "/large.html", "gzip")[1], b"")

    def test_memory_for_compression_is_bounded(self):
        proxy = self.start("--compress", "--compress-types", "text/event-stream")
        before = proxy.memory()
        connections = [self.connect(proxy) for _ in range(100)]
        self.addCleanup(lambda: [Texts.go_on.release() for _ in range(300)])
        coded = 0
        for n, connection in enumerate(connections):
            connection.sendall(b"GET /events?%d HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\n\r\n" % n)
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            coded += b"\r\nContent-Encoding: br\r\n" in head
        self.assertEqual(coded, 25)
        self.assertEqual(self.metric(proxy, "compression_refused_total"), 100 - coded)
        self.assertLess(proxy.memory() - before, 160 << 20)


if __name__ == "__main__":
    unittest.main()
