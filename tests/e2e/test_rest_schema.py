"""The API held against its own document by schemathesis: a SuperUser's and a Reader's token."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

IS_LONG = "S4_TEST_LONG" in os.environ
PHASES = "coverage,fuzzing" if IS_LONG else "coverage"
SETTINGS = {"workers": "1"}
SECONDS = 540
# What ends the token the run is made with.
ENDING = ("logout", "change_my_password")
# Valid by its form is not all that a call asks: a policy may name an action that there is not.
EXCLUDED = "positive_data_acceptance"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["SuperUser", "Reader"] if IS_LONG else ["SuperUser"])
def test_the_document_says_what_the_api_does(server: Server, tmp_path: Path, role: str) -> None:
    """No server error, no undocumented status or shape, nothing taken that the document forbids."""
    root = log_in(server)
    name = f"prober-{role}"
    user = {"username": name, "password": "correct horse battery", "role": role}
    assert call(server, "POST", "/admin/users", user, root).status == 201
    token = log_in(server, name, "correct horse battery")
    bucket = f"probed-{role.lower()}"
    assert call(server, "PUT", f"/admin/buckets/{bucket}", {"owner": name}, root).status == 201
    url = f"http://127.0.0.1:{server.console_port}"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/schema"),
            *("--header", f"Authorization: Bearer {token}"),
            *(f"--exclude-operation-id={each}" for each in ENDING),
            *("--phases", PHASES, "--max-examples", "3", "--seed", "4"),
            *("--exclude-checks", EXCLUDED, "--warnings", "off", "--no-color"),
            "--continue-on-failure",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout, done.stdout[-2000:]
