"""The example application, behind the proxy in its own process: forms, sessions, the cache, streams and files."""

import threading
import unittest
from pathlib import Path

from harness import BINARY, Case

NOTES = Path(BINARY).parent / "examples" / "notes"


class Applications(Case):
    def setUp(self):
        self.app = self.start_proxy(listen=None, subcommand="127.0.0.1:0", binary=NOTES)
        self.jar = self.folder() / "jar"

    def ask(self, path, *args):
        """Returns status, fields and content; cookies are kept."""
        url = f"http://127.0.0.1:{self.app.port}{path}"
        answer = self.curl("-i", "-b", self.jar, "-c", self.jar, *args, url)
        status, fields = self.head_of(answer)
        return status, fields, answer.split(b"\r\n\r\n", 1)[1]

    def test_users_log_in_and_write_notes(self):
        self.assertEqual(self.ask("/notes", "-d", "text=early")[0], 403)
        status, fields, _ = self.ask("/login", "-d", "name=Ada")
        self.assertEqual((status, fields["Location"]), (303, "/"))
        self.assertIn("HttpOnly; SameSite=Lax", fields["Set-Cookie"])
        self.assertEqual(self.ask("/notes", "--data-urlencode", "text=1 < 2 & ü")[0], 303)
        page = self.ask("/", "-L")[2].decode()
        self.assertIn("Ada</a>: 1 &lt; 2 &amp; ü", page)
        # A note is cacheable; the page of all notes is not.
        self.assertEqual(self.ask("/notes/1")[1]["Cache-Status"], "tidegate; fwd=uri-miss; stored")
        self.assertRegex(self.ask("/notes/1")[1]["Cache-Status"], "^tidegate; hit; ttl=")
        self.assertEqual(self.ask("/notes/1", "-r", "2-8")[2], b"doctype")
        self.assertIn("no-store", self.ask("/")[1]["Cache-Control"])
        status, fields, content = self.ask("/export")
        self.assertEqual((status, fields["Transfer-Encoding"]), (200, "chunked"))
        self.assertEqual(content.decode(), "author\ttext\nAda\t1 < 2 & \\u{fc}\n")
        self.assertEqual(self.ask("/logout", "-d", "")[0], 303)
        self.assertIn(b"Log in", self.ask("/")[2])

    def test_files_and_mistakes(self):
        status, fields, style = self.ask("/static/style.css")
        self.assertEqual((status, fields["Content-Type"]), (200, "text/css; charset=utf-8"))
        self.assertIn(b"font", style)
        for path, args, expected in (
            ("/login", ["-H", "Content-Type: application/json", "-d", "{}"], 415),
            ("/login", ["-d", "name="], 400),
            ("/notes/0", [], 404),
            ("/notes/x", [], 404),
            ("/nothing", [], 404),
            ("/notes", ["-X", "PUT"], 405),
            ("/static/../../main.rs", ["--path-as-is"], 400),
        ):
            self.assertEqual(self.ask(path, *args)[0], expected, path)
        large = self.folder() / "large"
        large.write_bytes(b"name=" + b"x" * 2_000_000)
        self.assertEqual(self.ask("/login", "-d", f"@{large}", "-H", "Expect: 100-continue")[0], 413)

    def test_clients_in_parallel_are_answered(self):
        self.ask("/login", "-d", "name=Ada")
        failed = []

        def client():
            for _ in range(5):
                status = self.ask("/notes", "-d", "text=hello", "-c", "/dev/null")[0]
                failed.extend([] if status == 303 else [status])

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(len(self.ask("/export")[2].splitlines()), 1 + 5 * len(threads))
        self.assertEqual(self.app.stop(), 0)
        self.assertEqual(len([line for line in self.app.lines() if " 303 PASS " in line]), 1 + 5 * len(threads))


if __name__ == "__main__":
    unittest.main()
