"""Certificates for tests: valid ones, and ones that are wrong in any way.

Keys and signatures are made by openssl; certificates are encoded here, since no tool writes what a
certificate must not contain.
"""

import base64
import datetime
import hashlib
import ipaddress
import re
import subprocess
import tempfile
from pathlib import Path

DEADLINE = 60  # seconds that openssl may take
DAY = datetime.timedelta(days=1)

# Signature algorithms by kind of key and digest: object identifier, and whether parameters are NULL.
ALGORITHMS = {
    ("EC", "sha256"): ("1.2.840.10045.4.3.2", False),
    ("EC", "sha384"): ("1.2.840.10045.4.3.3", False),
    ("EC", "sha1"): ("1.2.840.10045.4.1", False),
    ("RSA", "sha256"): ("1.2.840.113549.1.1.11", True),
    ("RSA", "sha1"): ("1.2.840.113549.1.1.5", True),
    ("RSA", "md5"): ("1.2.840.113549.1.1.4", True),
    ("ED25519", None): ("1.3.101.112", False),
}
PURPOSES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}
KINDS = {
    "P-256": ("EC", "ec_paramgen_curve:P-256"), "P-384": ("EC", "ec_paramgen_curve:P-384"),
    "RSA-1024": ("RSA", "rsa_keygen_bits:1024"), "RSA-2048": ("RSA", "rsa_keygen_bits:2048"),
    "Ed25519": ("ED25519", None),
}


def openssl(*args, input=None):
    return subprocess.run(["openssl", *args], input=input, capture_output=True, check=True, timeout=DEADLINE).stdout


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


# --- DER (X.690) ---


def tlv(tag, *parts):
    value = b"".join(parts)
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(octets)]) + octets + value


def sequence(*parts):
    return tlv(0x30, *parts)


def integer(number):
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def identifier(text):
    first, second, *rest = map(int, text.split("."))
    octets = []
    for arc in [40 * first + second, *rest]:
        groups = [arc & 127]
        while arc := arc >> 7:
            groups.insert(0, 128 | arc & 127)
        octets += groups
    return tlv(6, bytes(octets))


def bits(value, unused=0):
    return tlv(3, bytes([unused]), value)


def name(common_name):
    return sequence(tlv(0x31, sequence(identifier("2.5.4.3"), tlv(12, common_name.encode()))))


def instant(time):
    return tlv(23, time.strftime("%y%m%d%H%M%SZ").encode())


def general_names(dns, addresses):
    octets = [tlv(0x82, each.encode()) for each in dns]
    return octets + [tlv(0x87, ipaddress.ip_address(each).packed) for each in addresses]


def extension(oid, value, critical=False):
    return sequence(identifier(oid), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def pem(label, der):
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


class Key:
    """A private key in a file, in PEM."""

    def __init__(self, file, kind="P-256"):
        self.algorithm, option = KINDS[kind]
        self.file = Path(file)
        openssl("genpkey", "-algorithm", self.algorithm, *(["-pkeyopt", option] if option else []),
                "-out", str(file))
        self.file.chmod(0o600)
        self.public = openssl("pkey", "-in", str(file), "-pubout", "-outform", "DER")

    @property
    def pem(self):
        return self.file.read_text()

    def sign(self, message, digest):
        if digest:
            return openssl("dgst", f"-{digest}", "-sign", str(self.file), input=message)
        with tempfile.NamedTemporaryFile() as file:
            file.write(message)
            file.flush()
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(self.file), "-in", file.name)


class Certificate:
    """A certificate and the key of its subject."""

    def __init__(self, der, key, subject, not_before, not_after):
        self.der, self.key, self.subject = der, key, subject
        self.not_before, self.not_after = not_before, not_after

    @property
    def pem(self):
        return pem("CERTIFICATE", self.der)


class Pki:
    """Keys and certificates in a temporary folder. Certificates share a key, unless another is given."""

    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        self.keys = {}
        self.count = 0

    def close(self):
        self.temporary.cleanup()

    def key(self, kind="P-256", use="leaf"):
        if (kind, use) not in self.keys:
            self.keys[kind, use] = Key(self.folder / f"{use}-{kind}.key", kind)
        return self.keys[kind, use]

    def authority(self, subject, issuer=None, **how):
        """Returns a certificate of an authority; a root if it has no issuer."""
        how.setdefault("key", self.key(use=re.sub(r"\W", "-", subject)))
        return self.issue(issuer, subject, authority=True, **how)

    def issue(self, issuer, subject="leaf", dns=(), addresses=(), authority=False, path_length=None,
              purposes=("server",), begins=-DAY, ends=30 * DAY, digest="sha256", key=None, version=3,
              extensions=(), permitted=(), excluded=(), broken=False, empty_names=False):
        """Returns a certificate that `issuer` has signed, or its own key without an issuer."""
        key = key or self.key()
        signer = issuer.key if issuer else key
        digest = None if signer.algorithm == "ED25519" else digest
        self.count += 1
        not_before, not_after = now() + begins, now() + ends
        oid, null = ALGORITHMS[signer.algorithm, digest]
        algorithm = sequence(identifier(oid), tlv(5) if null else b"")
        extras = [extension("2.5.29.14", tlv(4, self.key_identifier(key))),
                  extension("2.5.29.35", sequence(tlv(0x80, self.key_identifier(signer))))]
        if authority:
            length = b"" if path_length is None else integer(path_length)
            extras.append(extension("2.5.29.19", sequence(tlv(1, b"\xff"), length), critical=True))
            extras.append(extension("2.5.29.15", bits(b"\x06", 1), critical=True))
        else:
            extras.append(extension("2.5.29.15", bits(b"\x80", 7), critical=True))
            extras.append(extension("2.5.29.37", sequence(*(identifier(PURPOSES[each]) for each in purposes))))
        if dns or addresses or empty_names:
            extras.append(extension("2.5.29.17", sequence(*general_names(dns, addresses))))
        if permitted or excluded:
            trees = [(0xA0, permitted), (0xA1, excluded)]
            trees = [tlv(tag, *map(sequence, general_names(dns, []))) for tag, dns in trees if dns]
            extras.append(extension("2.5.29.30", sequence(*trees), critical=True))
        facts = sequence(
            tlv(0xA0, integer(2)) if version == 3 else b"",
            integer(0x5EED0000 + self.count),
            algorithm,
            name(issuer.subject if issuer else subject),
            sequence(instant(not_before), instant(not_after)),
            name(subject),
            key.public,
            tlv(0xA3, sequence(*extras, *extensions)) if version == 3 else b"",
        )
        signature = signer.sign(facts, digest)
        if broken:  # the last bits belong to the number s of ECDSA, whose encoding stays valid
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        return Certificate(sequence(facts, algorithm, bits(signature)), key, subject, not_before, not_after)

    @staticmethod
    def key_identifier(key):
        return hashlib.sha1(key.public).digest()

    def file(self, *certificates, key=True, mode=0o600):
        """Returns a PEM file with the key of the first certificate and all certificates."""
        text = certificates[0].key.pem if key else ""
        self.count += 1
        path = self.folder / f"{self.count}.pem"
        path.write_text(text + "".join(each.pem for each in certificates))
        path.chmod(mode)
        return str(path)

    def mismatched(self, claimed, actual):
        """Returns a key that states the public key of `claimed` and signs with that of `actual`; both are
        of P-256."""
        scalar = re.search(r"priv:((?:\s+[0-9a-f:]+)+)\s+pub:", openssl("pkey", "-in", str(actual.file), "-noout",
                                                                   "-text").decode())
        scalar = bytes.fromhex(re.sub(r"[\s:]", "", scalar[1])).rjust(32, b"\0")[-32:]
        point = claimed.public[-65:]
        curve = tlv(0xA0, identifier("1.2.840.10045.3.1.7"))
        key = object.__new__(Key)
        key.algorithm, key.public = "EC", claimed.public
        key.file = self.folder / "mismatched.key"
        key.file.write_text(pem("EC PRIVATE KEY", sequence(
            integer(1), tlv(4, scalar), curve, tlv(0xA1, bits(point)))))
        return key
