"""`manage.py serve` as a newcomer and an operator meet it: what it says, refuses and leaves."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.tls import write_certificate
from tests.s4project.probing import ROOT, Wire, request, wait_for
from tests.s4project.serving import Serve, environment, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A server in its first life."""
    with serve(tmp_path_factory.mktemp("serve") / "data") as running:
        running.until_ready()
        yield running


def data_of(running: Serve) -> Path:
    """Name the data directory."""
    return running.log.with_suffix("")


def paste(lines: list[str], home: Path) -> str:
    """Run lines in a shell of a user who has never used the AWS CLI; return what they say."""
    variables = environment(home) | {"HOME": str(home), "PATH": f"{AWS.parent}:/usr/bin:/bin"}
    script = "set -e\n" + "\n".join(lines)
    run = subprocess.run(
        ["sh", "-c", script], env=variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_what_a_newcomer_is_told_works_when_pasted(first: Serve, tmp_path: Path) -> None:
    """The lines for the AWS CLI configure it: it makes a bucket and lists it."""
    lines = [line.strip() for line in first.said if line.startswith("  aws ")]
    assert len(lines) == 5
    told = paste([*lines, "aws s3 mb s3://first-steps --profile s4", lines[-1]], tmp_path)
    assert "first-steps" in told


def test_the_first_password_is_told_once_and_kept_nowhere(first: Serve) -> None:
    """The generated secrets stand in what was said, and in no log and no file."""
    (password,) = re.findall(r"^  password +(\S+)$", "\n".join(first.said), re.MULTILINE)
    (line,) = [line for line in first.said if "secret_access_key" in line]
    secret = shlex.split(line)[4]
    kept = [path.read_bytes() for path in data_of(first).rglob("*") if path.is_file()]
    assert len(kept) > 3
    for word in (password, secret):
        assert len(word) >= 16
        assert word not in first.log.read_text()
        assert not any(word.encode() in content for content in kept)


def test_each_port_has_its_own_side(first: Serve) -> None:
    """S3 answers on one port and the console on the other."""
    with Wire(first.port("S3")) as wire:
        wire.send(request("/health/live"))
        assert wire.reply().headers["content-type"] == "application/xml"
    with Wire(first.port("Console")) as wire:
        wire.send(request("/health/live"))
        assert wire.reply().body == b"ok"


def test_a_second_server_on_the_directory_is_refused(first: Serve) -> None:
    """The refusal is one line that says which process runs, and exit code 1."""
    before = first.log.stat().st_size
    with serve(data_of(first)) as second:
        code, log = second.wait()
    lines = log[before:].splitlines()
    assert code == 1
    assert len(lines) == 1, log
    assert str(first.process.pid) in lines[0]
    assert str(data_of(first)) in lines[0]


def test_a_server_that_was_killed_is_followed_by_the_next(tmp_path: Path) -> None:
    """After kill -9 all is gone at once, and the next start works and tells no secret again."""
    data = tmp_path / "data"
    with serve(data) as killed:
        killed.until_ready()
        wait_for(lambda: any("jobs\0--wait" in command for command in commands(killed)))
        killed.process.kill()
        wait_for(lambda: not killed.processes())
    with serve(data, "--workers", "2", "--no-jobs") as second:
        second.until_ready()
        assert not any("aws" in line or "password" in line for line in second.said)
        assert not any("\0jobs\0" in command for command in commands(second))
        assert len(second.processes()) == 3
        second.process.terminate()
        code, log = second.wait()
        assert (code, second.processes()) == (0, [])
    assert log == ""


def commands(running: Serve) -> list[str]:
    """Read the command lines of the server's processes."""
    found = []
    for pid in running.processes():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            found.append(Path(f"/proc/{pid}/cmdline").read_text())
    return found


@pytest.mark.parametrize(
    ("arguments", "settings", "wrong"),
    [
        ((), {"workers": "many", "bind": "nonsense"}, ["S4_WORKERS", "S4_BIND"]),
        ((), {"no_such_setting": "1"}, ["S4_NO_SUCH_SETTING"]),
        ((), {"tls_cert": "/etc/s4.crt"}, ["S4_TLS_KEY"]),
        (("--workers", "0"), {}, ["--workers"]),
        (("--console-bind", "9001"), {}, ["--console-bind"]),
        (("--bind", "127.0.0.1:29000", "--console-bind", "127.0.0.2:29000"), {}, ["ports"]),
    ],
)
def test_wrong_settings_are_told_in_a_line_each(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], wrong: list[str]
) -> None:
    """A setting that cannot be ends the command with exit code 2 before anything is made."""
    with serve(tmp_path / "data", *arguments, **settings) as running:
        code, log = running.wait()
    lines = log.splitlines()
    assert code == 2
    assert len(lines) == len(wrong)
    assert all(any(name in line for line in lines) for name in wrong)


@pytest.mark.parametrize("is_there", [True, False], ids=["wrong key", "no certificate"])
def test_a_certificate_that_cannot_be_served_is_told_in_a_line(
    tmp_path: Path, is_there: bool
) -> None:
    """TLS that cannot be ends the command with exit code 2 before anything is made."""
    certificate, key = write_certificate(tmp_path)
    if is_there:
        (tmp_path / "other").mkdir()
        _, key = write_certificate(tmp_path / "other")
    else:
        certificate.unlink()
    settings = {"tls_cert": str(certificate), "tls_key": str(key)}
    with serve(tmp_path / "data", **settings) as running:
        code, log = running.wait()
    assert (code, log.count("\n")) == (2, 1)
    assert str(certificate) in log
    assert list((tmp_path / "data").iterdir()) == []


def test_an_expired_certificate_is_served_and_warned_of(tmp_path: Path) -> None:
    """A certificate out of its time does not stop the server, which says so once."""
    certificate, key = write_certificate(tmp_path, days=-1)
    settings = {"tls_cert": str(certificate), "tls_key": str(key)}
    with serve(tmp_path / "data", "--no-jobs", **settings) as running:
        running.until_ready()
        assert any(line.startswith("S3       https://127.0.0.1:") for line in running.said)
        assert "aws configure set endpoint_url https://" in "".join(running.said)
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        for side in ("S3", "Console"):
            with (
                socket.create_connection(("127.0.0.1", running.port(side))) as tcp,
                anyone.wrap_socket(tcp) as client,
            ):
                client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                assert client.recv(12) in {b"HTTP/1.1 403", b"HTTP/1.1 302"}
        running.process.terminate()
        code, log = running.wait()
    assert code == 0
    assert log.count("The certificate has expired") == 1


def test_a_taken_port_is_told_in_a_line(tmp_path: Path) -> None:
    """A port in use ends the command with exit code 1 and one line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with serve(tmp_path / "data", "--bind", address) as running:
            code, log = running.wait()
    assert code == 1
    assert log.count("\n") == 1
    assert address in log


def test_a_directory_that_is_none_is_told_in_a_line(tmp_path: Path) -> None:
    """A data directory that cannot be made ends the command with exit code 1."""
    (tmp_path / "file").touch()
    run = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=environment(tmp_path / "file" / "data"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
