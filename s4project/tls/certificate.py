"""Reads a certificate with its chain and key, and says in one line what is wrong with them.

Knows nothing of sockets, processes or Django.
"""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

# TLS 1.2 with forward secrecy and authenticated encryption; the suites of TLS 1.3 all have both.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
WARNING_DAYS: Final = 14  # an authority that renews by itself does so a month before the end


class CertificateError(Exception):
    """A certificate and key that cannot be served; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The files: the server's certificate, then its chain; and the key of the first."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says of itself."""

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def warning(self, now: datetime | None = None) -> str:
        """Say what is wrong with its time; an empty text when nothing is."""
        now = now or datetime.now(UTC)
        if now < self.not_before:
            return "The certificate is not valid yet: clients refuse it"
        if now > self.not_after:
            return "The certificate has expired: clients refuse it"
        if now > self.not_after - timedelta(days=WARNING_DAYS):
            return "The certificate expires soon"
        return ""


def make_context(pair: Pair, protocols: Iterable[str]) -> tuple[ssl.SSLContext, Facts]:
    """Make what connections are wrapped with, offering `protocols` by ALPN; CertificateError."""
    facts = inspect(pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(list(protocols))
    try:
        context.load_cert_chain(pair.certificate, pair.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:  # such as a key that is too short
        reason = getattr(error, "reason", None) or error
        raise CertificateError(
            f"S4_TLS_CERT {pair.certificate} cannot be used: {reason}"
        ) from error
    return context, facts


def inspect(pair: Pair) -> Facts:
    """Read both files, and make sure that they belong together; CertificateError."""
    certificates = _read_certificates(pair.certificate)
    key = _public_bytes(_read_key(pair.key).public_key())
    fitting = [_public_bytes(certificate.public_key()) == key for certificate in certificates]
    if not any(fitting):
        raise CertificateError(
            f"S4_TLS_KEY {pair.key} is not the key of S4_TLS_CERT {pair.certificate}"
        )
    if not fitting[0]:
        raise CertificateError(
            f"S4_TLS_CERT {pair.certificate} must begin with the server's own certificate, "
            "followed by the chain"
        )
    first = certificates[0]
    return Facts(names(first), first.not_valid_before_utc, first.not_valid_after_utc)


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """List the names and addresses that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(str(name.value) for name in extension.value)


def _read(path: Path, variable: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{variable} {path} cannot be read: {error.strerror}") from error


def _read_certificates(path: Path) -> list[x509.Certificate]:
    data = _read(path, "S4_TLS_CERT")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd serial numbers and the like: not ours to mend
            return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise CertificateError(f"S4_TLS_CERT {path} holds no certificate in PEM form") from error


def _read_key(path: Path) -> PrivateKeyTypes:
    data = _read(path, "S4_TLS_KEY")
    try:
        return load_pem_private_key(data, password=None)
    except TypeError as error:
        raise CertificateError(
            f"S4_TLS_KEY {path} is protected by a passphrase: S4 takes a key without one"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"S4_TLS_KEY {path} holds no private key in PEM form") from error


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
