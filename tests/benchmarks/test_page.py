"""The page made of figures: what it says was reached, and what a second worker could do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = {
    "fdatasync_p50_ms": 0.1,
    "fdatasync_p99_ms": 0.2,
    "fdatasync_paced_p50_ms": 0.14,
    "sequential_bytes_per_second": 1.6e9,
    "md5_bytes_per_second": 0.75e9,
    "sha256_bytes_per_second": 1.5e9,
}


@pytest.fixture
def page(part: Callable[[str], Any]) -> Any:
    """Load what is tested."""
    return part("page")


def row(work: str, size: int, connections: int, *rates: float) -> dict[str, Any]:
    """Make a row of a report, with a figure for each who was measured."""
    return {
        "work": work,
        "size": size,
        "connections": connections,
        "measured": {f"{n}": figures(rate, size) for n, rate in enumerate(rates)},
    }


def figures(rate: float, size: int) -> dict[str, float]:
    """Make the figures of a server whose core has time for 10,000 requests a second."""
    return {
        "requests_per_second": rate,
        "bytes_per_second": rate * size,
        "p50_ms": 0.45,
        "p99_ms": 4,
        "cpu_seconds_per_1000": 0.1,
        "server_cores": rate / 10_000,
        "client_cores": rate / 40_000,
    }


def cells(table: str) -> dict[str, list[str]]:
    """Read a table by what stands first in each line."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return {first: rest for first, *rest in lines}


def test_a_floor_is_held_against_both_ways_of_sharing_the_cores(page: Any) -> None:
    """What is enough on a core of its own, or with all cores shared, is told from what never is."""
    mib = 2**20
    pinned = [
        row("GET 1 KiB", 1024, 32, 9000),
        row("PUT 1 KiB", 1024, 1, 1500),
        row("PUT 1 MiB", mib, 32, 200),
        row("GET 64 KiB", 65536, 32, 7000),
    ]
    shared = [
        row("GET 1 KiB", 1024, 32, 10_000, 15_000),
        row("PUT 1 MiB", mib, 32, 300, 500),
        row("GET 64 KiB", 65536, 32, 7500, 12_000),
    ]
    report = {
        "machine": {"cores": 2},
        "limits": LIMITS,
        "sections": [{"rows": pinned}, {"rows": shared}],
    }
    found = cells(page.floors(report))
    assert found["GET 1 KiB"][1:5] == ["9,000/s", "10,000/s", "15,000/s", "yes"]
    assert found["PUT 1 MiB"][4] == "where not pinned"
    assert found["PUT 1 MiB"][-1] == "a core's hashes 500 MB/s, the disk 1,600 MB/s"
    assert found["PUT 1 MiB, a worker for each core"][3:5] == ["524 MB/s", "yes"]
    assert found["GET 64 KiB"][4] == "**no**"
    lone = found["PUT 1 KiB over 1 connection, median"]
    assert (lone[0], lone[1], lone[4]) == ("under 0.5 ms", "0.45 ms", "yes")
    assert lone[-1].endswith("allowed; after a pause, on the cores of servers: 0.14 ms")


def test_what_a_second_worker_could_do_leaves_the_client_its_part(page: Any) -> None:
    """With a client that takes a fifth of the cores two workers have room for 1.6 times one."""
    rows = [row("GET 1 KiB", 1024, 32, 10_000, 15_000), row("PUT 1 KiB", 1024, 1, 1000, 1000)]
    report = {
        "machine": {"cores": 2},
        "limits": LIMITS,
        "sections": [{"rows": []}, {"rows": rows}],
    }
    found = cells(page.workers(report))
    assert found["GET 1 KiB"][3:5] == ["1.50x", "1.60x"]
    assert found["GET 1 KiB"][5:] == ["1.00", "1.50", "0.25", "0.38"]
    assert found["PUT 1 KiB"][4] == "", "one request at a time never wants all cores"
    assert cells(page.floors(report))["GET 1 KiB, workers for all cores to one"][4] == "**no**"


def test_a_second_worker_is_also_seen_where_cores_allow(page: Any) -> None:
    """What it adds with a share of a core for each has its own table, and is held against 1.7."""
    rows = [row("GET 1 KiB", 1024, 32, 4000, 7000)]
    report = {"machine": {"cores": 2}, "limits": LIMITS, "sections": [{"rows": []}, {"rows": []}]}
    assert page.worker_shares(report).startswith("Not measured")
    report["sections"] = [{"rows": []}, {"rows": []}, {"rows": rows}]
    found = cells(page.worker_shares(report))
    assert found["GET 1 KiB"] == ["32", "4,000", "7,000", "1.75x", "0.40", "0.70", "0.17"]
    assert cells(page.floors(report))["the same, where cores allow"][3:5] == ["1.75x", "yes"]
