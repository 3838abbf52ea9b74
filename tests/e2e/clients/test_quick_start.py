"""The quick start as a test: what its page says is pasted, and does what is said."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.clients.installed import installed
from tests.e2e.server import ACCESS_KEY, ROOT, SECRET_KEY

if TYPE_CHECKING:
    from tests.e2e.clients.installed import Runner

pytestmark = pytest.mark.e2e

PAGE: Final = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")
PRINTED: Final = ("aws_access_key_id", "aws_secret_access_key", "region", "endpoint_url")


def blocks(language: str) -> str:
    """Join what the page has in one language, in its order."""
    return "".join(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL))


def paste(run: Runner, *command: str) -> str:
    """Run something in the newcomer's home, with nothing but the clients and what he wrote."""
    own = [Path(sys.executable).parent, Path(installed("rclone")).parent, "/usr/bin", "/bin"]
    others = [f"--unset={name}" for name in run.environment if name.startswith("AWS_")]
    fixed = ("AWS_EC2_METADATA_DISABLED=true", f"PATH={':'.join(map(str, own))}")
    return run("/usr/bin/env", *others, *fixed, *command)


def test_the_lines_of_the_quick_start_work(run: Runner) -> None:
    """The lines that are printed and those of the page store and find what the page says."""
    values = (ACCESS_KEY, SECRET_KEY, run.server.settings["region"], run.server.url)
    printed = [
        f"aws configure set {name} '{value}' --profile s4"
        for name, value in zip(PRINTED, values, strict=True)
    ]
    for name in PRINTED:
        assert f"aws configure set {name} " in PAGE
    shell = blocks("bash").replace("http://127.0.0.1:9000", run.server.url)
    shell = shell.replace("S4KEY", ACCESS_KEY).replace("S4SECRET", f"'{SECRET_KEY}'")
    lines = "\n".join(["set -euo pipefail", *printed, shell])
    said = paste(run, "bash", "-c", lines)
    assert said.count("hello\n") == 1
    assert f"{run.server.url}/photos/2026/hello.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" in said
    assert "rclone/hello.txt" in said
    said = paste(run, sys.executable, "-c", blocks("python"))
    assert said.splitlines() == [
        "2026/from-python.txt 17",
        "2026/hello.txt 6",
        "rclone/hello.txt 6",
    ]
