"""Drives wrk with requests that were signed beforehand, and reads what it measured.

wrk keeps its connections alive and sends the next request of a connection when the last one is
answered (a closed loop: a slow answer delays what follows it, so read p99 with that in mind).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from signing import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from signing import Signer

SCRIPT = Path(__file__).with_name("load.lua")
BODY_BYTES_MIN = 16  # the part of a body that makes it unlike any other
PROOF = "@PROOF@"
TRAILER = "x-amz-checksum-crc32"
FRAME_BYTES = len("\r\n" + "\r\n0\r\n" + TRAILER + ":" + "\r\n\r\n") + 8  # besides size and data


class LoadError(Exception):
    """The load generator could not do its work, or the server did not do its own."""


class Payload(StrEnum):
    """How the body of a PUT is vouched for."""

    UNSIGNED = "unsigned"
    SIGNED = "signed"  # its SHA-256 in the signature
    TRAILER = "trailer"  # aws-chunked, a CRC32 behind it: what SDKs send over TLS


class Alike(StrEnum):
    """Which bodies of PUTs are alike, so that their bytes need be stored once only."""

    NEVER = "never"
    HALF = "half"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One measurement: `paths` are requested in turn, over and over, for `seconds`.

    `number` is the stage's own for each run against the same server, so that bodies differ.
    `methods` are taken in turn where one does not do.
    """

    number: int
    method: str
    paths: Sequence[str]
    connections: int
    seconds: int
    size: int = 0  # bytes of each PUT's body
    query: str = ""
    payload: Payload = Payload.UNSIGNED
    alike: Alike = Alike.NEVER
    methods: Sequence[str] = field(default=())

    def method_of(self, index: int) -> str:
        """Name the method of a request."""
        return self.methods[index % len(self.methods)] if self.methods else self.method

    def mark(self, index: int) -> str:
        """Make the beginning of a body."""
        if self.alike is Alike.ALWAYS or (self.alike is Alike.HALF and index % 2):
            return "alike" + "." * 11
        return f"0000{self.number:04x}{index:08x}"

    def body(self, index: int) -> bytes:
        """Make a body as the script does."""
        return self.mark(index).encode() + filler(self.size)


@cache
def filler(size: int) -> bytes:
    """Make what follows the mark in each body: noise, for some servers store zeros in no room."""
    return os.urandom(max(size - BODY_BYTES_MIN, 0))


@dataclass(frozen=True, slots=True)
class Load:
    """What a stage came to, seen from the client."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int  # answers of 400 and above
    broken: int  # connections that failed, requests that timed out
    client_seconds: float  # of CPU that the load generator itself took
    first_byte_ms: float | None = None  # the median, where the client looked

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def write_requests(stage: Stage, signer: Signer, directory: Path) -> list[str]:
    """Sign the stage's requests; answer the script's arguments."""
    names = ("requests", "head", "put-head", "filler")
    lines, head, put_head, rest = (directory / name for name in names)
    methods = [stage.method_of(index) for index in range(len(stage.paths))]
    signatures = [""] * len(methods)
    proofs = [_proof(stage, index) for index in range(len(methods))]
    more = _more_headers(stage)
    for method in dict.fromkeys(methods):
        chosen = [index for index, each in enumerate(methods) if each == method]
        paths, is_put = [stage.paths[index] for index in chosen], method == "PUT"
        payloads = [_declared(stage, proofs[index]) for index in chosen] if is_put else None
        made = signer.signatures(method, paths, stage.query, payloads, more if is_put else None)
        for index, signature in zip(chosen, made, strict=True):
            signatures[index] = signature
    query = f"?{stage.query}" if stage.query else ""
    with lines.open("w") as file:
        for index, method in enumerate(methods):
            tail = f" {stage.mark(index)} {proofs[index]}" if method == "PUT" else ""
            file.write(f"{method} {stage.paths[index]}{query} {signatures[index]}{tail}\n")
    head.write_bytes(_head(signer.headers("")))
    declared = _declared(stage, PROOF if stage.payload is Payload.SIGNED else "")
    put_head.write_bytes(_head(_length(stage) | signer.headers("", declared, more)))
    rest.write_bytes(filler(stage.size))
    return [str(lines), str(rest), str(head), str(put_head), _mode(stage)]


def _mode(stage: Stage) -> str:
    if stage.payload is Payload.TRAILER:
        return "chunked"
    is_fresh = stage.payload is Payload.UNSIGNED and stage.alike is Alike.NEVER
    return "fresh" if is_fresh else "plain"


def _proof(stage: Stage, index: int) -> str:
    """Compute what vouches for a body."""
    if stage.payload is Payload.SIGNED:
        return hashlib.sha256(stage.body(index)).hexdigest()
    if stage.payload is Payload.TRAILER:
        return base64.b64encode(zlib.crc32(stage.body(index)).to_bytes(4, "big")).decode()
    return ""


def _declared(stage: Stage, proof: str) -> str:
    """Write what x-amz-content-sha256 says."""
    if stage.payload is Payload.TRAILER:
        return "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    return proof or PAYLOAD


def _more_headers(stage: Stage) -> dict[str, str]:
    if stage.payload is not Payload.TRAILER:
        return {}
    return {"x-amz-decoded-content-length": str(stage.size), "x-amz-trailer": TRAILER}


def _length(stage: Stage) -> dict[str, str]:
    if stage.payload is not Payload.TRAILER:
        return {"Content-Length": str(stage.size)}
    length = len(f"{stage.size:x}") + stage.size + FRAME_BYTES
    return {"Content-Length": str(length), "Content-Encoding": "aws-chunked"}


def _head(headers: dict[str, str]) -> bytes:
    return "\r\n".join(f"{name}: {text}" for name, text in headers.items()).encode()


def run(stage: Stage, signer: Signer, directory: Path, prefix: Sequence[str] = ()) -> Load:
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
        client_seconds=figures["client_us"] / 1e6,
    )
