"""The conformance target, driven with a runner of two lines in place of a suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conformance.run import PAGE, ROOT, accounted_for, surprises

if TYPE_CHECKING:
    from pathlib import Path

# Signs in as the suite's first user, and reports one test that passed and one that did not.
RUNNER = """#!{python}
import json, sys
import boto3
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
user = json.load(open(given["--creds"]))["main"]
client = boto3.client(
    "s3",
    endpoint_url="http://" + given["--host"] + ":" + given["--port"],
    region_name="us-east-1",
    aws_access_key_id=user["access_key"],
    aws_secret_access_key=user["secret_key"],
)
client.create_bucket(Bucket="suite-bucket")
assert client.list_buckets()["Owner"]["ID"] == user["user_id"]
outcomes = {{"passed": "passed", "failed": given["--say"]}}
tests = {{
    "test_s3.py::test_that_" + name: {{"outcome": outcome, "area": "object listing"}}
    for name, outcome in outcomes.items()
}}
json.dump({{"tests": tests, "suite": given["--suite"]}}, open(given["--out"], "w"))
"""


@pytest.mark.e2e
@pytest.mark.skipif("S4_TEST_LONG" not in os.environ, reason="S4_TEST_LONG: make test-long")
def test_a_runner_is_given_a_server_and_its_misses_are_told(tmp_path: Path) -> None:
    """A runner gets address, users, suite and report; what did not pass is named, with status 1."""
    runner, out = tmp_path / "runner", tmp_path / "report.json"
    runner.write_text(RUNNER.format(python=sys.executable), encoding="utf-8")
    runner.chmod(0o755)
    words = [str(runner), str(tmp_path), "--out", str(out), "--say", "failed"]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.conformance.run", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout.splitlines() == ["test_s3.py::test_that_failed: failed", "1 problems"]
    assert json.loads(out.read_text())["suite"] == str(tmp_path)


def test_what_the_page_explains_is_no_surprise() -> None:
    """Tests of the page's tables, by name or by area, do not surprise; others do."""
    names, areas = accounted_for()
    tests = {f"test_s3.py::{name}[one]": {"outcome": "failed", "area": "any"} for name in names}
    tests |= {f"test_s3.py::{area}": {"outcome": "skipped", "area": area} for area in areas}
    assert tests
    assert surprises({"tests": tests}) == []
    stranger = {"test_s3.py::test_new": {"outcome": "error", "area": "any", "error": "Boom"}}
    assert surprises({"tests": tests | stranger}) == ["test_s3.py::test_new: Boom"]


def test_the_figures_of_the_page_add_up() -> None:
    """The sums of both tables are those of their rows, and each test not passed has its reason."""
    text = PAGE.read_text(encoding="utf-8")
    missing = {}
    for title in ("Measured", "Not built yet"):
        table = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        *rows, total = re.findall(r"\| \**(\d+)\** \| \**(\d+)\** \|", table)
        sums = [sum(int(row[place]) for row in rows) for place in (0, 1)]
        assert sums == [int(figure) for figure in total], title
        missing[title] = sums[1] - sums[0]
    assert missing["Measured"] == len(accounted_for()[0])
