"""Makes certificates for homes and labs: a small authority of one's own, and certificates by it.

The authority is what clients trust, once; servers' certificates are replaced every year without
their noticing. Whoever has a public name gets a better one from a public authority. Profiles after
RFC 5280 and what browsers ask (a name in subjectAltName, at most 398 days for a server).
"""

from __future__ import annotations

import datetime as dt
import os
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from s4project.tls.certificate import CertificateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SERVER_DAYS_MAX: Final = 398
AUTHORITY_DAYS: Final = 3650
AUTHORITY: Final = "S4 home authority"
CLOCK_SLACK: Final = dt.timedelta(hours=1)  # a client's clock may be behind
COMMON_NAME_MAX: Final = 64  # RFC 5280, appendix A.1: ub-common-name

Certificate = x509.Certificate
Key = ec.EllipticCurvePrivateKey


class Names:
    """What a certificate is for: names, `*.` before them too, and addresses; CertificateError."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(dict.fromkeys(text.strip().rstrip(".") for text in texts))
        self.general = [_general_name(text) for text in self.texts]


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        pass
    try:
        name = text.encode("idna").decode("ascii")
        is_name = "*" not in name.removeprefix("*.") and not set(name) & set(" /:@_\\")
        if name and is_name:
            return x509.DNSName(name.lower())
    except UnicodeError:
        pass
    raise CertificateError(f"{text!r} is no name or address that a certificate can be for")


def make_authority() -> tuple[Certificate, Key]:
    """Make an authority that may issue servers' certificates and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY)])
    usage = _key_usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return builder.sign(key, hashes.SHA256()), key


def issue(names: Names, days: int, authority: tuple[Certificate, Key]) -> tuple[Certificate, Key]:
    """Make a server's certificate, issued by the authority, and its key."""
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names.texts[0][:COMMON_NAME_MAX])])
    issuer_identity = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        _builder(subject, issuer.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names.general), critical=False)
        .add_extension(issuer_identity, critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256()), key


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: int) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def read_authority(certificate: Path, key: Path) -> tuple[Certificate, Key]:
    """Read an authority made before; CertificateError."""
    try:
        issuer = x509.load_pem_x509_certificate(certificate.read_bytes())
        issuer_key = load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise CertificateError(f"{error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise CertificateError(f"{certificate} and {key} are no certificate and key") from error
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey) or (
        issuer_key.public_key() != issuer.public_key()
    ):
        raise CertificateError(f"{key} is not the key of {certificate}")
    if issuer.not_valid_after_utc < dt.datetime.now(dt.UTC):
        raise CertificateError(f"{certificate} has expired: --replace makes a new authority")
    return issuer, issuer_key


def certificate_text(*certificates: Certificate) -> bytes:
    """Write certificates as files hold them."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def key_text(key: Key) -> bytes:
    """Write a key as files hold it, without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_files(contents: Mapping[Path, tuple[bytes, int]]) -> None:
    """Write files with their modes, each whole or not at all; what was there is replaced.

    Keys are never readable for others, not even for a moment.
    """
    for path, (content, mode) in contents.items():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
