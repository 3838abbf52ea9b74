"""Certificates as files: what is taken, and what is said of those that are not."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from structlog.testing import capture_logs

from s4project.tls import making
from s4project.tls.certificate import CertificateError, Facts, Pair, inspect, make_context
from s4project.tls.keeper import Keeper

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.timedelta(days=1)


def write(directory: Path, *names: str, days: int = 90) -> Pair:
    """Make an authority and a certificate by it, and write both with the key."""
    authority = making.make_authority()
    certificate, key = making.issue(making.Names(names or ("127.0.0.1",)), days, authority)
    pair = Pair(directory / "server.crt", directory / "server.key")
    (directory / "authority.crt").write_bytes(making.certificate_text(authority[0]))
    pair.certificate.write_bytes(making.certificate_text(certificate, authority[0]))
    pair.key.write_bytes(making.key_text(key))
    return pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A certificate that can be served."""
    return write(tmp_path, "nas.home.arpa", "127.0.0.1")


def test_a_pair_tells_its_names_and_time(pair: Pair) -> None:
    """Names, addresses and the end are read from the first certificate of the file."""
    facts = inspect(pair)
    assert facts.names == ("nas.home.arpa", "127.0.0.1")
    assert dt.timedelta(days=89) < facts.not_after - dt.datetime.now(dt.UTC) < 90 * DAY
    assert facts.warning() == ""


@pytest.mark.parametrize(
    ("before", "after", "begin"),
    [
        (2, 3, "The certificate is not valid yet"),
        (-9, -1, "The certificate has expired"),
        (-9, 13, "The certificate expires soon"),
        (-9, 15, ""),
    ],
)
def test_a_certificate_out_of_its_time_is_warned_of(before: int, after: int, begin: str) -> None:
    """What has expired, has not begun or ends within two weeks is said; nothing else is."""
    now = dt.datetime.now(dt.UTC)
    warning = Facts((), now + before * DAY, now + after * DAY).warning(now)
    assert warning.startswith(begin)
    assert bool(warning) == bool(begin)


def spoil(pair: Pair, kind: str) -> str:
    """Make the pair unfit in some way; return what must be said of it."""
    certificate, key = pair.certificate, pair.key
    if kind == "no certificate":
        certificate.unlink()
        return f"S4_TLS_CERT {certificate} cannot be read: No such file or directory"
    if kind == "no key":
        key.unlink()
        return f"S4_TLS_KEY {key} cannot be read: No such file or directory"
    if kind == "a directory":
        key.unlink()
        key.mkdir()
        return f"S4_TLS_KEY {key} cannot be read: Is a directory"
    if kind == "no PEM":
        certificate.write_bytes(b"\x30\x82")
        return f"S4_TLS_CERT {certificate} holds no certificate in PEM form"
    if kind == "exchanged":
        certificate.rename(certificate.with_name("other"))
        key.rename(certificate)
        certificate.with_name("other").rename(key)
        return f"S4_TLS_CERT {certificate} holds no certificate in PEM form"
    if kind == "no key in PEM":
        key.write_bytes(certificate.read_bytes())
        return f"S4_TLS_KEY {key} holds no private key in PEM form"
    if kind == "wrong key":
        _, other = making.make_authority()
        key.write_bytes(making.key_text(other))
        return f"S4_TLS_KEY {key} is not the key of S4_TLS_CERT {certificate}"
    if kind == "chain first":
        own, _, rest = certificate.read_bytes().partition(b"-----END CERTIFICATE-----\n")
        certificate.write_bytes(rest + own + b"-----END CERTIFICATE-----\n")
        return (
            f"S4_TLS_CERT {certificate} must begin with the server's own certificate, followed by "
            "the chain"
        )
    assert kind == "passphrase"
    private = rsa.generate_private_key(65537, 2048)
    locked = BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    return f"S4_TLS_KEY {key} is protected by a passphrase: S4 takes a key without one"


KINDS = ["no certificate", "no key", "a directory", "no PEM", "exchanged", "no key in PEM"]
KINDS += ["wrong key", "chain first", "passphrase"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_served_is_said_in_a_line(pair: Pair, kind: str) -> None:
    """Each fault of the files has its own line, which names the setting and the file."""
    said = spoil(pair, kind)
    with pytest.raises(CertificateError) as caught:
        inspect(pair)
    assert str(caught.value) == said


def test_a_key_too_weak_for_clients_is_refused(pair: Pair) -> None:
    """OpenSSL's own word on a pair that it does not take becomes one line as well."""
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  # that is the point
    authority, key = making.make_authority()
    name = authority.subject
    builder = making._builder(name, name, weak, 9)  # type: ignore[arg-type]
    certificate = builder.sign(key, making.hashes.SHA256())
    pair.certificate.write_bytes(making.certificate_text(certificate))
    pair.key.write_bytes(
        weak.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    with pytest.raises(CertificateError, match=r"cannot be used: EE_KEY_TOO_SMALL$"):
        make_context(pair, ["h2"])


def test_only_modern_tls_is_offered(pair: Pair) -> None:
    """TLS 1.2 and 1.3 with forward secrecy and authenticated encryption, and nothing else."""
    context, _ = make_context(pair, ["h2", "http/1.1"])
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for cipher in context.get_ciphers():
        assert cipher["aead"]
        assert cipher["protocol"] == "TLSv1.3" or cipher["kea"] == "kx-ecdhe"


# --- following the files ---


def test_a_new_pair_is_taken_when_it_rests(pair: Pair) -> None:
    """The files are read once they have changed and then kept still from one look to the next."""
    keeper = Keeper(pair)
    first = keeper.context
    keeper.look()
    assert keeper.context is first
    write(pair.key.parent, "nas.home.arpa")
    keeper.look()
    assert keeper.context is first
    keeper.look()
    assert keeper.context is not first
    assert keeper.generation == 1


def test_a_new_pair_is_taken_at_once_when_asked(pair: Pair) -> None:
    """SIGHUP does not wait for a second look, and reads nothing when nothing changed."""
    keeper = Keeper(pair)
    keeper.look(is_asked=True)
    assert keeper.generation == 0
    write(pair.key.parent, "nas.home.arpa")
    keeper.look(is_asked=True)
    assert keeper.generation == 1


def test_a_broken_pair_is_told_once_and_the_old_one_kept(pair: Pair) -> None:
    """A pair that cannot be served changes nothing; one that can, later, is taken."""
    keeper = Keeper(pair)
    first = keeper.context
    pair.key.write_bytes(b"half a ke")
    with capture_logs() as lines:
        for _ in range(5):
            keeper.look()
    assert [line["log_level"] for line in lines] == ["error"]
    assert keeper.context is first
    write(pair.key.parent, "nas.home.arpa")
    keeper.look()
    keeper.look()
    assert keeper.context is not first


def test_a_certificate_that_runs_out_meanwhile_is_told_every_day(tmp_path: Path) -> None:
    """A renewal that did not come is said while the server runs, not only when it starts."""
    keeper = Keeper(write(tmp_path, "nas.home.arpa", days=9))
    with capture_logs() as lines:
        for _ in range(3):
            keeper.look()
        assert lines == []
        keeper.warned_at -= 25 * 3600
        for _ in range(3):
            keeper.look()
    assert [line["event"] for line in lines] == ["The certificate expires soon"]


def test_a_worker_follows(pair: Pair) -> None:
    """A worker reads the files when the main process has taken them, and only then."""
    main = Keeper(pair)
    worker = Keeper(pair)
    worker._shared = main._shared  # as after a fork
    first = worker.context
    write(pair.key.parent, "nas.home.arpa")
    worker.follow()
    assert worker.context is first
    main.look(is_asked=True)
    worker.follow()
    assert worker.context is not first
    second = worker.context
    worker.follow()
    assert worker.context is second
