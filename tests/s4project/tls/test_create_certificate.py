"""`manage.py create_certificate`: what it makes, and what it never does."""

from __future__ import annotations

import dataclasses
import ssl
import stat
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from django.core.management import call_command

from s4project.tls import making
from s4project.tls.certificate import CertificateError, Pair, inspect
from storage_engine import EngineOptions, open_engine
from storage_engine.apps import NEIGHBOURS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

FILES = ["authority.crt", "authority.key", "server.crt", "server.key"]


def make(directory: Path, *words: str) -> int:
    """Run the command; return its exit code."""
    try:
        call_command("create_certificate", *words, "--directory", str(directory))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def contents(directory: Path) -> dict[str, bytes]:
    """Read all that is in a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_it_makes_what_s4_serves_and_clients_trust(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A certificate for all names given, by an authority that OpenSSL accepts, keys unreadable."""
    directory = tmp_path / "tls"
    assert make(directory, "nas.home.arpa", "*.s3.home.arpa", "192.168.1.5", "fd00::5") == 0
    said = capsys.readouterr().out
    assert sorted(contents(directory)) == FILES
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == {name: 0o600 if name.endswith("key") else 0o644 for name in FILES}
    facts = inspect(Pair(directory / "server.crt", directory / "server.key"))
    assert facts.names == ("nas.home.arpa", "*.s3.home.arpa", "192.168.1.5", "fd00::5")
    for line in (f"S4_TLS_CERT={directory}/server.crt", f"AWS_CA_BUNDLE={directory}/authority.crt"):
        assert line in said
    assert "PRIVATE" not in said
    context = ssl.create_default_context(cafile=directory / "authority.crt")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    shake_hands(context, directory, "data.s3.home.arpa")


def shake_hands(client: ssl.SSLContext, directory: Path, name: str) -> None:
    """Let a client verify the certificate for a name; ssl.SSLError."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / "server.crt", directory / "server.key")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for side in sides * 2:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_it_overwrites_nothing_unless_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second run changes no byte; --replace keeps the authority; the rest must be asked for."""
    assert make(tmp_path, "a.example") == 0
    first = contents(tmp_path)
    capsys.readouterr()
    assert make(tmp_path, "b.example") == 1
    assert capsys.readouterr().err == f"{tmp_path}/server.crt exists: --replace replaces it\n"
    assert contents(tmp_path) == first
    assert make(tmp_path, "b.example", "--replace") == 0
    second = contents(tmp_path)
    assert second["authority.crt"] == first["authority.crt"]
    assert second["server.key"] != first["server.key"]
    assert make(tmp_path, "b.example", "--replace-authority") == 0
    assert contents(tmp_path)["authority.key"] != first["authority.key"]


def test_without_names_it_is_for_this_machine(tmp_path: Path) -> None:
    """The loopback addresses are always among the names nobody gave."""
    assert make(tmp_path) == 0
    names = inspect(Pair(tmp_path / "server.crt", tmp_path / "server.key")).names
    assert {"localhost", "127.0.0.1", "::1"} < set(names)


def test_it_may_come_before_the_first_start(tmp_path: Path, settings: SettingsWrapper) -> None:
    """Made in a data directory that is not there yet, it leaves one that a store can begin in."""
    data = tmp_path / "data"
    settings.S4 = dataclasses.replace(settings.S4, data_dir=data)
    call_command("create_certificate", "a.example")
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    with open_engine(data, EngineOptions(neighbours=NEIGHBOURS)):
        assert sorted(contents(data / "tls")) == FILES


@pytest.mark.parametrize("name", ["https://nas", "nas:9000", "", "a b", "x@y", "*.*.x", "a..b"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    """URLs, ports and the like are refused with code 2, and nothing is written."""
    assert make(tmp_path / "tls", "good.example", name) == 2
    assert not (tmp_path / "tls").exists()


@pytest.mark.parametrize("days", ["0", "399", "x"])
def test_a_time_that_browsers_refuse_is_refused(tmp_path: Path, days: str) -> None:
    """A certificate is good for 1 to 398 days."""
    assert make(tmp_path / "tls", "good.example", "--days", days) == 2
    assert not (tmp_path / "tls").exists()


def test_an_authority_that_cannot_issue_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its key, or with another's, an authority is not silently made anew."""
    assert make(tmp_path, "a.example") == 0
    first = contents(tmp_path)
    (tmp_path / "authority.key").unlink()
    assert make(tmp_path, "a.example", "--replace") == 2
    assert "authority.key cannot be read" in capsys.readouterr().err
    (tmp_path / "authority.key").write_bytes(making.key_text(making.make_authority()[1]))
    assert make(tmp_path, "a.example", "--replace") == 2
    assert "is not the key of" in capsys.readouterr().err
    assert contents(tmp_path)["server.crt"] == first["server.crt"]


def test_names_are_written_as_certificates_have_them() -> None:
    """Names are lower-case and in their ASCII form, each once; a last dot is dropped."""
    names = making.Names(["Büro.example.", "10.0.0.1", "10.0.0.1"])
    assert [name.value for name in names.general if isinstance(name, x509.DNSName)] == [
        "xn--bro-hoa.example"
    ]
    assert len(names.general) == 2
    with pytest.raises(CertificateError):
        making.Names(["a/b"])
