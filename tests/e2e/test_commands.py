"""What an administrator types: commands before and beside the server, settings, start and end."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.content import content, files_below
from tests.e2e.every_worker import many
from tests.e2e.processes import wait_until
from tests.e2e.server import COMMAND_SECONDS, MANAGE, ROOT, SECRET_KEY, Server, answers, running
from tests.e2e.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.wire import Caller

pytestmark = pytest.mark.e2e
LONG = bool(os.environ.get("S4_TEST_LONG"))
# What the start and a request leave to do: a checkpoint, a spare segment; within minutes the jobs
# have looked at SQL once.
SETTLE_SECONDS, IDLE_SECONDS = (300, 300) if LONG else (10, 6)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """Answer a server that was never started, and whose first key is not chosen."""
    server = Server(tmp_path / "fresh", access_key_id="", secret_access_key="", root_password="")
    yield server
    server.kill_tree()


def caller_of(server: Server, key: dict[str, str]) -> Caller:
    """Answer a caller with the access key a command made."""
    return replace(server.caller, signer=Signer(key["access_key"], key["secret_key"]))


def printed(text: str, pattern: str) -> str:
    """Find a value that a first start prints."""
    found: list[str] = re.findall(pattern, text)
    assert len(found) == 1, f"{pattern} is told {len(found)} times in {text!r}"
    return found[0]


# --- users, keys and buckets ---


def test_commands_work_before_the_first_start(fresh: Server) -> None:
    """User, key and bucket made on an empty directory are there when the server starts."""
    user = fresh.manage_json("create_user", "alice", "--role", "Writer")
    assert (user["username"], user["role"]) == ("alice", "Writer")
    key = fresh.manage_json("create_key", "alice")
    bucket = fresh.manage_json("create_bucket", "alices", "--owner", "alice")
    assert (bucket["name"], bucket["owner"]) == ("alices", "alice")
    fresh.start()
    alice = caller_of(fresh, key)
    assert alice.ask("PUT", "/alices/k", b"hers").status == 200
    assert alice.ask("GET", "/alices/k").body == b"hers"
    assert user["canonical_id"].encode() in alice.ask("GET", "/").body
    fresh.stop()


def everywhere(caller: Caller, target: str) -> set[tuple[int, str]]:
    """Ask over many new connections that stay, so that every worker is met."""
    with many(caller, 12) as connections:
        replies = [caller.ask("GET", target, over=connection) for connection in connections]
    return {(reply.status, reply.code) for reply in replies}


def test_commands_are_obeyed_at_once_by_every_worker(server: Server) -> None:
    """A key made beside the running server works at its next request, and disabled at no more."""
    server.manage_json("create_user", "bob", "--role", "Writer")
    key = server.manage_json("create_key", "bob")
    bob = caller_of(server, key)
    assert everywhere(bob, "/") == {(200, "")}
    server.manage_json("create_bucket", "bobs", "--owner", "bob")
    assert everywhere(bob, "/bobs") == {(200, "")}
    for _ in range(2):
        server.manage_json("disable_key", key["access_key"])
        assert everywhere(bob, "/bobs") == {(403, "InvalidAccessKeyId")}
        server.manage_json("disable_key", key["access_key"], "--undo")
        assert everywhere(bob, "/bobs") == {(200, "")}


def test_a_disabled_key_fails_on_a_kept_connection(server: Server) -> None:
    """A key disabled between two requests of one connection fails in the second one."""
    server.manage_json("create_user", "carol")
    key = server.manage_json("create_key", "carol")
    carol = caller_of(server, key)
    assert carol.ask("PUT", "/carols").status == 200
    with carol.connect() as connection:
        assert carol.ask("PUT", "/carols/k", b"one", over=connection).status == 200
        server.manage_json("disable_key", key["access_key"])
        reply = carol.ask("PUT", "/carols/k", b"two", over=connection)
        assert (reply.status, reply.code) == (403, "InvalidAccessKeyId")
    assert server.caller.ask("GET", "/carols/k").body == b"one"


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("Reader", {"GET": 200, "LIST": 200, "PUT": 403, "DELETE": 403, "CREATE": 403}),
        ("Writer", {"GET": 200, "LIST": 200, "PUT": 200, "DELETE": 204, "CREATE": 200}),
    ],
)
def test_a_role_is_what_its_name_says(server: Server, role: str, may: dict[str, int]) -> None:
    """A Reader reads what he owns; a Writer writes it and makes buckets; neither sees others'."""
    name = role.lower()
    server.manage_json("create_user", name, "--role", role)
    user = caller_of(server, server.manage_json("create_key", name))
    server.manage_json("create_bucket", f"{name}s-own", "--owner", name)
    server.manage_json("create_bucket", f"{name}s-foreign")
    for bucket in (f"{name}s-own", f"{name}s-foreign"):
        assert server.caller.ask("PUT", f"/{bucket}/k", b"x").status == 200
    own, foreign = f"/{name}s-own", f"/{name}s-foreign"
    assert user.ask("GET", f"{own}/k").status == may["GET"]
    assert user.ask("GET", own).status == may["LIST"]
    assert user.ask("PUT", f"{own}/new", b"y").status == may["PUT"]
    assert user.ask("DELETE", f"{own}/k").status == may["DELETE"]
    assert user.ask("PUT", f"/{name}s-new").status == may["CREATE"]
    for method, target in (("GET", f"{foreign}/k"), ("GET", foreign), ("PUT", f"{foreign}/k")):
        reply = user.ask(method, target)
        assert (reply.status, reply.code) == (403, "AccessDenied")
    listed = user.ask("GET", "/").body
    assert f"{name}s-own".encode() in listed
    assert f"{name}s-foreign".encode() not in listed


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("create_user", "root"), 1, "root"),
        (("create_user", "no spaces"), 2, "name"),
        (("create_user", "dave", "--role", "King"), 2, "King"),
        (("create_user",), 2, "NAME"),
        (("create_key", "nobody"), 1, "nobody"),
        (("create_key", "root", "--access-key", "a b"), 2, "key"),
        (("create_bucket", "Upper"), 2, "lower-case"),
        (("create_bucket", "fine", "--owner", "nobody"), 1, "nobody"),
        (("disable_key", "AKNOWN"), 1, "AKNOWN"),
        (("create_bucket", "fine", "--frobnicate"), 2, "frobnicate"),
    ],
)
def test_a_bad_argument_is_one_line(
    server: Server, arguments: tuple[str, ...], status: int, word: str
) -> None:
    """A command that cannot be carried out says why in its last line, and nothing happens."""
    result = server.manage(*arguments)
    assert (result.returncode, result.stdout) == (status, "")
    lines = result.stderr.strip().splitlines()
    assert word.lower() in lines[-1].lower()
    assert "Traceback" not in result.stderr
    assert len(lines) == 1 or lines[0].startswith("usage:")


# --- settings ---


@pytest.mark.parametrize("command", ["serve", "create_user"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"S4_WORKERS": "0"},
        {"S4_BIND": "nowhere"},
        {"S4_BIND": "127.0.0.1:70000"},
        {"S4_REGION": "Not A Region"},
        {"S4_MAX_UPLOAD_SIZE": "huge"},
        {"S4_LOG_LEVEL": "loud"},
        {"S4_ACCESS_KEY_ID": "only-one-half", "S4_SECRET_ACCESS_KEY": ""},
        {"S4_MISSPELT": "1"},
        {"S4_DOMAIN": "under_score"},
        {"DATABASE_URL": "mysql://somewhere"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_setting_is_one_line(fresh: Server, command: str, wrong: dict[str, str]) -> None:
    """A wrong setting stops every command with one line that names it, and exit code 2."""
    arguments = {"serve": (), "create_user": ("eve",)}[command]
    result = fresh.manage(command, *arguments, **wrong)
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2
    assert len(lines) == 1, result.stderr
    assert next(iter(wrong)) in lines[0]
    assert not fresh.data.exists()


def test_every_wrong_setting_has_its_line(fresh: Server) -> None:
    """Several wrong settings are told together, one line each."""
    result = fresh.manage("serve", S4_WORKERS="none", S4_REGION="", S4_LOG_FORMAT="prose")
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2
    assert len(lines) == 3
    for name in ("S4_WORKERS", "S4_REGION", "S4_LOG_FORMAT"):
        assert sum(name in line for line in lines) == 1


def test_a_secret_is_not_in_a_complaint(fresh: Server) -> None:
    """A wrong secret is refused without being shown."""
    wrong = {"S4_ACCESS_KEY_ID": "fine", "S4_SECRET_ACCESS_KEY": "h\u00e4sslich-secret"}
    result = fresh.manage("serve", **wrong)
    assert result.returncode == 2
    assert "S4_SECRET_ACCESS_KEY" in result.stderr
    assert "sslich" not in result.stderr + result.stdout


# --- start ---


def test_a_first_start_tells_its_secrets_once(fresh: Server) -> None:
    """The first start prints password and access key, which work; no later start does."""
    fresh.start()
    told = fresh.log_text()
    key = {
        "access_key": printed(told, r"aws_access_key_id (\S+)"),
        "secret_key": printed(told, r"aws_secret_access_key (\S+)"),
    }
    assert caller_of(fresh, key).ask("GET", "/").status == 200
    secrets = [key["secret_key"], printed(told, r"password\s+(\S+)")]
    fresh.stop()
    place = len(fresh.log_text())
    fresh.start()
    assert caller_of(fresh, key).ask("GET", "/").status == 200
    fresh.stop()
    assert [secret for secret in secrets if secret in fresh.log_text(place)] == []
    for secret in secrets:
        assert fresh.log_text().count(secret) == 1


def test_given_credentials_are_not_told(server: Server) -> None:
    """Credentials that the settings give appear in no line of the log."""
    for secret in (SECRET_KEY, server.settings["root_password"]):
        assert secret not in server.log_text()


def test_secrets_lie_where_nobody_else_reads(server: Server) -> None:
    """The data directory is its owner's alone, and no file in it holds a secret as it is."""
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data / "server.key").stat().st_mode) == 0o600
    for path, kept in files_below(server.data).items():
        assert SECRET_KEY.encode() not in kept, path


def test_a_second_server_is_refused(server: Server) -> None:
    """A second serve on one data directory ends at once with one line that names the first."""
    other = Server(server.directory / "other", data_dir=str(server.data))
    result = other.manage("serve")
    lines = result.stderr.strip().splitlines()
    assert result.returncode not in {0, 2}
    assert len(lines) == 1, result.stderr
    assert str(server.main_pid()) in lines[0]
    assert server.caller.ask("GET", "/").status == 200


def test_a_taken_port_is_one_line(fresh: Server) -> None:
    """A port in use ends the start with one line that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = fresh.manage("serve", S4_BIND=f"127.0.0.1:{port}")
    lines = result.stderr.strip().splitlines()
    assert result.returncode not in {0, 2}
    assert len(lines) == 1, result.stderr
    assert str(port) in lines[0]


def test_a_foreign_directory_is_refused(fresh: Server) -> None:
    """A directory that another program filled is left as it is."""
    fresh.data.mkdir(parents=True)
    (fresh.data / "FORMAT").write_text("something else\n")
    result = fresh.manage("serve")
    lines = result.stderr.strip().splitlines()
    assert result.returncode not in {0, None}
    assert len(lines) == 1, result.stderr
    assert (fresh.data / "FORMAT").read_text() == "something else\n"


def test_port_zero_takes_free_ports(fresh: Server) -> None:
    """With port 0 the server takes free ports and says which."""
    environment = fresh.environment | {"S4_BIND": "127.0.0.1:0", "S4_CONSOLE_BIND": "127.0.0.1:0"}
    with subprocess.Popen(
        [sys.executable, MANAGE, "serve"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = ""
        while "ready" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        port = int(re.search(r"S3\s+http://127\.0\.0\.1:(\d+)", told)[1])  # type: ignore[index]
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(COMMAND_SECONDS) == 0
        process.stdout.read()


# --- end ---


def test_the_end_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """SIGTERM lets an upload and a download finish; then the server ends with code 0."""
    body, large = content("in flight", 3_000_000), content("download", 40_000_000)
    with running(tmp_path / "drain") as server:
        assert server.caller.ask("PUT", "/drain").status == 200
        assert server.caller.ask("PUT", "/drain/large", large).status == 200
        with ExitStack() as stack:
            up, down, idle = (stack.enter_context(server.caller.connect()) for _ in range(3))
            assert server.caller.ask("GET", "/", over=idle).status == 200
            expect = {"expect": "100-continue"}
            up.send(server.caller.head("PUT", "/drain/k", len(body), expect))
            assert up.interim() == 100
            up.send(body[:1_000_000])
            down.send(server.caller.request("GET", "/drain/large"))
            assert down.has_begun()
            os.kill(server.main_pid(), signal.SIGTERM)
            assert idle.is_ended(15), "an idle connection is not waited for"
            wait_until(lambda: not answers(server.port), "new connections are refused", 10)
            up.send(body[1_000_000:])
            assert up.reply("PUT").status == 200
            assert down.reply().body == large
        server.see_end()
        server.start()
        assert server.caller.ask("GET", "/drain/k").body == body


def test_an_idle_server_ends_quickly(tmp_path: Path) -> None:
    """A server with nothing to do ends soon after SIGTERM or SIGINT, however young it is."""
    server = Server(tmp_path / "quick")
    for sent in (signal.SIGTERM, signal.SIGINT) * 3:
        server.start()
        process = server.process
        assert process is not None
        process.send_signal(sent)
        assert process.wait(20) == 0, "less than requests in progress are given"
        wait_until(lambda: not server.processes(), "nobody is left")
        server.kill_tree()
    with suppress(FileNotFoundError):
        assert "Traceback" not in server.log_text()


@pytest.mark.timeout(SETTLE_SECONDS + IDLE_SECONDS + 300)
def test_an_idle_server_is_idle(tmp_path: Path) -> None:
    """Without requests the processes hardly run and write nothing to the disk."""
    with running(tmp_path / "idle") as server:
        assert server.caller.ask("PUT", "/idle").status == 200
        time.sleep(SETTLE_SECONDS)
        wait_until(lambda: rests(server, 2), "what a start brings with it is done", 60)
        before = {process.pid: used(process.pid) for process in server.processes()}
        time.sleep(IDLE_SECONDS)
        for pid, (ticks, written) in before.items():
            ticks_after, written_after = used(pid)
            assert written_after == written, "bytes were written"
            spent = (ticks_after - ticks) / os.sysconf("SC_CLK_TCK")
            assert spent < IDLE_SECONDS / 100, "over 1 % of a core"


def rests(server: Server, seconds: float) -> bool:
    """Tell whether no process does anything for a while."""
    before = [used(process.pid) for process in server.processes()]
    time.sleep(seconds)
    return before == [used(process.pid) for process in server.processes()]


def used(pid: int) -> tuple[int, int]:
    """Read what a process has used: processor time in ticks, bytes sent to the disk."""
    fields = (Path("/proc", str(pid)) / "stat").read_text().rpartition(")")[2].split()
    rows = (Path("/proc", str(pid)) / "io").read_text().splitlines()
    written = next(row for row in rows if row.startswith("write_bytes"))
    return int(fields[11]) + int(fields[12]), int(written.split()[1])
