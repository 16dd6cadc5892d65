"""`tidegate doctor` at sites that are wrong on purpose: each has its finding, and none once the fix is applied."""

import email.utils
import json
import socket
import threading
import time
import unittest

import pki
from doctored import HOST, HTML, Doctored, Site, wait
from pki import DAY
from tls_origin import TlsOrigin, context


def setUpModule():
    global made
    made = Made()


def tearDownModule():
    made.pki.close()


class Made:
    """Certificates of the site: a good one, and others."""

    def __init__(self):
        self.pki = of = pki.Pki()
        self.root = of.authority("Site Root")
        self.ca = of.file(self.root, key=False)
        self.good = self.certificate()

    def certificate(self, dns=HOST, **how):
        return self.pki.file(self.pki.issue(self.root, dns, dns=[dns], **how))


class Good(Doctored):
    def test_good_sites_have_no_finding(self):
        origin = self.site()
        self.assertEqual(self.examine(origin.server_address[1], "--origin", origin.url), {})
        self.assertEqual(self.examine(self.edge(origin), "--origin", origin.url), {})
        port = self.edge(origin, tls=made.good)
        self.assertEqual(self.examine(port, "--origin", origin.url, "--origin-ca", made.ca, secure=True), {})

    def test_pages_of_one_user_may_forbid_storing(self):
        def respond(request, response):
            if request.path == "/":
                response.fields["Cache-Control"] = "private, no-store"
                response.body = HTML + str(time.monotonic()).encode()
                response.cookies = ["session=1; HttpOnly; SameSite=Lax; Path=/"]
        self.assertEqual(self.examine(self.site(respond).server_address[1]), {})

    def test_text_names_what_was_asked(self):
        origin = self.site()
        done = self.run_doctor(f"http://{HOST}/", "--connect", f"127.0.0.1:{origin.server_address[1]}")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r"\Aasked      http://shop.example/: 200\nverdict    nothing found in \d+ requests\n\Z")


class Names(Doctored):
    def check_tidegate(self, word, respond, keys=(), path="/", secure=False):
        """Checks that tidegate before a site has a finding, and none with the key that it names."""
        origin, tls = self.site(respond), made.good if secure else None
        args = ("--origin", origin.url, *(("--ca", made.ca) if secure else ()))
        finding = self.only(word, self.edge(origin, keys, tls), *args, secure=secure, path=path)
        fixed = self.edge(origin, dict(keys) | self.key(finding), tls)
        self.assertEqual(self.examine(fixed, *args, secure=secure, path=path), {})
        return finding

    def check_behind_tls(self, word, respond):
        """Checks the same for a tidegate behind another proxy, which ends TLS."""
        origin = self.site(respond)
        args = ("--origin", origin.url, "--origin-ca", made.ca)

        def chain(keys=()):
            inner = type("Inner", (), {"url": f"http://127.0.0.1:{self.edge(origin, keys)}"})
            return self.edge(inner, tls=made.good)

        finding = self.only(word, chain(), *args, secure=True)
        self.assertEqual(self.fix(finding, "proxy"), "X-Forwarded-Proto: https")
        fixed = chain(self.key(finding, ADDRESS="127.0.0.1"))
        self.assertEqual(self.examine(fixed, *args, secure=True), {})

    def test_loop_of_an_origin_that_is_not_told_of_tls(self):
        def respond(request, response):
            if not request.has("X-Forwarded-Proto: https"):
                response.redirect(f"https://{HOST}{request.path}")
        self.check_behind_tls("redirect-loop", respond)

    def test_loop_of_an_origin_that_wants_another_field(self):
        def respond(request, response):
            if not request.has("Front-End-Https: on"):
                response.redirect(f"https://{HOST}{request.path}")
        finding = self.check_tidegate("redirect-loop", respond, secure=True)
        self.assertEqual(self.fix(finding, "tidegate"), "set-request = 'Front-End-Https: on'")

    def test_loop_of_an_origin_that_gets_its_own_host(self):
        def respond(request, response):
            if request.host != HOST:
                response.redirect(f"http://{HOST}{request.path}")
        # In its own Location, tidegate maps the name of the origin; this one is that of the site.
        finding = self.check_tidegate("redirect-loop", respond, {"host": "'origin'"})
        self.assertEqual(finding["seen"], [f"http://{HOST}/ redirects to http://{HOST}/ (302)"])

    def test_loop_of_two_redirections(self):
        def respond(request, response):
            if request.path in ("/a", "/a/"):
                response.redirect({"/a": "/a/", "/a/": "/a"}[request.path])
        finding = self.only("redirect-loop", self.site(respond).server_address[1], path="/a")
        self.assertEqual(len(finding["seen"]), 2)
        self.assertEqual(self.fix(finding, "application"), f"remove the redirection from http://{HOST}/a/")

    def test_redirections_without_end(self):
        def respond(request, response):
            response.redirect(request.path + "x")
        self.only("too-many-redirects", self.site(respond).server_address[1])

    def test_redirection_to_a_port_that_is_closed(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://{HOST}:{closed.getsockname()[1]}/"
            origin = self.site(lambda request, response: response.redirect(url))
            finding = self.only("redirect-unreachable", origin.server_address[1])
        self.assertIn("refuses connections", finding["seen"][1])

    def test_links_to_the_origin_by_a_lost_host(self):
        def respond(request, response):
            response.body = f"<a href='http://{request.host}/x'>x</a>".encode()
        finding = self.check_tidegate("internal-name", respond, {"host": "'origin'"})
        self.assertEqual(self.fix(finding, "tidegate"), "host = 'preserve'")

    def test_redirection_to_the_name_that_the_application_knows(self):
        base = "http://app.internal:9000"

        def respond(request, response):
            if request.path == "/old":
                response.redirect(base + "/new")
        origin = self.site(respond)
        port = self.edge(origin)
        finding = self.only("internal-name", port, "--origin", origin.url, path="/old")
        self.assertEqual(finding["seen"], [f"http://{HOST}/old has Location: http://app.internal:9000/new"])
        base = self.fix(finding, "application")
        self.assertEqual(self.examine(self.edge(origin), "--origin", origin.url, path="/old"), {})

    def test_origin_that_serves_its_own_host_alone(self):
        def respond(request, response):
            if request.host == HOST:
                response.missing()
        finding = self.check_tidegate("wrong-host", respond)
        self.assertEqual(self.fix(finding, "tidegate"), "host = 'origin'")

    def test_origin_that_serves_the_host_of_the_site_alone(self):
        def respond(request, response):
            if request.host != HOST:
                response.missing()
        finding = self.check_tidegate("wrong-host", respond, {"host": "'origin'"})
        self.assertEqual(self.fix(finding, "tidegate"), "host = 'preserve'")

    def test_links_without_tls_of_an_origin_that_is_not_told(self):
        def respond(request, response):
            scheme = request.fields.get("X-Forwarded-Proto", "http")
            response.body = f"<script src={scheme}://{HOST}/a.js></script>".encode()
        self.check_behind_tls("forwarded-proto", respond)

    def test_links_without_tls_of_an_origin_that_wants_another_field(self):
        def respond(request, response):
            scheme = "https" if request.has("X-Scheme: https") else "http"
            response.body = f"<form action={scheme}://{HOST}/>".encode()
        finding = self.check_tidegate("forwarded-proto", respond, secure=True)
        self.assertEqual(self.fix(finding, "tidegate"), "set-request = 'X-Scheme: https'")

    def test_host_that_no_site_serves(self):
        origin = self.site()
        port = self.edge(origin, {"hosts": "'other.example'"})
        finding = self.only("error-status", port)
        self.assertIn("unknown-site", finding["seen"][0])
        self.assertEqual(self.examine(self.edge(origin, self.key(finding))), {})

    def test_origin_that_is_not_there(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            gone = type("Gone", (), {"url": url})
            found = self.examine(self.edge(gone), "--origin", url)
        self.assertEqual(list(found), ["origin-unreachable", "error-status"])
        self.assertEqual(self.fix(found["error-status"], "shell"), "tidegate origin list")


class Cookies(Doctored):
    def test_domain_of_the_origin(self):
        def respond(request, response):
            response.cookies = ["id=1; Domain=app.internal; Path=/"]
            response.fields["Cache-Control"] = "max-age=60, public"
        self.check_application("cookie-domain", respond)
        origin = self.site(respond)
        finding = self.only("cookie-domain", self.edge(origin))
        self.assertEqual(self.examine(self.edge(origin, self.key(finding))), {})

    def test_path_of_the_origin(self):
        def respond(request, response):
            response.cookies = ["id=1; Path=/internal"]
            response.fields["Cache-Control"] = "max-age=60, public"
            if request.path.startswith("/internal"):
                response.missing()
        finding = self.check_application("cookie-path", respond)
        self.assertEqual(self.fix(finding, "application"), "Set-Cookie: id=…; Path=/")

    def test_cookie_without_secure(self):
        def respond(request, response):
            response.cookies = ["id=1; HttpOnly"]
            response.fields["Cache-Control"] = "max-age=60, public"
        origin = self.site(respond)
        port = self.edge(origin, tls=made.good)
        finding = self.only("cookie-secure", port, "--origin-ca", made.ca, secure=True)
        self.apply(origin, finding)
        port = self.edge(origin, tls=made.good)
        self.assertEqual(self.examine(port, "--origin-ca", made.ca, secure=True), {})

    def test_cookie_that_needs_tls(self):
        def respond(request, response):
            response.cookies = ["__Host-id=1; Secure; Path=/"]
            response.fields["Cache-Control"] = "max-age=60, public"
        origin = self.site(respond)
        finding = self.only("cookie-refused", self.edge(origin))
        keys = self.key(finding, **{"0.0.0.0:443": "127.0.0.1:0"})
        self.assertEqual(list(keys), ["listen-tls"])
        port = self.edge(origin, keys, tls=made.good)
        self.assertEqual(self.examine(port, "--origin-ca", made.ca, secure=True), {})


class Caching(Doctored):
    def check_both(self, word, respond):
        """Checks the fix in the application, and that in tidegate."""
        finding = self.check_application(word, respond)
        origin = self.site(respond)
        self.assertEqual(self.examine(self.edge(origin, self.key(finding))), {})
        return finding

    def test_page_that_forbids_storing(self):
        def respond(request, response):
            response.fields["Cache-Control"] = "no-store"
        finding = self.check_both("not-cacheable", respond)
        self.assertIn(f"http://{HOST}/ cannot be stored (no-store): Cache-Control: no-store", finding["seen"])
        self.assertIn(f"http://{HOST}/a.css cannot be stored (no-store): Cache-Control: no-store", finding["seen"])

    def test_page_with_a_cookie(self):
        def respond(request, response):
            response.cookies = ["seen=1; Path=/"]
        origin = self.site(respond)
        finding = self.only("not-cacheable", self.edge(origin))
        self.assertEqual(self.key(finding), {"drop-set-cookie": "'on'"})
        self.assertEqual(self.examine(self.edge(origin, self.key(finding))), {})
        self.check_application("not-cacheable", respond)

    def test_page_that_varies_by_everything(self):
        def respond(request, response):
            response.fields["Vary"] = "*"
        self.check_application("not-cacheable", respond)

    def test_page_without_lifetime(self):
        def respond(request, response):
            response.fields.pop("Cache-Control")
        finding = self.check_both("no-lifetime", respond)
        self.assertEqual(self.key(finding), {"freshness": "'default=1m'"})

    def test_page_without_validator(self):
        def respond(request, response):
            response.fields.pop("ETag")
        self.check_application("no-validator", respond)

    def test_validator_that_is_ignored(self):
        def respond(request, response):
            response.validates = request.path != "/" or validates
        validates = False
        origin = self.site(respond)
        finding = self.only("validator-ignored", origin.server_address[1])
        self.assertEqual(self.examine(self.edge(origin, self.key(finding))), {})
        self.assertEqual(self.fix(finding, "application"), "304 Not Modified")
        validates = True
        self.assertEqual(self.examine(origin.server_address[1]), {})

    def test_vary_without_need(self):
        for name in ("User-Agent", "Cookie", "Accept-Language"):
            def respond(request, response):
                response.fields["Vary"] = f"Accept-Encoding, {name}"
            finding = self.check_application("vary-splits", respond)
            self.assertEqual(self.fix(finding, "application"), "Vary: Accept-Encoding")

    def test_vary_that_lacks_a_name(self):
        def coded(request, response):
            response.fields.pop("Vary")
        self.check_application("vary-missing", coded)

        def german(request, response):
            if request.path == "/" and request.fields.get("Accept-Language") == "de":
                response.body = HTML + b"deutsch"
        finding = self.check_application("vary-missing", german)
        self.assertEqual(self.fix(finding, "application"), "Vary: Accept-Encoding, Accept-Language")


class Transfer(Doctored):
    def test_clock_that_is_wrong(self):
        def respond(request, response):
            response.fields["Date"] = email.utils.formatdate(time.time() + offset, usegmt=True)
        for offset, direction in ((3600, "ahead of"), (-3600, "behind")):
            origin = self.site(respond)
            finding = self.only("clock", origin.server_address[1])
            self.assertIn(direction, finding["seen"][0])
            self.assertEqual(self.fix(finding, "shell"), "timedatectl set-ntp true")
        offset = 0
        self.assertEqual(self.examine(origin.server_address[1]), {})

    def test_text_without_compression(self):
        def respond(request, response):
            response.compresses = False
        self.check_application("no-compression", respond)
        www = self.folder()
        (www / "index.html").write_bytes(HTML)
        for name in ("a.css", "a.js"):
            (www / name).write_bytes(b"/* text */" * 200)
        keys = {"folder": f"'{www}'", "set-response": "'Cache-Control: max-age=60'"}
        finding = self.only("no-compression", self.edge(None, keys))
        self.assertEqual(len(finding["seen"]), 3)
        self.assertEqual(self.examine(self.edge(None, keys | self.key(finding))), {})

    def test_page_that_is_slow(self):
        origin = self.site(wait(1))
        finding = self.only("slow-first-byte", origin.server_address[1], "--origin", origin.url)
        self.assertIn("its origin alone", finding["seen"][0])
        self.assertEqual(self.examine(self.edge(origin, self.key(finding))), {})

    def test_certificates(self):
        origin = self.site()
        strange = pki.Pki()
        self.addCleanup(strange.close)
        for word, file, reason in (
            ("certificate-invalid", made.certificate(begins=-9 * DAY, ends=-DAY), "certificate-expired"),
            ("certificate-invalid", made.certificate("other.example"), "certificate-other-name"),
            ("certificate-invalid", strange.file(strange.issue(strange.authority("Strange"), HOST, dns=[HOST])),
             "certificate-unknown-issuer"),
            ("certificate-ends", made.certificate(begins=-80 * DAY, ends=10 * DAY), "in 9 days"),
        ):
            finding = self.only(word, self.secure_site(file), "--origin-ca", made.ca, secure=True)
            self.assertIn(reason, finding["seen"][0])
            fixed = self.edge(origin, self.key(finding, FILE=made.good))
            self.assertEqual(self.examine(fixed, "--origin-ca", made.ca, secure=True), {})

    def secure_site(self, file):
        """Starts a site that presents a certificate, also one that tidegate would not serve. Returns its port."""
        origin = TlsOrigin(context(file), Site)
        origin.respond, origin.fixed = lambda request, response: None, {}
        self.addCleanup(origin.stop)
        return origin.port

    def test_certificate_of_the_origin(self):
        origin = TlsOrigin(context(made.certificate("other.example")))
        self.addCleanup(origin.stop)
        site = self.site()
        finding = self.only("origin-unreachable", site.server_address[1], "--origin", origin.url, "--ca", made.ca)
        self.assertIn("certificate-other-name", finding["seen"][0])
        self.assertEqual(self.fix(finding, "tidegate"), "--origin-sni NAME")


class Unusable(Doctored):
    def listen(self, answer, then=None):
        """Starts a server that answers each request by these bytes, and then by `then` without end."""
        server = socket.create_server(("127.0.0.1", 0))

        def serve(connection):
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(answer)
                    while then:
                        connection.sendall(then)
                except OSError:
                    return
                if then is None:
                    connection.recv(1)  # until the client closes

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        self.addCleanup(server.close)
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)
        return server.getsockname()[1]

    def refused(self, url, *args):
        """Returns the message of an examination that is not possible."""
        done = self.run_doctor(url, *args)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        self.assertTrue(done.stderr.startswith("error: "), done.stderr)
        return done.stderr

    def test_sites_that_cannot_be_asked(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            message = self.refused(f"http://127.0.0.1:{closed.getsockname()[1]}/")
        self.assertIn("refuses connections; start the server there", message)
        for answer, reason in (
            (b"HTTP/1.1 200 OK\nA: b\n\n", "bare-lf"),
            (b"SSH-2.0-x\r\n", "malformed"),
            (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200_000, "malformed"),
            (b"HTTP/1.1 200 OK\r\nA: ", "truncated"),
            (b"", "ends without a response"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<html", "ends after 5 bytes of content"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "malformed"),
        ):
            port = self.listen(answer, then=b"")
            self.assertIn(reason, self.refused(f"http://127.0.0.1:{port}/"), answer[:30])
        message = self.refused(f"https://127.0.0.1:{self.listen(b'HTTP/1.1 200 OK', then=b'')}/")
        self.assertIn("not-tls", message)
        started = time.monotonic()
        message = self.refused(f"http://127.0.0.1:{self.listen(b'')}/", "--max-time", "1s")
        self.assertIn("does not answer in time", message)
        interim = self.listen(b"", then=b"HTTP/1.1 103 Early Hints\r\n\r\n")
        message = self.refused(f"http://127.0.0.1:{interim}/")
        self.assertIn("ends without a response", message)
        self.assertLess(time.monotonic() - started, 20)

    def test_redirections_that_no_browser_follows(self):
        for location in ("ftp://x/", "javascript:alert(1)", None):
            def respond(request, response):
                response.status = 302
                if location:
                    response.fields["Location"] = location
            found = self.examine(self.site(respond).server_address[1])
            self.assertEqual(list(found), ["redirect-unreachable"], location)
            self.assertIn(location or "nowhere", found["redirect-unreachable"]["seen"][0])

    def test_content_without_end_is_bounded(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nCache-Control: max-age=9\r\nETag: \"1\"\r\n\r\n"
        done = self.run_doctor(f"http://127.0.0.1:{self.listen(head, then=bytes(65536))}/", "--json")
        found = [each["finding"] for each in json.loads(done.stdout)["findings"]]
        self.assertEqual(found, ["validator-ignored"])

    def test_site_that_stops_to_answer(self):
        def respond(request, response):
            if "Accept-Language" in request.fields and request.fields["Accept-Language"] == "de":
                raise ConnectionAbortedError
        found = self.examine(self.site(respond).server_address[1])
        self.assertEqual(list(found), ["no-answer"])

    def test_names_of_sites_cannot_write_to_the_terminal(self):
        def respond(request, response):
            response.body = b"<a href='http://app.internal/\x1b[2J'>x</a>"
        origin = self.site(respond)
        done = self.run_doctor(f"http://{HOST}/", "--connect", f"127.0.0.1:{origin.server_address[1]}")
        self.assertNotIn("\x1b", done.stdout)

    def test_usage_errors_say_what_to_write(self):
        for args, reason in (
            (["shop.example"], "write http://HOST/PATH"),
            (["http://h/", "--connect", "h"], "write HOST:PORT"),
            (["http://h/", "--max-time", "0s"], "write a time"),
            (["http://h/", "--origin", "ftp://h/"], "write http://HOST/PATH"),
            (["http://h/", "--origin-ca", "/nowhere"], "cannot read /nowhere"),
            (["http://no.invalid/"], "no address is known for no.invalid"),
        ):
            self.assertIn(reason, self.refused(*args))


if __name__ == "__main__":
    unittest.main()
