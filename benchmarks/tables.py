"""Writes what the benchmark measured as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HEADING = (
    f"{'':<32}{'conn':>5} {'who':<14}|{'op/s':>9}{'MB/s':>7}{'p50 ms':>9}{'p99 ms':>9}"
    f"{'1st byte':>9} |{'CPU s/1k':>9}{'server':>7}{'client':>7}{'syncs/1k':>9}{'disk B/op':>11}"
    f"{'files/1k':>9}"
    f"{'mem MB':>7} |{'speed':>6}{'CPU':>6}"
)


def lines(row: dict[str, Any]) -> list[str]:
    """Write a row: a line for each contender, against the first of them."""
    first = next(iter(row["measured"].values()))
    return [
        _line(row, name, figures, first if index else None)
        for index, (name, figures) in enumerate(row["measured"].items())
    ]


def _line(
    row: dict[str, Any], who: str, figures: dict[str, float], first: dict[str, float] | None
) -> str:
    def cell(name: str, width: int, digits: int, scale: float = 1) -> str:
        value = figures.get(name)
        return " " * width if value is None else f"{value / scale:>{width},.{digits}f}"

    rate = figures["requests_per_second"]
    line = (
        f"{row['work']:<32}{row['connections']:>5} {who:<14}|"
        f"{rate:>9,.{0 if rate >= 100 else 1}f}{cell('bytes_per_second', 7, 0, 1e6)}"
        f"{cell('p50_ms', 9, 2)}{cell('p99_ms', 9, 2)}{cell('first_byte_ms', 9, 2)} |"
        f"{cell('cpu_seconds_per_1000', 9, 3)}{cell('server_cores', 7, 2)}"
        f"{cell('client_cores', 7, 2)}{cell('syncs_per_1000', 9, 0)}"
        f"{cell('disk_bytes_per_operation', 11, 0)}{cell('files_per_1000', 9, 1)}"
        f"{cell('memory_bytes', 7, 0, 1e6)} |"
    )
    if first is not None:
        line += f"{ratio(figures, first, 'requests_per_second'):>6}"
        line += f"{ratio(figures, first, 'cpu_seconds_per_1000'):>6}"
    trouble = figures["refused"] + figures["broken"]
    words = [f"NOT 2xx: {trouble:.0f}"] if trouble else []
    words += ["busy by itself before"] if figures["unrested"] else []
    return "  ".join([line.rstrip(), *words])


def ratio(figures: dict[str, float], first: dict[str, float], name: str) -> str:
    """Write how many times one figure is of another."""
    return f"{figures[name] / first[name]:.2f}" if first[name] else ""


def heading(report: dict[str, Any]) -> str:
    """Write what stands above the tables."""
    machine, limits = report["machine"], report["limits"]
    place = f"{machine['cores']} cores, {machine['filesystem']}, Python {machine['python']}"
    disk = (
        f"one fdatasync of 4 KiB written before: p50 {limits['fdatasync_p50_ms']:.2f} ms, "
        f"p99 {limits['fdatasync_p99_ms']:.2f} ms; with pauses, where the servers run: "
        f"p50 {limits['fdatasync_paced_p50_ms']:.2f} ms; 1 GiB written and synced: "
        f"{limits['sequential_bytes_per_second'] / 1e6:.0f} MB/s"
    )
    hashes = (
        f"one core hashes MD5 at {limits['md5_bytes_per_second'] / 1e6:.0f} MB/s, "
        f"SHA-256 at {limits['sha256_bytes_per_second'] / 1e6:.0f} MB/s"
    )
    who = [f"{name}: {text}" for name, text in report["durability"].items()]
    return "\n".join([place, disk, hashes, *who])


def felt(rows: dict[str, dict[str, dict[str, float]]], say: Callable[[str], None]) -> None:
    """Write how long the programs took that people use."""
    say(f"{'':<60}{'':<14}{'s':>8}{'files/s':>9}{'CPU s':>8}")
    for name, times in rows.items():
        for what, found in times.items():
            say(
                f"{what:<60}{name:<14}{found['seconds']:>8.1f}"
                f"{found['files_per_second']:>9,.0f}{found['cpu_seconds']:>8.1f}"
            )
