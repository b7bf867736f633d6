"""The local authority: made once, believed for its domains and for nothing else, by OpenSSL's own judgement."""

import datetime
import ipaddress
import ssl
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from interlock.identity import authority as room
from interlock.identity.authority import Authority, is_domain, open_authority
from interlock.model.errors import ConfigError, IdentityError

NOW = datetime.datetime.now(datetime.UTC)  # OpenSSL judges by the machine's clock
DOMAINS = ("api.openai.com", "openai.azure.com")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime.datetime:
        return self.now


def opened(folder: Path, domains: Iterable[str] = DOMAINS, now: datetime.datetime = NOW) -> Authority:
    return open_authority(folder, domains, lambda: now)


def trusting(*pems: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=b"".join(pems).decode())


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A handshake in memory; the client's end. Raises: ssl.SSLError from whoever refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    done = 0
    while done < 2:
        done = 0
        for end in (theirs, ours):
            try:
                end.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
    return theirs


def forged(folder: Path, name: x509.GeneralName, *, ca: bool = False) -> ssl.SSLContext:
    """What a thief of the key would make: a certificate for another name, signed by the authority."""
    issuer = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "thief")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - datetime.timedelta(hours=1))
        .not_valid_after(NOW + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    file = folder / "forged.pem"
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_client_that_trusts_it_believes_its_certificates(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    client = trusting(authority.certificate_pem.read_bytes())
    for host in ("api.openai.com", "mine.openai.azure.com"):
        end = shake(authority.context(host), client, host)
        certificate = end.getpeercert()
        assert certificate
        assert certificate["subjectAltName"] == (("DNS", host),)
        assert end.version() == "TLSv1.3"


def test_a_host_with_a_long_name(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    host = f"{'a' * 60}.{'b' * 60}.openai.azure.com"
    end = shake(authority.context(host), trusting(authority.certificate_pem.read_bytes()), host)
    certificate = end.getpeercert()
    assert certificate
    assert certificate["subjectAltName"] == (("DNS", host),)


def test_http_1_1_is_what_a_client_is_offered(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    client = trusting(authority.certificate_pem.read_bytes())
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert shake(authority.context("api.openai.com"), client, "api.openai.com").selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("name", ["bank.example", "openai.com", "xapi.openai.com", "api.openai.com.evil.example"])
def test_even_its_key_makes_nobody_believe_another_name(tmp_path: Path, name: str) -> None:
    authority = opened(tmp_path)
    server = forged(tmp_path, x509.DNSName(name))
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake(server, trusting(authority.certificate_pem.read_bytes()), name)
    shake(forged(tmp_path, x509.DNSName(DOMAINS[0])), trusting(authority.certificate_pem.read_bytes()), DOMAINS[0])


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_even_its_key_makes_nobody_believe_an_address(tmp_path: Path, address: str) -> None:
    authority = opened(tmp_path)
    server = forged(tmp_path, x509.IPAddress(ipaddress.ip_address(address)))
    with pytest.raises(ssl.SSLCertVerificationError, match="excluded subtree violation"):
        shake(server, trusting(authority.certificate_pem.read_bytes()), address)


def test_what_the_certificate_says(tmp_path: Path) -> None:
    path = opened(tmp_path / "keys", ("API.OpenAI.com.", "eu.api.openai.com", "localhost")).certificate_pem
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    found = {extension.oid: extension for extension in certificate.extensions}
    constraints = found[x509.NameConstraints.oid]
    assert constraints.critical
    assert isinstance(constraints.value, x509.NameConstraints)
    assert [name.value for name in constraints.value.permitted_subtrees or ()] == ["api.openai.com", "localhost"]
    assert found[x509.BasicConstraints.oid].value == x509.BasicConstraints(ca=True, path_length=0)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < datetime.timedelta(days=732)
    assert path == tmp_path / "keys/ca.pem"
    for name in ("ca.key", "ca.pem"):
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_it_is_made_once(tmp_path: Path) -> None:
    first = opened(tmp_path).certificate_pem.read_bytes()
    key = (tmp_path / "ca.key").read_bytes()
    assert opened(tmp_path, DOMAINS[:1]).certificate_pem.read_bytes() == first
    assert (tmp_path / "ca.key").read_bytes() == key


def test_a_new_domain_makes_a_new_certificate_and_the_old_one_stays_good(tmp_path: Path) -> None:
    old = opened(tmp_path).certificate_pem.read_bytes()
    authority = opened(tmp_path, (*DOMAINS, "llm.corp.example"))
    new = authority.certificate_pem.read_bytes()
    assert new != old
    shake(authority.context("llm.corp.example"), trusting(new), "llm.corp.example")
    shake(authority.context("api.openai.com"), trusting(new), "api.openai.com")
    shake(authority.context("api.openai.com"), trusting(old), "api.openai.com")
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake(authority.context("llm.corp.example"), trusting(old), "llm.corp.example")


def test_a_certificate_that_is_soon_over_is_replaced_and_one_that_is_over_serves_nobody(tmp_path: Path) -> None:
    clock = Clock()
    authority = open_authority(tmp_path, DOMAINS, clock)
    first = authority.certificate_pem.read_bytes()
    clock.now = NOW + room.LIFETIME - room.RENEWED_BEFORE - datetime.timedelta(days=1)
    assert open_authority(tmp_path, DOMAINS, clock).certificate_pem.read_bytes() == first
    clock.now = NOW + room.LIFETIME
    with pytest.raises(ConfigError, match="expired"):
        authority.context("api.openai.com")
    assert open_authority(tmp_path, DOMAINS, clock).certificate_pem.read_bytes() != first


def test_a_context_is_kept_until_its_last_day_and_for_so_many_hosts(tmp_path: Path) -> None:
    clock = Clock()
    authority = open_authority(tmp_path, DOMAINS, clock)
    first = authority.context("api.openai.com")
    assert authority.context("api.openai.com") is first
    for number in range(room.MAX_CONTEXTS - 1):
        authority.context(f"h{number}.openai.azure.com")
    assert authority.context("api.openai.com") is first
    authority.context("one-more.openai.azure.com")
    assert authority.context("api.openai.com") is first
    assert len(authority._contexts) == room.MAX_CONTEXTS
    clock.now += room.LEAF_LIFETIME - room.LEAF_RENEWED_BEFORE
    assert authority.context("api.openai.com") is not first


@pytest.mark.parametrize(
    "host", ["bank.example", "openai.com", "xapi.openai.com", "127.0.0.1", "", "a..openai.azure.com"]
)
def test_a_host_outside_the_constraints_gets_nothing(tmp_path: Path, host: str) -> None:
    authority = opened(tmp_path)
    assert not authority.covers(host)
    with pytest.raises(IdentityError):
        authority.context(host)


def test_a_client_that_names_another_host_is_refused(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    client = trusting(authority.certificate_pem.read_bytes())
    with pytest.raises(ssl.SSLError, match="callback failed"):
        shake(authority.context("api.openai.com"), client, "x.openai.azure.com")


@pytest.mark.parametrize(
    ("name", "good"),
    [
        *((name, True) for name in ("a", "vllm_1", "9.a9")),
        *(
            (name, False)
            for name in ("a" * 64, "1.2.3.4", "-a.b", "a.b-", "é.b", "a b", "a.", "*.a.b", ".".join("a" * 128))
        ),
    ],
)
def test_names_of_hosts(name: str, good: bool) -> None:
    assert is_domain(name) is good


@pytest.mark.parametrize("domains", [["127.0.0.1"], ["*.openai.com"], [""], []])
def test_a_domain_that_is_none_is_refused(tmp_path: Path, domains: list[str]) -> None:
    with pytest.raises(ConfigError):
        opened(tmp_path, domains)
    assert not list(tmp_path.iterdir())


def damaged(folder: Path, how: str) -> None:
    key, certificate = folder / "ca.key", folder / "ca.pem"
    match how:
        case "readable":
            key.chmod(0o640)
        case "gone":
            key.unlink()
        case "junk":
            key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n")
        case "link":
            key.rename(folder / "elsewhere")
            (folder / "elsewhere").chmod(0o600)
            key.symlink_to(folder / "elsewhere")
        case "ed25519":
            made = ed25519.Ed25519PrivateKey.generate()
            key.write_bytes(
                made.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
        case "another":
            opened(folder / "other")
            certificate.write_bytes((folder / "other/ca.pem").read_bytes())
        case "no certificate":
            certificate.write_text("hello")
        case "a leaf":
            forged(folder, x509.DNSName("a"))
            certificate.write_bytes((folder / "forged.pem").read_bytes())
        case _:
            raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("readable", "others may read"),
        ("gone", "is gone"),
        ("junk", "does not hold a key"),
        ("link", "cannot keep"),
        ("ed25519", "not an EC P-256 key"),
        ("another", "does not belong to the key"),
        ("no certificate", "no certificate of a local authority"),
        ("a leaf", "no certificate of a local authority"),
    ],
)
def test_a_damaged_authority_is_refused(tmp_path: Path, how: str, says: str) -> None:
    opened(tmp_path)
    damaged(tmp_path, how)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=says) as raised:
        opened(tmp_path)
    assert raised.value.hint
    assert "SECRET" not in str(raised.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_start_that_was_cut_short_is_made_up_for(tmp_path: Path) -> None:
    opened(tmp_path)
    key = (tmp_path / "ca.key").read_bytes()
    (tmp_path / "ca.pem").unlink()
    authority = opened(tmp_path)
    assert (tmp_path / "ca.key").read_bytes() == key
    shake(authority.context(DOMAINS[0]), trusting(authority.certificate_pem.read_bytes()), DOMAINS[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.key", "ca.pem"]


def test_the_bundle_holds_the_systems_authorities_and_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = opened(tmp_path / "system").certificate_pem
    system.write_bytes(b"# a comment\n" + system.read_bytes() * 2 + (tmp_path / "system/ca.key").read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    authority = opened(tmp_path / "keys")
    bundle = tmp_path / "bundle.pem"
    assert authority.write_bundle(bundle) == 1
    found = x509.load_pem_x509_certificates(bundle.read_bytes())
    assert [c.subject for c in found] == [
        x509.load_pem_x509_certificate(path.read_bytes()).subject for path in (system, authority.certificate_pem)
    ]
    assert b"PRIVATE" not in bundle.read_bytes()
    shake(authority.context(DOMAINS[0]), ssl.create_default_context(cafile=str(bundle)), DOMAINS[0])
