"""Runs a public conformance suite against S4: a fresh server, its users, the runner, a verdict.

Neither the suite nor its runner is part of S4: both are named by path (docs/conformance.md says
what a runner must understand). What is judged here is the rest: that the server's log tells of no
trouble, that the store agrees with itself afterwards, and that every test which did not pass is
accounted for in docs/conformance.md.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.e2e.server import HOST, ROOT, Server

PAGE: Final = ROOT / "docs" / "conformance.md"
USERS: Final = ("main", "alt", "tenant", "iam", "iam_root", "iam_alt_root")
# The suite was written for the defaults that AWS had before April 2023, and signs forms as of old.
SETTINGS: Final[dict[str, str]] = {
    "default_object_ownership": "none",
    "default_public_access_block": "false",
    "signature_v2": "true",
    # A little shorter than what the suite is told: it waits for two days where one must be over,
    # and lets four pass where five must not.
    "lifecycle_day_seconds": "9",
}
DAY_SECONDS: Final = 10  # as the suite is told
PASSED: Final = "passed"


def create_users(server: Server) -> dict[str, dict[str, str]]:
    """Make the suite's users, each an account of its own, and describe them as a runner wants."""
    return {name: _create_user(server, name) for name in USERS}


def _create_user(server: Server, name: str) -> dict[str, str]:
    email = f"{name.replace('_', '-')}@conformance.test"
    user = server.manage_json(
        *("create_user", name, "--display-name", f"The {name} user", "--email", email)
    )
    key = server.manage_json("create_key", name, "--name", "conformance")
    return {
        "user_id": user["canonical_id"],
        "display_name": user["display_name"],
        "email": email,
        "access_key": key["access_key"],
        "secret_key": key["secret_key"],
    }


def run_suite(server: Server, runner: Path, arguments: list[str]) -> int:
    """Call the runner on a running server; answer its exit status."""
    users = server.directory / "users.json"
    users.write_text(json.dumps(create_users(server)), encoding="utf-8")
    where = ["--host", HOST, "--port", str(server.port), "--creds", str(users)]
    return subprocess.run([str(runner), *where, *arguments], check=False).returncode


def accounted_for() -> tuple[set[str], set[str]]:
    """Read from the page which tests do not pass, and which areas come later, and why."""
    text = PAGE.read_text(encoding="utf-8")
    later = text.partition("\n## Not built yet\n")[2].partition("\n## ")[0]
    misses = text.partition("\n## Not passed\n")[2].partition("\n## ")[0]
    areas = {row.strip() for row in re.findall(r"^\| ([a-z][^|]*)\|", later, re.MULTILINE)}
    return set(re.findall(r"^\| `(test_\w+)`", misses, re.MULTILINE)), areas


def surprises(report: dict[str, Any]) -> list[str]:
    """List the tests of a report that did not pass, and that the page does not account for."""
    names, areas = accounted_for()
    return [
        f"{name}: {test.get('error', test['outcome'])}"
        for name, test in report["tests"].items()
        if test["outcome"] != PASSED
        and test["area"] not in areas
        and name.partition("::")[2].partition("[")[0] not in names
    ]


def judge(server: Server, report: Path) -> list[str]:
    """Stop the server, and say all that is wrong with it, its store, and the report."""
    problems = []
    for claim in (server.assert_healthy, server.stop, server.assert_healthy, server.verify):
        try:
            claim()
        except AssertionError as error:
            problems.append(str(error))
    if report.exists():
        problems += surprises(json.loads(report.read_text(encoding="utf-8")))
    return problems


def main() -> int:
    """Run the suite; exit status 0 when it ran to its end and nothing is left to explain."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runner", type=Path, help="program that drives the suite")
    parser.add_argument("suite", type=Path, help="checkout of ceph/s3-tests")
    parser.add_argument("--out", type=Path, default=Path("conformance.json"), help="the report")
    parser.add_argument("--region", default="us-east-1", help="where the store is")
    parser.add_argument("--keep", action="store_true", help="keep the server's directory")
    options, further = parser.parse_known_args()
    directory = Path(tempfile.mkdtemp(prefix="s4-conformance-"))
    server = Server(directory, log_level="warning", region=options.region, **SETTINGS)
    options.out.unlink(missing_ok=True)
    arguments = ["--suite", str(options.suite.resolve()), "--out", str(options.out)]
    arguments += ["--region", options.region, "--lc-interval", str(DAY_SECONDS), *further]
    try:
        server.start()
        status = run_suite(server, options.runner.resolve(), arguments)
        problems = judge(server, options.out)
    finally:
        server.kill_tree()
        if options.keep:
            print(f"kept {directory}")
        else:
            shutil.rmtree(directory)
    print(*problems, f"{len(problems)} problems", sep="\n")
    return status or min(len(problems), 1)


if __name__ == "__main__":
    sys.exit(main())
