"""Chains of certificates that an origin presents, wrong and right ones, fetched by a forward proxy.

Revocation is not checked, neither by lists (RFC 5280 §5) nor by OCSP: no test presents a revoked
certificate. Authorities that are trusted issue certificates of few days for what may have to be revoked.
"""

import json
import ssl
import unittest
import warnings

import pki
from harness import BINARY, Case, Pages, connect
from pki import DAY
from tls_origin import RawOrigin, TlsOrigin, context

HOST = "origin.test"
NAMES = [HOST, "other.test", "www.origin.test", "a.b.origin.test"]
LAX = "DEFAULT:@SECLEVEL=0"  # openssl serves weak certificates only so


def setUpModule():
    global made
    made = Made()


def tearDownModule():
    made.pki.close()


class Made:
    """Authorities, and files with chains."""

    def __init__(self):
        self.pki = of = pki.Pki()
        self.root = of.authority("Zoo Root")
        self.middle = of.authority("Zoo Intermediate", self.root)
        self.other = of.authority("Other Root")
        self.rsa = of.authority("Zoo RSA Root", key=of.key("RSA-2048", "authority"))
        self.authorities = of.file(self.root, self.rsa, key=False)

    def leaf(self, issuer=None, **how):
        how.setdefault("dns", [HOST])
        return self.pki.issue(issuer or self.root, **how)


class Zoo(Case):
    """A forward proxy that trusts the authorities of the zoo."""

    def setUp(self):
        self.proxy = self.start("--origin-ca", made.authorities)

    def start(self, *options):
        """Starts a forward proxy; the last one started has its log and control socket in `self`."""
        folder = self.folder()
        hosts = folder / "hosts"
        hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in NAMES))
        self.log, self.control = folder / "log", str(folder / "c.sock")
        return self.start_forward("--allow-destination", "::1/128", "--hosts", str(hosts), "--access-log",
                                  str(self.log), "--control", self.control, *options)

    def present(self, *chain, **how):
        """Starts an origin that presents a chain, and returns its port."""
        address = how.pop("address", "127.0.0.1")
        origin = TlsOrigin(context(made.pki.file(*chain), **how), Pages, address)
        self.addCleanup(origin.stop)
        self.origin = origin
        return origin.port

    def fetch(self, port, host=HOST, path="/bytes/10", proxy=None):
        """Returns status, fields and content of a URL that the proxy is asked to fetch."""
        proxy = proxy or self.proxy
        with connect(proxy.address, proxy.port) as client:
            client.sendall(f"GET https://{host}:{port}{path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
                           "Connection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        return (*self.head_of(answer), answer.split(b"\r\n\r\n", 1)[1].decode("latin-1"))

    def stored(self):
        stats = self.run_command(BINARY, "stats", "--json", "--control", self.control)
        return json.loads(stats)["cache_objects"]

    def assert_refused(self, port, kind, word, texts, remedy, host=HOST):
        """Checks that an origin is refused for a reason, and that the client and the log are told."""
        status, fields, content = self.fetch(port, host)
        self.assertEqual(status, 502, content)
        self.assertIn(f"error={kind}", fields["Proxy-Status"])
        self.assertEqual("alert-id=" in fields["Proxy-Status"], kind == "tls_alert_received")
        self.assertIn("no TLS connection to the origin", content)
        for text in [*texts, *([remedy] if remedy else [])]:
            self.assertIn(text, content)
        self.assertNotIn("stored", fields["Cache-Status"])
        self.assertEqual(self.stored(), 0)
        self.wait_until(lambda: f":{port}/" in self.log.read_text())
        line = next(line for line in self.log.read_text().splitlines() if f":{port}/" in line)
        self.assertEqual((line.split()[1], line.split()[2]), ("502", "ERROR"))
        self.assertIn(f"[{word}]", line)

    def accept(self, *chain, host=HOST, **how):
        port = self.present(*chain, **how)
        url_host = f"[{host}]" if ":" in host else host
        status, fields, body = self.fetch(port, url_host)
        self.assertEqual(status, 200, body)
        self.assertIn("stored", fields["Cache-Status"])
        self.assertEqual(self.fetch(port, url_host)[1]["Cache-Status"].split(";")[1].strip(), "hit")
        self.assertEqual(self.origin.counts, {"/bytes/10": 1})
        return self.origin.sessions[-1]


def date(time):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT")


SKIP, NAME, AUTHORITY = "--origin-insecure", "--origin-sni", "--origin-ca"


class BadChains(Zoo):
    def setUp(self):
        # A remedy that is offered has to work.
        self.careless = self.start(*(option for host in [*NAMES, "127.0.0.1"]
                                     for option in ("--origin-insecure", host)))
        super().setUp()

    def refuse(self, word, texts, remedy, *chain, host=HOST, **how):
        port = self.present(*chain, **how)
        self.assert_refused(port, "tls_certificate_error", f"certificate-{word}", texts, remedy, host)
        self.assertEqual(self.origin.counts, {}, "no request may be sent")
        status, _, content = self.fetch(port, host, proxy=self.careless)
        self.assertEqual(status, 200 if remedy else 502, content)

    # --- validity ---

    def test_expired_leaf(self):
        leaf = made.leaf(begins=-3 * DAY, ends=-DAY)
        self.refuse("expired", [f"valid until {date(leaf.not_after)}"], SKIP, leaf)

    def test_leaf_that_is_not_yet_valid(self):
        leaf = made.leaf(begins=DAY, ends=3 * DAY)
        self.refuse("not-yet-valid", [f"not valid before {date(leaf.not_before)}"], SKIP, leaf)

    def test_expired_intermediate(self):
        middle = made.pki.authority("Old Intermediate", made.root, begins=-3 * DAY, ends=-DAY)
        self.refuse("expired", ["CN=Old Intermediate", f"valid until {date(middle.not_after)}"], SKIP,
                    made.leaf(middle), middle)

    def test_intermediate_that_is_not_yet_valid(self):
        middle = made.pki.authority("New Intermediate", made.root, begins=DAY, ends=3 * DAY)
        self.refuse("not-yet-valid", ["CN=New Intermediate", f"not valid before {date(middle.not_before)}"], SKIP,
                    made.leaf(middle), middle)

    def test_leaf_that_ends_before_it_begins(self):
        self.refuse("expired", ["it ends before it begins"], SKIP, made.leaf(begins=-DAY, ends=-2 * DAY))

    # --- names ---

    def test_other_name(self):
        leaf = made.leaf(dns=["www.example", "mail.example"], addresses=["192.0.2.1"])
        self.refuse("other-name", [f"not for {HOST}", "www.example, mail.example, 192.0.2.1"], NAME, leaf)

    def test_many_other_names(self):
        leaf = made.leaf(dns=[f"n{n}.example" for n in range(9)])
        self.refuse("other-name", ["n0.example, n1.example", "and 4 more"], NAME, leaf)

    def test_other_address(self):
        leaf = made.leaf(addresses=["127.0.0.2"], dns=[])
        self.refuse("other-name", ["not for 127.0.0.1", "127.0.0.2"], NAME, leaf, host="127.0.0.1")

    def test_name_where_an_address_is_asked_for(self):
        self.refuse("other-name", ["not for 127.0.0.1", HOST], NAME, made.leaf(), host="127.0.0.1")

    def test_address_as_a_dns_name(self):
        leaf = made.leaf(dns=["127.0.0.1"])
        self.refuse("other-name", ["not for 127.0.0.1, but for the DNS name 127.0.0.1"], NAME, leaf,
                    host="127.0.0.1")

    def test_common_name_alone(self):
        leaf = made.leaf(subject=HOST, dns=[])
        self.refuse("other-name", [f"not for {HOST}", "no host (a common name does not count)"], NAME, leaf)

    def test_empty_list_of_names(self):
        leaf = made.leaf(subject=HOST, dns=[], empty_names=True)
        self.refuse("other-name", [f"not for {HOST}", "no host (a common name does not count)"], NAME, leaf)

    def test_wildcard_over_two_labels(self):
        leaf = made.leaf(dns=["*.origin.test"])
        self.refuse("other-name", ["not for a.b.origin.test", "*.origin.test"], NAME, leaf, host="a.b.origin.test")

    def test_wildcard_for_its_own_parent(self):
        self.refuse("other-name", [f"not for {HOST}", "*.origin.test"], NAME, made.leaf(dns=["*.origin.test"]))

    def test_wildcard_for_an_address(self):
        leaf = made.leaf(dns=["*", "*.0.0.1"])
        self.refuse("other-name", ["not for 127.0.0.1"], NAME, leaf, host="127.0.0.1")

    def test_wildcard_in_the_middle(self):
        self.refuse("other-name", ["not for www.origin.test"], NAME, made.leaf(dns=["www.*.test", "w*.origin.test"]),
                    host="www.origin.test")

    # --- issuers ---

    def test_self_signed_leaf_for_another_name(self):
        leaf = made.pki.issue(None, "Lonely", dns=["lonely.example"])
        self.refuse("unknown-issuer", ["self-signed, by CN=Lonely"], AUTHORITY, leaf)

    def test_self_signed_leaf_for_the_name(self):
        leaf = made.pki.issue(None, "Lonely", dns=[HOST])
        self.refuse("unknown-issuer", ["self-signed, by CN=Lonely"], AUTHORITY, leaf)

    def test_unknown_authority(self):
        self.refuse("unknown-issuer", ["issuer is unknown: CN=Other Root"], AUTHORITY, made.leaf(made.other))

    def test_unknown_authority_that_is_presented(self):
        self.refuse("unknown-issuer", ["CN=Other Root"], AUTHORITY, made.leaf(made.other), made.other)

    def test_unknown_authority_with_the_name_of_a_known_one(self):
        root = made.pki.authority("Zoo Root", key=made.pki.key(use="impostor"))
        self.refuse("signature", ["signature"], SKIP, made.leaf(root))

    def test_missing_intermediate(self):
        self.refuse("unknown-issuer", ["issuer is unknown: CN=Zoo Intermediate"], AUTHORITY, made.leaf(made.middle))

    def test_unrelated_intermediate(self):
        other = made.pki.authority("Unrelated", made.root)
        self.refuse("unknown-issuer", ["issuer is unknown: CN=Zoo Intermediate"], AUTHORITY,
                    made.leaf(made.middle), other)

    def test_intermediate_that_is_no_authority(self):
        middle = made.pki.issue(made.root, "No Authority", key=made.pki.key(use="no-authority"))
        self.refuse("constraint", ["has issued another, but is not that of an authority"], SKIP, made.leaf(middle), middle)

    def test_path_longer_than_its_limit(self):
        first = made.pki.authority("Short", made.root, path_length=0)
        second = made.pki.authority("Too Deep", first)
        self.refuse("constraint", ["longer than one of its authorities permits"], SKIP, made.leaf(second), second, first)

    def test_name_outside_of_the_permitted_ones(self):
        middle = made.pki.authority("Permitted", made.root, permitted=["example"])
        self.refuse("constraint", ["may not issue certificates for these names"], SKIP, made.leaf(middle), middle)

    def test_name_among_the_excluded_ones(self):
        middle = made.pki.authority("Excluded", made.root, excluded=["test"])
        self.refuse("constraint", ["may not issue certificates for these names"], SKIP, made.leaf(middle), middle)

    # --- uses ---

    def test_certificate_of_a_client(self):
        self.refuse("purpose", ["not for this side of TLS (extended key usage)"], SKIP, made.leaf(purposes=["client"]))

    def test_authority_as_a_leaf(self):
        leaf = made.pki.issue(made.root, "Authority", dns=[HOST], authority=True)
        self.refuse("constraint", ["that of an authority"], SKIP, leaf)

    # --- signatures and keys ---

    def test_signature_with_sha1(self):
        self.refuse("algorithm", ["too weak"], SKIP, made.leaf(made.rsa, digest="sha1"), ciphers=LAX)

    def test_signature_with_md5(self):
        self.refuse("algorithm", ["too weak"], SKIP, made.leaf(made.rsa, digest="md5"), ciphers=LAX)

    def test_signature_with_ecdsa_and_sha1(self):
        self.refuse("algorithm", ["too weak"], SKIP, made.leaf(digest="sha1"), ciphers=LAX)

    def test_rsa_key_of_1024_bits(self):
        self.refuse("algorithm", ["RSA with 1024 bits"], None, made.leaf(key=made.pki.key("RSA-1024")),
                    ciphers=LAX)

    def test_authority_with_a_key_of_1024_bits(self):
        middle = made.pki.authority("Weak", made.root, key=made.pki.key("RSA-1024", "authority"))
        self.refuse("algorithm", ["CN=Weak", "RSA with 1024 bits"], SKIP, made.leaf(middle), middle, ciphers=LAX)

    def test_signature_that_is_wrong(self):
        self.refuse("signature", ["a signature in the chain is wrong"], SKIP, made.leaf(broken=True))

    def test_signature_of_an_intermediate_that_is_wrong(self):
        middle = made.pki.authority("Broken", made.root, broken=True)
        self.refuse("signature", ["signature"], SKIP, made.leaf(middle), middle)

    def test_certificate_for_another_key(self):
        leaf = made.leaf(key=made.pki.mismatched(made.pki.key(), made.pki.key(use="other")))
        for highest in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            self.refuse("signature", ["signed the handshake by another key"], None, leaf, highest=highest)

    # --- encoding ---

    def test_critical_extension_that_is_unknown(self):
        extra = pki.extension("1.3.6.1.4.1.55555.1", b"\x05\x00", critical=True)
        self.refuse("extension", ["critical extension"], None, made.leaf(extensions=[extra]))

    def test_certificate_of_version_1(self):
        self.refuse("malformed", ["not of version 3"], None, made.leaf(version=1))


class Handshakes(Zoo):
    """Handshakes that fail for other reasons than a certificate."""

    def raw(self, serve):
        origin = RawOrigin(serve)
        self.addCleanup(origin.stop)
        return origin.port

    def test_origin_that_asks_for_a_certificate(self):
        """In TLS 1.3, the alert arrives when the handshake is complete for the client."""
        authority = made.pki.file(made.other, key=False)
        for highest, texts in [(ssl.TLSVersion.TLSv1_2, ["handshake_failure", "asks for a certificate"]),
                               (ssl.TLSVersion.TLSv1_3, ["certificate_required"])]:
            with self.subTest(highest):
                port = self.present(made.leaf(), highest=highest, client_ca=authority)
                self.assert_refused(port, "tls_alert_received", "tls-alert", texts, "--origin-cert FILE")

    def test_origin_that_knows_no_such_name(self):
        def unknown(connection, name, _context):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

        port = self.present(made.leaf())
        self.origin.context.sni_callback = unknown
        self.assert_refused(port, "tls_alert_received", "tls-alert", ["unrecognized_name"], NAME)

    def test_origin_that_speaks_plain_http(self):
        plain = self.start_origin()
        port = plain.server_address[1]
        self.assert_refused(port, "tls_protocol_error", "not-tls", ["does not speak TLS"], None)

    def test_origin_that_speaks_another_protocol_first(self):
        port = self.raw(lambda connection: (connection.sendall(b"220 mail.test ESMTP\r\n"), connection.recv(1000)))
        self.assert_refused(port, "tls_protocol_error", "not-tls", ["does not speak TLS"], None)

    def test_origin_that_closes_at_once(self):
        port = self.raw(lambda connection: connection.recv(1))
        self.assert_refused(port, "connection_terminated", "tls-ended", ["ended during the handshake"], None)

    def test_origin_that_closes_after_its_first_message(self):
        port = self.raw(lambda connection: (connection.recv(1000), connection.sendall(bytes([22, 3, 3, 0, 80, 2]))))
        self.assert_refused(port, "connection_terminated", "tls-ended", ["ended during the handshake"], None)

    def test_origin_of_tls_1_0_or_1_1(self):
        for version in [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]:
            with self.subTest(version), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                port = self.present(made.leaf(), lowest=version, highest=version, ciphers=LAX)
                self.assert_refused(port, "tls_alert_received", "tls-alert", ["protocol_version"], None)

    def test_origin_without_a_common_cipher(self):
        leaf = made.leaf(made.rsa, key=made.pki.key("RSA-2048"))
        port = self.present(leaf, highest=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA")
        self.assert_refused(port, "tls_alert_received", "tls-alert", ["handshake_failure"], None)

    def test_origin_that_breaks_the_protocol(self):
        hello = bytes([22, 3, 3, 0, 4, 14, 0, 0, 0])  # ServerHelloDone comes first
        port = self.raw(lambda connection: (connection.recv(1000), connection.sendall(hello), connection.recv(1000)))
        self.assert_refused(port, "tls_protocol_error", "tls-protocol", ["breaks a rule of TLS"], None)

    def test_origin_that_stays_silent(self):
        self.proxy = self.start("--origin-ca", made.authorities, "--connect-timeout", "300ms")
        port = self.raw(lambda connection: (connection.recv(1000), connection.recv(1000)))
        status, fields, content = self.fetch(port)
        self.assertEqual((status, self.stored()), (504, 0), content)
        self.assertIn("error=connection_timeout", fields["Proxy-Status"])
        self.assertIn("limits.connect-timeout", content)


class GoodChains(Zoo):
    def test_chain_with_an_intermediate(self):
        self.assertEqual(self.accept(made.leaf(made.middle), made.middle)[1], HOST)

    def test_chain_with_its_root(self):
        self.accept(made.leaf(made.middle), made.middle, made.root)

    def test_chain_in_another_order(self):
        lower = made.pki.authority("Lower", made.middle)
        self.accept(made.leaf(lower), made.middle, lower)

    def test_chain_with_an_unrelated_certificate(self):
        self.accept(made.leaf(made.middle), made.other, made.middle)

    def test_chain_with_an_expired_twin(self):
        old = made.pki.authority(made.middle.subject, made.root, key=made.middle.key, begins=-3 * DAY, ends=-DAY)
        self.accept(made.leaf(made.middle), old, made.middle)

    def test_kinds_of_keys(self):
        for kind in ["RSA-2048", "P-384", "Ed25519"]:
            for highest in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
                with self.subTest((kind, highest)):
                    self.accept(made.leaf(key=made.pki.key(kind)), highest=highest)

    def test_chain_of_rsa(self):
        self.accept(made.leaf(made.rsa, key=made.pki.key("RSA-2048")))

    def test_addresses(self):
        leaf = made.leaf(dns=[], addresses=["127.0.0.1", "::1"])
        self.assertEqual(self.accept(leaf, host="127.0.0.1")[1], None, "no name is sent for an address")
        self.accept(leaf, host="::1", address="::1")

    def test_wildcard_of_one_label(self):
        self.accept(made.leaf(dns=["*.origin.test"]), host="www.origin.test")

    def test_name_in_upper_case(self):
        self.accept(made.leaf(dns=["ORIGIN.Test"]), host="Origin.TEST")

    def test_name_with_a_final_dot(self):
        self.assertEqual(self.accept(made.leaf(), host="origin.test.")[1], HOST, "no final dot (RFC 6066 §3)")

    def test_name_that_is_permitted(self):
        middle = made.pki.authority("Constrained", made.root, path_length=0, permitted=["test"], excluded=["other.test"])
        self.accept(made.leaf(middle), middle)

    def test_two_uses(self):
        self.accept(made.leaf(purposes=["client", "server"]))

    def test_extension_that_is_unknown_but_not_critical(self):
        self.accept(made.leaf(extensions=[pki.extension("1.3.6.1.4.1.55555.1", b"\x05\x00")]))

    def test_self_signed_leaf_that_is_trusted(self):
        leaf = made.pki.issue(None, "Lonely", dns=[HOST])
        self.proxy = self.start("--origin-ca", made.pki.file(leaf, key=False))
        self.accept(leaf)


class Options(Zoo):
    """Options that say which certificates of origins are accepted."""

    def test_several_files_of_authorities(self):
        files = [made.pki.file(authority, key=False) for authority in [made.other, made.root]]
        self.proxy = self.start("--origin-ca", files[0], "--origin-ca", files[1])
        self.accept(made.leaf())
        self.accept(made.leaf(made.other))

    def test_host_that_is_not_verified_is_the_only_one(self):
        self.proxy = self.start("--origin-insecure", HOST)
        warning = next(line for line in self.proxy.banner if "warning" in line)
        self.assertIn(f"the certificate of {HOST} is not verified", warning)
        port = self.present(made.pki.issue(None, "Lonely"))
        self.assertEqual(self.fetch(port, path="/raw/10")[0], 200)
        for _ in range(2):  # no connection or session of the other host may be used
            self.assert_refused_other(port)
            self.assertEqual(self.fetch(port, path="/raw/10")[0], 200)

    def test_spellings_of_a_host_that_is_not_verified(self):
        leaf = made.pki.issue(None, "Lonely")
        v4, v6 = self.present(leaf), self.present(leaf, address="::1")
        for text, port, hosts in [
            ("::1", v6, ["[::1]", "[0:0:0:0:0:0:0:1]"]), ("[0::1]", v6, ["[::1]"]), ("127.0.0.1", v4, ["127.0.0.1"]),
            ("ORIGIN.test", v4, [HOST, "Origin.TEST", "origin.test."]), ("origin.test.", v4, [HOST]),
        ]:
            self.proxy = self.start("--origin-insecure", text)
            for host in hosts:
                self.assertEqual(self.fetch(port, host)[0], 200, (text, host))

    def assert_refused_other(self, port):
        for host in ["other.test", "www.origin.test", "127.0.0.1"]:
            status, _, content = self.fetch(port, host, path="/raw/10")
            self.assertEqual(status, 502, content)
            self.assertIn("self-signed", content)

    def test_other_name_to_ask_for(self):
        self.proxy = self.start("--origin-ca", made.authorities, "--origin-sni", "inner.test")
        leaf = made.leaf(dns=["inner.test"])
        self.assertEqual(self.accept(leaf)[1], "inner.test")
        self.assertEqual(self.accept(leaf, host="127.0.0.1")[1], "inner.test")
        port = self.present(made.leaf())
        self.assertIn("not for inner.test", self.fetch(port)[2])

    def test_certificate_for_the_origin(self):
        own = made.pki.issue(made.other, "Tidegate", purposes=["client"], key=made.pki.key(use="own"))
        authority = made.pki.file(made.other, key=False)
        apart = ["--origin-cert", made.pki.file(own, key=False), "--origin-key", str(own.key.file)]
        for options in [["--origin-cert", made.pki.file(own)], apart]:
            self.proxy = self.start("--origin-ca", made.authorities, *options)
            for highest in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
                with self.subTest((options, highest)):
                    session = self.accept(made.leaf(), client_ca=authority, highest=highest)
                    self.assertEqual(session[2], "Tidegate")

    def test_certificate_that_the_origin_does_not_accept(self):
        own = made.pki.issue(made.root, "Stranger", purposes=["client"])
        self.proxy = self.start("--origin-ca", made.authorities, "--origin-cert", made.pki.file(own))
        port = self.present(made.leaf(), client_ca=made.pki.file(made.other, key=False))
        self.assert_refused(port, "tls_alert_received", "tls-alert", ["unknown_ca"], "--origin-cert FILE")


if __name__ == "__main__":
    unittest.main()
