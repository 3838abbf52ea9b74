"""The table of series: documented as it is, named by the rules, and all that dashboards ask for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from s4project.metrics.series import SERIES

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = ROOT / "docs/monitoring.md"
RULES: Final = ROOT / "deploy/prometheus/s4.rules.yml"
DASHBOARDS: Final = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
ROW: Final = re.compile(r"^\| `(s4_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)
OWN: Final = re.compile(r"\bs4_[a-z0-9_]+")


def documented() -> list[tuple[str, str, str, str]]:
    """Write the rows that the page must have."""
    return [
        (series.name, series.kind, ", ".join(f"`{name}`" for name in series.labels), series.help)
        for series in SERIES
    ]


def test_every_series_is_documented_as_it_is() -> None:
    """The page has name, kind, labels and meaning of each series, in the code's order."""
    found = [
        (name, kind, labels.strip(), text)
        for name, kind, labels, text in ROW.findall(PAGE.read_text())
    ]
    assert found == documented()


def test_names_follow_the_rules_of_prometheus() -> None:
    """Counters end in _total, nothing else does; labels are none that Prometheus sets itself."""
    for series in SERIES:
        assert series.name.endswith("_total") == (series.kind == "counter"), series.name
        assert not {"job", "instance", "le"} & set(series.labels), series.name
        assert series.help.endswith("."), series.name
    assert len({series.name for series in SERIES}) == len(SERIES)


@pytest.mark.parametrize("path", [RULES, *DASHBOARDS], ids=lambda path: path.name)
def test_what_is_shipped_asks_for_series_there_are(path: Path) -> None:
    """Neither an alert nor a panel asks for a series that S4 does not have."""
    parts = {f"{each.name}{end}" for each in SERIES for end in ("_bucket", "_count", "_sum")}
    known = {series.name for series in SERIES} | parts
    assert set(OWN.findall(path.read_text())) <= known


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_dashboards_are_whole(path: Path) -> None:
    """Each dashboard has its file's name as id, panels that overlap nowhere, and one source."""
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"] == path.stem
    places = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {
            (at["x"] + column, at["y"] + line)
            for column in range(at["w"])
            for line in range(at["h"])
        }
        assert not places & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        places |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
            assert "$instance" in target["expr"]


def test_every_alert_says_what_to_do() -> None:
    """The page has a section for each alert, and for none that is not there."""
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert re.findall(r"^\| `(S4\w+)` \|", PAGE.read_text(), re.MULTILINE) == alerts


def test_the_rules_are_sound() -> None:
    """Prometheus's own checker finds nothing wrong with the rules."""
    if shutil.which("promtool") is None:
        assert "CI" not in os.environ, "Debian's package prometheus is missing"
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
