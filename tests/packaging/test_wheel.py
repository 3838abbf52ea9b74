"""The wheel, as somebody installs it who has no checkout: all that S4 is, behind a command `s4`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tarfile
import zipfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import boto3
import pytest
import urllib3
from botocore.config import Config

from s3api import md5
from tests.e2e.browsing import Browser
from tests.packaging.context import tracked
from tests.packaging.installed import Installed, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.server import Server

PACKAGES = ("s4project/", "s3api/", "buckets/", "iam/", "storage_engine/")
BESIDE = ("CHANGELOG.md", "requirements-runtime.lock", "templates/")
ACCESS_KEY, SECRET_KEY = "WHEELACCESSKEY", "wheel-secret-key-0123456789"
PASSWORD = "wheel-root-password"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build and install the wheel once."""
    return install(tmp_path_factory.mktemp("wheel"))


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Make the environment of somebody at home there, with nothing of the tests' own."""
    path = os.environ["PATH"]
    named = {f"S4_{name.upper()}": value for name, value in settings.items()}
    return {"PATH": path, "HOME": str(home), **named}


def test_the_wheel_holds_all_that_s4_reads(installed: Installed) -> None:
    """Every file of the packages is in it, templates, changelog and lock file beside them."""
    held = set(zipfile.ZipFile(installed.wheel).namelist())
    wanted = {name for name in tracked() if name.startswith(PACKAGES)}
    wanted |= {f"s4project/shipped/{name}" for name in tracked() if name.startswith(BESIDE)}
    assert wanted - held == set()
    compiled = {"s3api/_md5.abi3.so"} if md5.IS_COMPILED else set()
    assert {name for name in held - wanted if ".dist-info/" not in name} == compiled


def test_the_source_distribution_holds_what_the_wheel_is_built_of(installed: Installed) -> None:
    """The wheel was built from it, so it has all; it holds no tests and nothing of a machine."""
    with tarfile.open(installed.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md"} <= names
    assert {name for name in names if name.startswith(("tests/", "data/", ".venv/"))} == set()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the home of somebody who has installed S4."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def ports(installed: Installed, home: Path) -> Iterator[dict[str, int]]:
    """Run `s4 serve` of the wheel with secrets from files, in some other directory."""
    for name, text in (("key", ACCESS_KEY), ("secret", SECRET_KEY), ("password", PASSWORD)):
        (home / name).write_text(text + "\n", encoding="utf-8")
    settings = {
        "bind": "127.0.0.1:0",
        "console_bind": "127.0.0.1:0",
        "workers": "1",
        "access_key_id_file": str(home / "key"),
        "secret_access_key_file": str(home / "secret"),
        "root_password_file": str(home / "password"),
    }
    process = subprocess.Popen(
        [installed.command, "serve"],
        cwd=home,
        env=environment(home, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line == "S4 is ready\n":
                break
        found = re.findall(r"^(S3|Console) .*:(\d+)$", "".join(said), re.MULTILINE)
        assert len(found) == 2, said
        yield {side: int(port) for side, port in found}
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_it_serves_with_nothing_but_the_wheel(ports: dict[str, int]) -> None:
    """What boto3 puts it gets, signed with a key whose secret came from a file."""
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{ports['S3']}",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    s3.create_bucket(Bucket="wheel")
    s3.put_object(Bucket="wheel", Key="a key", Body=b"from a wheel")
    assert s3.get_object(Bucket="wheel", Key="a key")["Body"].read() == b"from a wheel"
    s3.close()


def test_the_console_has_its_pages_and_styles(ports: dict[str, int]) -> None:
    """The page to sign in is answered, and every style and script it names; pdf.js too."""
    console = f"http://127.0.0.1:{ports['Console']}"
    page = urllib3.request("GET", f"{console}/login/").data.decode()
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert any(name.endswith(".css") for name in named)
    for name in [*named, "/static/pdfjs/pdf.min.mjs"]:
        file = urllib3.request("GET", console + name)
        assert (file.status, bool(file.data)) == (200, True)


def test_the_console_knows_its_version_and_what_it_runs_on(ports: dict[str, int]) -> None:
    """The page of the version has the changelog, and the packages of the lock file."""
    browser = Browser(cast("Server", SimpleNamespace(console_port=ports["Console"])))
    browser.log_in("root", PASSWORD)
    page, _ = browser.get("/settings/version/")
    for words in ("Unreleased", "uvloop", "Apache-2.0"):
        assert words in page


def test_the_store_is_at_home(ports: dict[str, int], installed: Installed, home: Path) -> None:
    """Commands find the store of `s4 serve` from any directory, and call themselves `s4`."""
    assert ports
    listed = subprocess.run(
        [installed.command, "list_users"],
        cwd=installed.environment,
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "root" in listed.stdout
    assert (home / ".local" / "share" / "s4" / "server.key").is_file()


def test_advice_names_the_command_that_is_there(installed: Installed, tmp_path: Path) -> None:
    """What a command says to do is done with `s4`, for there is no manage.py."""
    program = """
import sys; sys.argv[0] = "/usr/local/bin/s4"
from storage_engine.layout import REMEDIES; print(*REMEDIES.values())
"""
    said = subprocess.run(
        [installed.environment / "bin" / "python", "-c", program],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith("`s4 rebuild_index`")
