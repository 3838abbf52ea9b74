"""Drives wrk with requests that were signed beforehand, and reads what it measured.

wrk keeps its connections alive and sends the next request of a connection when the last one is
answered (a closed loop: a slow answer delays what follows it, so read p99 with that in mind).
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signing import Signer

SCRIPT = Path(__file__).with_name("load.lua")
BODY_BYTES_MIN = 16  # the part of a body that makes it unlike any other


class LoadError(Exception):
    """The load generator could not do its work, or the server did not do its own."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One measurement: `paths` are requested in turn, over and over, for `seconds`."""

    number: int
    method: str
    paths: list[str]
    query: str
    size: int  # bytes of each PUT's body
    connections: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a stage came to, seen from the client."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int  # answers of 400 and above
    broken: int  # connections that failed, requests that timed out

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def write_requests(stage: Stage, signer: Signer, directory: Path) -> list[str]:
    """Sign the stage's requests; answer the script's arguments."""
    lines, head = directory / "requests", directory / "head"
    signatures = signer.signatures(stage.method, stage.paths, stage.query)
    query = f"?{stage.query}" if stage.query else ""
    pairs = zip(stage.paths, signatures, strict=True)
    lines.write_text("".join(f"{path}{query} {signature}\n" for path, signature in pairs))
    headers = signer.headers("")
    if stage.method == "PUT":
        headers = {"Content-Length": "@LENGTH@", **headers}
    head.write_bytes("\r\n".join(f"{name}: {text}" for name, text in headers.items()).encode())
    return [str(lines), stage.method, str(stage.size), str(head), str(stage.number)]


def run(stage: Stage, signer: Signer, directory: Path, prefix: list[str]) -> Load:
    """Put the stage's load on the signer's host; `prefix` is put before the command (taskset).

    Raises LoadError when wrk fails or reports nothing.
    """
    arguments = write_requests(stage, signer, directory)
    command = [
        *prefix,
        "wrk",
        *("-t", "1", "-c", str(stage.connections), "-d", f"{stage.seconds}s"),
        *("--timeout", "30s", "-s", str(SCRIPT), f"http://{signer.host}", "--", *arguments),
    ]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next((text for text in outcome.stdout.splitlines() if text.startswith("{")), None)
    if line is None:
        raise LoadError(f"wrk: {(outcome.stderr or outcome.stdout).strip()[:200]}")
    figures = json.loads(line)
    return Load(
        requests=figures["requests"],
        seconds=figures["microseconds"] / 1e6,
        p50_ms=figures["p50_us"] / 1e3,
        p99_ms=figures["p99_us"] / 1e3,
        refused=figures["refused"],
        broken=figures["broken"],
    )
