"""The local certificate authority, by which the forward proxy is believed to be a model's server.

It can speak for the domains in its certificate and for nobody else: a critical name constraint (RFC 5280, section
4.2.1.10) says so to whoever trusts it, so that even a stolen key opens no bank and no mailbox. It signs servers
only, and no other authority. The key never leaves its file; the certificates of servers live for days.

When a host is to be read that the certificate does not name, or the certificate is soon over, a new one is made
for the same key under the same name. Programs that trust the old certificate go on as before, for the hosts that it
names; for the others they have to be given the new one.
"""

import datetime
import ipaddress
import os
import re
import ssl
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from interlock.model.errors import ConfigError, IdentityError
from interlock.store.files import create_whole, read_plain, replace_whole

KEY_FILE, CERTIFICATE_FILE = "ca.key", "ca.pem"
# Who trusts the authority is asked again after two years; Apple and the browsers allow such roots far longer.
LIFETIME = datetime.timedelta(days=730)
# So long before its end a new certificate is made, at the next start.
RENEWED_BEFORE = datetime.timedelta(days=60)
# A leaf is made in a millisecond, so that it need not live long; it is made anew on its last day.
LEAF_LIFETIME = datetime.timedelta(days=7)
LEAF_RENEWED_BEFORE = datetime.timedelta(days=1)
# Clocks of clients that go wrong.
BACKDATED = datetime.timedelta(days=1)
# Hosts whose TLS context is kept, about 100 KB each. A workload asks for a handful.
MAX_CONTEXTS = 256
# A name of hosts (RFC 1123) in lower case: no address, which would end in a number. Names of containers have `_`.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?!\d+$){_LABEL}")
_EVERY_ADDRESS = ("0.0.0.0/0", "::/0")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
# Where systems keep their authorities in one file, for a Python that was built to look elsewhere: Debian and Alpine,
# Fedora, and the BSDs with macOS.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def is_domain(name: str) -> bool:
    """Whether `name`, in lower case, names hosts; an address does not.

    >>> is_domain("api.openai.com"), is_domain("127.0.0.1"), is_domain("[::1]")
    (True, False, False)
    """
    return _DOMAIN.fullmatch(name) is not None


class Authority:
    """The authority in a folder of keys.

    Rules: the key file is ours alone and fits the certificate; a server's certificate is made only for a host that the
    certificate's constraints cover; each is kept, for a bounded number of hosts, until its last day. A client that
    names another host in its handshake is refused there. It does NOT decide which hosts are to be read.
    Not safe to use from several threads.
    """

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, path: Path, pem: bytes, now: Callable[[], datetime.datetime]
    ) -> None:
        """An authority that is already there; `open_authority` makes or reads one."""
        self.certificate_pem = path
        self._pem = pem
        self._key = key
        self._now = now
        self._certificate = x509.load_pem_x509_certificate(pem)
        self._domains = _permitted(self._certificate)
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: OrderedDict[str, tuple[datetime.datetime, ssl.SSLContext]] = OrderedDict()

    def covers(self, host: str) -> bool:
        """Whether it can speak for `host`, in lower case: the constraints name it, or a domain above it."""
        return is_domain(host) and not _parents(host).isdisjoint(self._domains)

    def context(self, host: str) -> ssl.SSLContext:
        """What a server needs to be `host`, HTTP/1.1 over TLS 1.2 or later.

        Raises: IdentityError if `host` is outside the constraints; ConfigError if the certificate has expired.
        """
        if not self.covers(host):
            raise IdentityError("the local authority may not speak for this host", where=host)
        now = self._now()
        kept = self._contexts.get(host)
        if kept and kept[0] - now > LEAF_RENEWED_BEFORE:
            self._contexts.move_to_end(host)
            return kept[1]
        if now >= self._certificate.not_valid_after_utc:
            raise ConfigError(
                "the certificate has expired",
                where=str(self.certificate_pem),
                hint="start interlock again: it makes a new one, which your programs then have to trust",
            )
        leaf = self._leaf(host, now)
        context = self._served(host, leaf)
        self._contexts[host] = (leaf.not_valid_after_utc, context)
        self._contexts.move_to_end(host)
        if len(self._contexts) > MAX_CONTEXTS:
            self._contexts.popitem(last=False)
        return context

    def write_bundle(self, path: Path) -> int:
        """Put the system's authorities and this one into the PEM file `path`; how many are the system's.

        For programs that take one file in place of the system's authorities. Raises: OSError.
        """
        found = _system_authorities()
        replace_whole(path, b"\n".join([*found, self._pem]))
        return len(found)

    def _leaf(self, host: str, now: datetime.datetime) -> x509.Certificate:
        issuer = self._certificate
        key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        # A common name holds 64 characters; clients read the alternative name.
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, host)] if len(host) <= 64 else []
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(issuer.subject)
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - BACKDATED, issuer.not_valid_before_utc))
            .not_valid_after(min(now + LEAF_LIFETIME, issuer.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_data=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=not subject)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _served(self, host: str, leaf: x509.Certificate) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])

        def named(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
            # A client that names nobody sees the certificate, and that names `host`.
            wrong = name is not None and name.lower().rstrip(".") != host
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if wrong else None

        context.sni_callback = named
        # OpenSSL takes them from a file only. This one is ours alone, and gone when the block ends.
        with tempfile.NamedTemporaryFile(dir=self.certificate_pem.parent, prefix=".leaf-") as file:
            file.write(leaf.public_bytes(serialization.Encoding.PEM) + _pem(self._leaf_key))
            file.flush()
            context.load_cert_chain(file.name)
        return context


def open_authority(folder: Path, domains: Iterable[str], now: Callable[[], datetime.datetime]) -> Authority:
    """The authority in `folder` (`ca.key` and `ca.pem`, made on first use), for `domains` and the hosts below them.

    `now` gives the time in UTC. A certificate that lacks a domain, or is soon over, is replaced (see above).
    Raises: ConfigError if a file cannot be read or written, others may read the key, it is no such key, the two
    do not fit, or a domain is none.
    """
    wanted = _outermost(domains)
    key_file, path = folder / KEY_FILE, folder / CERTIFICATE_FILE
    try:
        if not os.path.lexists(key_file):
            if os.path.lexists(path):
                hint = f"put it back from your backup, or delete {path} to begin with a new authority"
                raise ConfigError("the key of the local authority is gone", where=str(key_file), hint=hint)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_whole(key_file, _pem(ec.generate_private_key(ec.SECP256R1())))
        key = _read_key(key_file)
        pem = read_plain(path) if os.path.lexists(path) else b""
        if not pem or not _serves(_read_certificate(pem, path, key), wanted, now()):
            pem = _issue(key, wanted, now()).public_bytes(serialization.Encoding.PEM)
            replace_whole(path, pem)
    except OSError as error:
        hint = "the data folder must be readable and writable, and no key in it a link"
        raise ConfigError(f"cannot keep the local authority: {error.strerror}", where=str(folder), hint=hint) from error
    return Authority(key, path, pem, now)


def _outermost(domains: Iterable[str]) -> tuple[str, ...]:
    """The domains without those that are below another one of them, in order."""
    named = {domain.lower().rstrip(".") for domain in domains}
    # INVARIANT: never an empty list, which would constrain nothing.
    if not named:
        raise ConfigError("a local authority for no domain at all is none", hint="name a host that is to be read")
    for domain in named:
        if not is_domain(domain):
            raise ConfigError(
                f"{domain!r} is no name of hosts", hint="such as api.openai.com; addresses cannot be read"
            )
    return tuple(sorted(domain for domain in named if (_parents(domain) - {domain}).isdisjoint(named)))


def _parents(host: str) -> set[str]:
    """The host and every domain above it."""
    labels = host.split(".")
    return {".".join(labels[start:]) for start in range(len(labels))}


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    hint = f"put it back from your backup, or delete {path} and {CERTIFICATE_FILE} to begin with a new authority"
    mode, pem = path.lstat().st_mode, read_plain(path)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        found = f"run: chmod 600 {path}; if somebody may have read it, delete it and {CERTIFICATE_FILE}"
        raise ConfigError("others may read the key of the local authority", where=str(path), hint=found)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's own words could quote the file, and the file is a secret.
        raise ConfigError("this file does not hold a key", where=str(path), hint=hint) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError("the key of the local authority is not an EC P-256 key", where=str(path), hint=hint)
    return key


def _read_certificate(pem: bytes, path: Path, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    hint = f"put both back from your backup, or delete {path}: a new one is made for the key"
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.verify_directly_issued_by(certificate)
        _permitted(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        raise ConfigError("this is no certificate of a local authority", where=str(path), hint=hint) from None
    if certificate.public_key() != key.public_key():
        raise ConfigError(f"the certificate does not belong to the key in {KEY_FILE}", where=str(path), hint=hint)
    return certificate


def _serves(certificate: x509.Certificate, wanted: Iterable[str], now: datetime.datetime) -> bool:
    """Whether a certificate names all domains that are wanted, and lives long enough."""
    named = _permitted(certificate)
    over = certificate.not_valid_after_utc - now <= RENEWED_BEFORE
    return not over and all(not _parents(domain).isdisjoint(named) for domain in wanted)


def _permitted(certificate: x509.Certificate) -> frozenset[str]:
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    return frozenset(name.value for name in constraints.permitted_subtrees or () if isinstance(name, x509.DNSName))


def _issue(key: ec.EllipticCurvePrivateKey, domains: Iterable[str], now: datetime.datetime) -> x509.Certificate:
    """The authority's own certificate. Its name comes from the key, so that a later one is known for the same."""
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"interlock local authority {key_id.digest.hex()[:8]}")])
    constraints = x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(domain) for domain in domains],
        # A constraint on names says nothing of addresses: they are all excluded.
        excluded_subtrees=[x509.IPAddress(ipaddress.ip_network(network)) for network in _EVERY_ADDRESS],
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_data=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(constraints, critical=True)
        .add_extension(key_id, critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(*, signs_data: bool) -> x509.KeyUsage:
    """What a key may do: sign the data of a handshake, or certificates."""
    return x509.KeyUsage(
        digital_signature=signs_data,
        key_cert_sign=not signs_data,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _system_authorities() -> list[bytes]:
    """The certificates that this system trusts, in PEM, each once; from its file, else from its folder."""
    paths = ssl.get_default_verify_paths()  # heeds SSL_CERT_FILE and SSL_CERT_DIR
    files = [Path(path) for path in (paths.cafile, *_BUNDLES) if path and Path(path).is_file()][:1]
    if not files and paths.capath:
        files = sorted(path for path in Path(paths.capath).iterdir() if path.is_file())
    return list(dict.fromkeys(block for file in files for block in _CERTIFICATE.findall(file.read_bytes())))
