"""What the scale run came to: a table for people, the bounds, and what follows for a billion."""

from __future__ import annotations

from typing import Any

START_SECONDS_MAX = 2.0
PAGE_MS_MAX = 10.0
FILES_MAX = 64
BILLION = 1_000_000_000


def table(report: dict[str, Any]) -> str:
    """Write the table."""
    heading = (
        f"{report['objects']:,} objects, {report['cores']} cores, {report['filesystem']}, "
        f"Python {report['python']}, {report['memory_available_bytes'] / 1e9:.0f} GB of memory free"
    )
    lines = [heading]
    for title, rows in (
        ("Loading", _loading(report)),
        ("On disk", _on_disk(report)),
        ("Start", _starts(report)),
        ("List page of 1,000, ms", _lists(report)),
        ("One key, us", _lookups(report)),
        ("Renames and snapshot", _renames(report)),
        ("Puts of new keys in no order, 32 in flight", _puts(report)),
        ("Verify", _verify(report)),
        ("Memory of a process", _memory(report)),
        ("A billion objects, computed", _billion(report)),
    ):
        lines += ["", title, *(f"  {name:<34}{text}" for name, text in rows)]
    return "\n".join(lines)


def broken_bounds(report: dict[str, Any]) -> list[str]:
    """List the figures that leave their bounds."""
    broken = [
        f"{name}: {start['first_read_s']} s until the first read, {START_SECONDS_MAX} allowed"
        for name, start in report["starts"].items()
        if start["first_read_s"] > START_SECONDS_MAX
    ]
    broken += [
        f"{name}: {page['p50']} ms for a page, {PAGE_MS_MAX} allowed"
        for name, page in report["lists"]["places"].items()
        if page["p50"] > PAGE_MS_MAX
    ]
    files = report["disk"]["files"]
    if files > FILES_MAX:
        broken.append(f"{files} files, {FILES_MAX} allowed")
    if report["verify"].get("problems"):
        broken.append(f"{report['verify']['problems']} problems found by verify")
    return broken


Rows = list[tuple[str, str]]


def _spread(found: dict[str, Any], digits: int = 2) -> str:
    if not found.get("count"):
        return "none"
    p50, p99, top = (f"{found[name]:,.{digits}f}" for name in ("p50", "p99", "max"))
    return f"p50 {p50}  p99 {p99}  max {top}  ({found['count']:,})"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


def _loading(report: dict[str, Any]) -> Rows:
    load = report["load"]
    return [
        ("rate", f"{load['rate']:,}/s by {load['loaders']}, {load['in_flight']} in flight each"),
        ("CPU", f"{load['cpu_us']} us for each object"),
        ("written", f"{load['written_bytes_per_object']:,} B for each object"),
        ("checkpoints, s", _spread(load["checkpoint_s"])),
        *(
            (f"snapshot {number}", f"{made['seconds']} s, {_megabytes(made['bytes'])}")
            for number, made in enumerate(report["snapshots"], 1)
        ),
    ]


def _on_disk(report: dict[str, Any]) -> Rows:
    disk, after, objects = report["disk"], report["disk_after_puts"], report["objects"]
    rows = [
        ("index in use", f"{disk['index_used_bytes'] / objects:,.0f} B for each object"),
        ("index file", f"{disk['index_file_bytes'] / objects:,.0f} B for each object"),
        ("journal written", f"{disk['journal_position'] / objects:,.0f} B for each object"),
        ("files", f"{disk['files']}"),
        ("occupied", _megabytes(disk["occupied_bytes"])),
    ]
    for name, found in disk["tables"].items():
        if found["rows"] > 1000:
            share = f"{found['bytes'] / objects:,.0f} B for each object"
            rows.append((f"table {name}", f"{share}, depth {found['depth']}"))
    growth = after["index_file_bytes"] - disk["index_file_bytes"]
    rows.append(("index file after random puts", f"{_megabytes(growth)} more"))
    return rows


def _starts(report: dict[str, Any]) -> Rows:
    rows = []
    for name, start in report["starts"].items():
        text = (
            f"first read {start['first_read_s']:.3f} s, CPU {start['cpu_s']:.3f} s, "
            f"with Python's own start {start['from_process_start_s']:.2f} s"
        )
        if "replayed_bytes" in start:
            replayed = _megabytes(start["replayed_bytes"])
            text += f"; {start['replayed_frames']:,} frames, {replayed} replayed"
        rows.append((name, text))
    return rows


def _lists(report: dict[str, Any]) -> Rows:
    cold = report["lists_cold"]["places"]
    return [
        (name, f"{_spread(page)}  CPU {page['cpu_ms']:.2f}  cold: {_spread(cold[name])}")
        for name, page in report["lists"]["places"].items()
    ]


def _lookups(report: dict[str, Any]) -> Rows:
    return [
        (
            f"{verb}, {state}",
            f"{_spread(report[part][f'{verb}_us'], 1)}  CPU {report[part][f'{verb}_cpu_us']}",
        )
        for state, part in (("warm", "lookups"), ("cold", "lookups_cold"))
        for verb in ("head", "get")
    ]


def _renames(report: dict[str, Any]) -> Rows:
    rows = [
        (
            f"rename {name.replace('_', ' ')}, us",
            f"{_spread(found['us'], 0)}, CPU {found['cpu_us']:.0f}",
        )
        for name, found in report["renames"].items()
    ]
    snapshot = report["snapshot"]
    rate = snapshot["bytes"] / max(snapshot["seconds"], 0.001)
    text = f"{snapshot['seconds']:.1f} s, {_megabytes(snapshot['bytes'])}, {_megabytes(rate)}/s"
    return [*rows, ("snapshot", text)]


def _puts(report: dict[str, Any]) -> Rows:
    rows = []
    for state, part in (("warm", "puts"), ("cold", "puts_cold")):
        puts = report[part]
        handed = f"{puts['written_bytes_per_object']:,} B written for each"
        rows += [
            (f"{state}: rate", f"{puts['rate']:,}/s, CPU {puts['cpu_us']} us, {handed}"),
            (f"{state}: checkpoints, s", _spread(puts["checkpoint_s"])),
            (f"{state}: put beside one, ms", _spread(puts["beside_checkpoint_ms"])),
            (f"{state}: put without, ms", _spread(puts["alone_ms"])),
        ]
    return rows


def _verify(report: dict[str, Any]) -> Rows:
    verify = report["verify"]
    if not verify["is_whole"]:
        return [("verify", verify["reason"])]
    memory = _megabytes(verify["anonymous_bytes"])
    return [("verify", f"{verify['seconds']} s, {memory}, {verify['problems']} problems")]


def _memory(report: dict[str, Any]) -> Rows:
    stages = {"loading": "load", "listing": "lists", "reading": "lookups"}
    rows = []
    for name, part in stages.items():
        own, whole = report[part]["anonymous_bytes"], report[part]["resident_bytes"]
        text = f"{_megabytes(own)} of its own, {_megabytes(whole)} with the mapped index"
        rows.append((name, text))
    return rows


def billion(report: dict[str, Any]) -> dict[str, float]:
    """Compute what a billion objects of this kind would take: bytes and seconds."""
    objects, disk, snapshot = report["objects"], report["disk"], report["snapshot"]
    ratio = BILLION / objects
    verify = report["verify"]
    figures = {
        "index_bytes": disk["index_used_bytes"] * ratio,
        "branch_bytes": sum(found["branch_bytes"] for found in disk["tables"].values()) * ratio,
        "snapshot_seconds": snapshot["seconds"] * ratio,
        "load_hours": report["load"]["seconds"] * ratio / 3600,
    }
    if verify["is_whole"]:
        figures["verify_hours"] = verify["seconds"] * ratio / 3600
        figures["verify_bytes"] = verify["anonymous_bytes"] * ratio
    return figures


def _billion(report: dict[str, Any]) -> Rows:
    found = billion(report)
    rows = [
        ("index in use", f"{found['index_bytes'] / 1e9:,.0f} GB; a snapshot as much again"),
        ("its branch pages", f"{found['branch_bytes'] / 1e9:,.1f} GB: in memory, or lookups wait"),
        ("snapshot", f"{found['snapshot_seconds'] / 60:,.0f} min"),
        ("loading, at this rate", f"{found['load_hours']:,.0f} h"),
    ]
    if "verify_hours" in found:
        took = f"{found['verify_hours']:,.1f} h, {found['verify_bytes'] / 1e9:,.0f} GB of memory"
        rows.append(("verify", took))
    return rows
