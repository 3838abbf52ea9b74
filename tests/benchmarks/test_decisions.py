"""The benchmark of decisions runs, and none of its cases costs what a request would notice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTICED_US = 500  # ten to twenty times what is measured, for machines that are slow or busy


def test_every_case_costs_microseconds() -> None:
    """A thousand statements, conditions, variables: a decision is no part of a request's time."""
    done = subprocess.run(
        [sys.executable, "benchmarks/decisions.py", "--rounds", "50"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    costs = dict(re.findall(r"^(.+?) +([\d.]+) us$", done.stdout, re.MULTILINE))
    assert "1,000 statements on one bucket" in costs
    assert {name: cost for name, cost in costs.items() if float(cost) > NOTICED_US} == {}
