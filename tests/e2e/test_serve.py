"""Files of a folder, served to curl: conditions, ranges, codings, links, and names that are not for clients."""

import gzip
import os
import threading
import unittest

from harness import Case


class Serve(Case):
    def setUp(self):
        self.www = self.folder()

    def write(self, name, content):
        path = self.www / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def serve(self, *args):
        return self.start_proxy(str(self.www), *args, subcommand="serve")

    def get(self, proxy, path, *args):
        """Returns status, fields and content."""
        url = f"http://127.0.0.1:{proxy.port}{path}"
        answer = self.curl("-i", "--path-as-is", *args, url)
        status, fields = self.head_of(answer)
        return status, fields, answer.split(b"\r\n\r\n", 1)[1]

    def test_files_have_types_validators_and_conditions(self):
        self.write("index.html", b"<h1>hello</h1>")
        self.write("a/b.css", b"p {}")
        proxy = self.serve()
        status, fields, content = self.get(proxy, "/")
        self.assertEqual((status, content), (200, b"<h1>hello</h1>"))
        self.assertEqual(fields["Content-Type"], "text/html; charset=utf-8")
        self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
        status, fields, content = self.get(proxy, "/a/b.css?v=1")
        self.assertEqual((status, content, fields["Content-Type"]), (200, b"p {}", "text/css; charset=utf-8"))
        tag, date = fields["ETag"], fields["Last-Modified"]
        self.assertFalse(tag.startswith("W/"))
        for condition, expected in (
            (f"If-None-Match: {tag}", 304), ("If-None-Match: \"x\"", 200),
            (f"If-Modified-Since: {date}", 304), (f"If-Match: {tag}", 200), ("If-Match: \"x\"", 412),
            (f"If-Unmodified-Since: {date}", 200),
            ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 412),
        ):
            self.assertEqual(self.get(proxy, "/a/b.css", "-H", condition)[0], expected, condition)
        head, fields, content = self.get(proxy, "/a/b.css", "-I")
        self.assertEqual((head, fields["Content-Length"], content), (200, "4", b""))
        status, fields, _ = self.get(proxy, "/a/b.css", "-X", "POST")
        self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"))
        status, fields, _ = self.get(proxy, "/a?q")
        self.assertEqual((status, fields["Location"]), (301, "/a/?q"))
        os.utime(self.www / "a/b.css", (1, 1))
        self.assertNotEqual(self.get(proxy, "/a/b.css")[1]["ETag"], tag)

    def test_ranges_of_large_files(self):
        content = os.urandom(3_000_000)
        self.write("large.bin", content)
        proxy = self.serve()
        self.assertEqual(self.get(proxy, "/large.bin")[2], content)
        for asked, first, end in (("0-0", 0, 1), ("1000000-2999998", 1_000_000, 2_999_999), ("-5", 2_999_995, 3_000_000)):
            status, fields, part = self.get(proxy, "/large.bin", "-r", asked)
            self.assertEqual((status, part), (206, content[first:end]))
            self.assertEqual(fields["Content-Range"], f"bytes {first}-{end - 1}/3000000")
        self.assertEqual(self.get(proxy, "/large.bin", "-r", "3000000-")[0], 416)
        status, fields, parts = self.get(proxy, "/large.bin", "-r", "0-9,1000000-1300000")
        self.assertEqual(status, 206)
        self.assertTrue(fields["Content-Type"].startswith("multipart/byteranges; boundary="))
        self.assertIn(content[1_000_000:1_300_001], parts)
        self.assertEqual(len(parts), int(fields["Content-Length"]))

    def test_names_that_are_not_for_clients(self):
        self.write("open.txt", b"open")
        self.write(".git/config", b"secret")
        self.write("a/.env", b"secret")
        self.write(".well-known/security.txt", b"mail")
        os.symlink("open.txt", self.www / "inside")
        os.symlink("/etc/passwd", self.www / "outside")
        os.symlink("..", self.www / "up")
        os.mkfifo(self.www / "pipe")
        (self.www / "unreadable").mkdir()
        proxy = self.serve()
        for path, expected in (
            ("/open.txt", 200), ("//open.txt", 200), ("/./open.txt", 200), ("/open.txt/", 404),
            ("/.git/config", 404), ("/a/.env", 404), ("/%2egit/config", 404),
            ("/.well-known/security.txt", 200), ("/inside", 200), ("/outside", 404), ("/up/etc/passwd", 404),
            ("/pipe", 404), ("/../etc/passwd", 400), ("/%2e%2e/x", 400), ("/a%2fb", 400), ("/a%00", 400),
            ("/" + "x" * 300, 404), ("/%ff", 404), ("/nothing", 404), ("/unreadable/", 404),
        ):
            self.assertEqual(self.get(proxy, path)[0], expected, path)
        strict = self.serve_by_file("symlinks = 'off'")
        self.assertEqual(self.get(strict, "/inside")[0], 404)
        loose = self.serve_by_file("symlinks = 'anywhere'", "hidden-files = 'on'")
        self.assertEqual(self.get(loose, "/outside")[0], 200)
        self.assertEqual(self.get(loose, "/.git/config")[2], b"secret")

    def serve_by_file(self, *lines, prefix="/"):
        """Starts a proxy whose configuration has a route with a folder."""
        config = self.folder() / "t.toml"
        keys = "\n".join((f"path = '{prefix}'", f"folder = '{self.www}'", *lines))
        config.write_text(f"listen = '127.0.0.1:0'\n[[site]]\n[[site.route]]\n{keys}\n")
        return self.start_proxy("--config", str(config), listen=None)

    def test_siblings_with_codings(self):
        plain = b"let x = 1;\n" * 100
        self.write("x.js", plain)
        self.write("x.js.gz", gzip.compress(plain))
        self.write("x.js.br", b"brotli")
        self.write("y.js", plain)
        proxy = self.serve("--precompressed")
        for accept, coding in (("gzip", "gzip"), ("gzip, br", "br"), ("identity", None), ("zstd", None)):
            status, fields, content = self.get(proxy, "/x.js", "-H", f"Accept-Encoding: {accept}")
            self.assertEqual((status, fields.get("Content-Encoding")), (200, coding), accept)
            self.assertEqual(fields["Vary"], "Accept-Encoding")
            self.assertEqual(fields["Content-Type"], "text/javascript; charset=utf-8")
            if coding is None:
                self.assertEqual(content, plain)
        self.assertEqual(self.curl("--compressed", f"http://127.0.0.1:{proxy.port}/x.js", "-H", "Accept-Encoding: gzip"), plain)
        self.assertNotIn("Vary", self.get(proxy, "/y.js")[1])

    def test_listings_fallbacks_and_pages_for_missing_files(self):
        self.write("app.html", b"application")
        self.write("404.html", b"not here")
        self.write("many/a&b.txt", b"1")
        proxy = self.serve("--listing")
        status, fields, page = self.get(proxy, "/many/")
        self.assertEqual((status, fields["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b'<a href="./a%26b.txt">a&amp;b.txt</a>', page)
        self.assertNotIn(b"not here", self.get(proxy, "/nothing")[2])
        self.assertEqual(self.get(self.serve(), "/many/")[0], 404)
        single = self.serve("--fallback", "app.html")
        self.assertEqual(self.get(single, "/some/view")[::2], (200, b"application"))
        missing = self.serve_by_file("not-found = '404.html'")
        self.assertEqual(self.get(missing, "/some/view")[::2], (404, b"not here"))
        below = self.serve_by_file(prefix="/static")
        self.assertEqual(self.get(below, "/static/app.html")[2], b"application")
        self.assertEqual(self.get(below, "/app.html")[0], 404)

    def test_file_that_shrinks_is_cut_short_visibly(self):
        path = self.write("shrinks", b"x" * 50_000_000)
        proxy = self.serve()
        connection = self.connect(proxy)
        connection.sendall(b"GET /shrinks HTTP/1.1\r\nHost: h\r\n\r\n")
        received = len(connection.recv(1000))
        os.truncate(path, 1_000_000)
        with self.assertRaises((ConnectionResetError, StopIteration)):
            while True:
                part = connection.recv(1 << 20)
                received += len(part)
                if not part:
                    raise StopIteration
        self.assertLess(received, 50_000_000)
        self.assertEqual(self.get(proxy, "/shrinks", "-I")[1]["Content-Length"], "1000000")
        proxy.stop()
        self.assertTrue(proxy.lines()[0].endswith("[file-shrunk]"), proxy.lines())

    def test_confined_process_takes_no_other_folder(self):
        self.write("a", b"a")
        config, control = self.folder() / "t.toml", self.folder() / "control"

        def configure(folder):
            config.write_text(f"listen = '127.0.0.1:0'\ncontrol = '{control}'\nconfine = true\n"
                              f"[[site]]\nfolder = '{folder}'\n")

        configure(self.www)
        proxy = self.start_proxy("--config", str(config), listen=None)
        if not any(line.startswith("  confined reads") for line in proxy.banner):
            self.skipTest("this kernel cannot confine a process")
        self.assertEqual(self.get(proxy, "/a")[2], b"a")
        configure(self.folder())
        self.assertIn("other folders need a restart", self.reload_at(control, code=1))

    def test_clients_in_parallel_get_whole_files(self):
        contents = {f"f{n}": os.urandom(200_000 + n) for n in range(8)}
        for name, content in contents.items():
            self.write(name, content)
        proxy, wrong = self.serve(), []

        def client():
            for name, content in contents.items():
                if self.get(proxy, f"/{name}")[2] != content:
                    wrong.append(name)

        threads = [threading.Thread(target=client) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
