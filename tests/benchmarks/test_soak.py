"""The soak: what it calls level, what it draws, and a short one against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def judged(watch: Any, memory: list[int], descriptors: list[int]) -> dict[str, bool]:
    """Judge samples that differ in what they hold."""
    first = watch.Sample(0, 0, 0, 0, 0, 7, 10, 4, 0, 0)
    samples = [
        replace(first, at=at, anonymous_bytes=held * MIB, descriptors=count)
        for at, (held, count) in enumerate(zip(memory, descriptors, strict=True))
    ]
    return {name: one.is_flat for name, one in watch.levels(samples).items()}


def test_what_grows_is_not_level(part: Callable[[str], Any]) -> None:
    """Memory that rises through the whole run is told from memory that rises once and stays."""
    watch = part("soak_watch")
    steady = [100] * 100
    grown = list(range(100, 300, 2))
    warmed = [*range(100, 220, 4), *[220] * 70]
    assert all(judged(watch, steady, steady).values())
    assert all(judged(watch, warmed, steady).values())
    assert not judged(watch, grown, steady)["anonymous_bytes"]
    assert not judged(watch, steady, grown)["descriptors"]


def test_a_process_that_was_replaced_is_seen(part: Callable[[str], Any]) -> None:
    """One that dies and one that comes are no level either, for the tree is larger for a while."""
    watch = part("soak_watch")
    samples = [watch.Sample(at, 0, 0, 0, 0, 0, 0, 4 + (at > 50), 0, 0) for at in range(100)]
    assert not watch.levels(samples)["processes"].is_flat


def test_the_picture_is_one(part: Callable[[str], Any]) -> None:
    """What is drawn is well-formed, whatever it is called, with every line and no more points."""
    plot = part("soak_plot")
    line = [(at, at % 7) for at in range(5000)]
    root = ET.fromstring(  # noqa: S314  # our own
        plot.svg("S4 & <more>", [plot.Panel("a<b", [("x", line), ("y", [])])])
    )
    drawn = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(drawn) == 2
    assert 0 < len(drawn[0].attrib["points"].split()) <= plot.POINTS_MAX


@pytest.mark.e2e
@pytest.mark.skipif(not os.environ.get("S4_TEST_LONG"), reason="make soak, or S4_TEST_LONG=1")
def test_a_short_soak_is_reported(tmp_path: Path) -> None:
    """Load of every kind meets no failure, and the report says what was seen."""
    outcome = subprocess.run(
        [
            *(sys.executable, "benchmarks/soak.py", "--minutes", "0.5", "--settle", "15"),
            *("--idle", "10", "--directory", str(tmp_path)),
            *("--json", str(tmp_path / "soak.json"), "--plot", str(tmp_path / "soak.svg")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads((tmp_path / "soak.json").read_text())
    assert report["trouble"] == [], outcome.stdout
    assert report["verdict"]["store_is_sound"]
    assert {"put", "get", "multipart", "page", "break_off_upload"} <= set(report["operations"])
    assert (tmp_path / "soak.svg").read_text().startswith("<svg")
