"""Where the clients of these tests are, and how they are run: as programs, against one server.

`make test-clients` installs them. One that is not there skips its tests, except in continuous
integration, which installs all of them and so fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

from tests.e2e.server import ACCESS_KEY, ROOT, SECRET_KEY, clean_environment

if TYPE_CHECKING:
    from tests.e2e.server import Server

CLIENTS: Final = ROOT / ".clients"
PROGRAMS: Final = Path(__file__).parent / "programs"
# Threads of native libraries were seen to abort a process that was done: its end is none of theirs.
LEAVE: Final = "sys.stdout.flush(); import os; os._exit(0)"
CLIENT_SECONDS: Final = 600
LONG: Final = bool(os.environ.get("S4_TEST_LONG"))
SAID_CHARACTERS: Final = 4000


def missing(client: str) -> NoReturn:
    """Skip a test for want of its client, where none was promised."""
    if "CI" in os.environ:
        pytest.fail(f"{client} is not installed")
    pytest.skip(f"{client} is not installed: make test-clients")


def interpreter(environment: str) -> str:
    """Find the Python of an environment of clients; `own` is the one these tests run in."""
    if environment == "own":
        return sys.executable
    found = CLIENTS / environment / "bin" / "python"
    return str(found) if found.exists() else missing(f"the Python with {environment} clients")


def installed(program: str) -> str:
    """Find a program that PyPI carries, as it is today."""
    found = CLIENTS / "current" / "bin" / program
    return str(found) if found.exists() else missing(program)


def system(program: str) -> str:
    """Find a program that the system has."""
    return shutil.which(program) or missing(program)


class Runner:
    """Runs clients against one server, each in a home that holds nothing of who runs the tests."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        self.home = home
        self.config = home / "aws-config"
        # Version 1 of the AWS CLI would presign by Signature Version 2 without it.
        self.config.write_text("[default]\ns3 =\n    signature_version = s3v4\n")

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's own clients, and those made after them, read their settings from."""
        return clean_environment() | {
            "HOME": str(self.home),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": self.server.settings["region"],
            "AWS_DEFAULT_REGION": self.server.settings["region"],
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_CONFIG_FILE": str(self.config),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }

    def attempt(
        self, *arguments: str, told: bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a client that may fail."""
        return subprocess.run(
            arguments,
            env=self.environment | environment,
            cwd=self.home,
            input=told,
            stdin=subprocess.DEVNULL if told is None else None,
            capture_output=True,
            timeout=CLIENT_SECONDS,
            check=False,
        )

    def _checked(
        self, arguments: tuple[str, ...], told: bytes | None, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        result = self.attempt(*arguments, told=told, **environment)
        said = (result.stderr + result.stdout).decode(errors="replace")
        assert result.returncode == 0, f"{arguments}: {said[-SAID_CHARACTERS:]}"
        return result

    def __call__(self, *arguments: str, told: bytes | None = None, **environment: str) -> str:
        """Run a client that must succeed, and answer all that it said."""
        result = self._checked(arguments, told, environment)
        return (result.stdout + result.stderr).decode()

    def output(self, *arguments: str, told: bytes | None = None, **environment: str) -> bytes:
        """Run a client that must succeed, and answer its standard output alone."""
        return self._checked(arguments, told, environment).stdout

    def refusal(self, *arguments: str, **environment: str) -> str:
        """Run a client that must fail, and answer what it said."""
        result = self.attempt(*arguments, **environment)
        said = (result.stdout + result.stderr).decode(errors="replace")
        assert result.returncode != 0, f"{arguments} succeeded: {said[-SAID_CHARACTERS:]}"
        return said

    def story(
        self, environment: str, program: str, story: str, *arguments: str, **settings: str
    ) -> str:
        """Run one function of a module in programs/ with the Python of another environment."""
        code = f"import sys, {program}; {program}.{story}(*sys.argv[1:]); {LEAVE}"
        settings["PYTHONPATH"] = str(PROGRAMS)
        return self(interpreter(environment), "-c", code, *arguments, **settings)


def node_story(run: Runner, program: str, story: str, *arguments: str, **environment: str) -> str:
    """Run one function of a CommonJS module in programs/ with the packages of npm."""
    packages = CLIENTS / "javascript" / "node_modules"
    if not packages.exists():
        missing("AWS's SDK for JavaScript")
    return run(
        *(
            system("node"),
            "-e",
            "require(process.argv[1])[process.argv[2]](...process.argv.slice(3))",
        ),
        *(str(PROGRAMS / f"{program}.cjs"), story, *arguments),
        NODE_PATH=str(packages),
        **environment,
    )
