"""Measures what TLS and HTTP/2 cost: the same signed requests over each, by h2load.

Counts the CPU seconds of S4's one worker, so that neither the client nor a busy machine blurs the
figures. Needs h2load (Debian: nghttp2-client). See docs/tls.md for what came out.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import processes
import servers

KIB = 1024
BUCKET = "protocols"
SIZES = {KIB: 6000, 1024 * KIB: 400}  # bytes of an object: requests of a measurement


class Way(NamedTuple):
    """A way to speak; `options` are h2load's."""

    name: str
    has_tls: bool
    options: tuple[str, ...]


WAYS = (
    Way("HTTP/1.1", has_tls=False, options=("--h1", "-c", "32")),
    Way("HTTP/1.1, TLS", has_tls=True, options=("--h1", "-c", "32")),
    Way("HTTP/2, TLS", has_tls=True, options=("-c", "4", "-m", "8")),
)


def make_certificates(directory: Path) -> Path:
    """Make a certificate as the documentation says."""
    subprocess.run(
        [sys.executable, "manage.py", "create_certificate", servers.HOST, "--directory", directory],
        cwd=servers.ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"S4_DATA_DIR": str(directory / "unused")},
    )
    return directory


def measure(server: servers.Server, way: Way, method: str, size: int, count: int) -> float:
    """Answer the CPU milliseconds of a request."""
    path = f"/{BUCKET}/{size}"
    signer = server.signer()
    (signature,) = signer.signatures(method, [path])
    headers = signer.headers(signature)
    headers = {name: text for name, text in headers.items() if name != "Host"}
    scheme = "https" if way.has_tls else "http"
    command = ["h2load", "-n", str(count), *way.options, "-H", f":method: {method}"]
    for name, text in headers.items():
        command += ["-H", f"{name.lower()}: {text}"]
    with tempfile.NamedTemporaryFile() as body:
        if method == "PUT":
            body.write(os.urandom(size))
            body.flush()
            command += ["-d", body.name]
        before = processes.cost(server.pid)
        run = subprocess.run(
            [*command, f"{scheme}://{servers.HOST}:{server.port}{path}"],
            capture_output=True,
            text=True,
            check=True,
        )
    if not re.search(rf"status codes: {count} 2xx", run.stdout):
        raise servers.ServerError(run.stdout)
    return processes.cost(server.pid).since(before).cpu_seconds * 1000 / count


def main() -> None:
    """Measure every way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, help="where the stores are made")
    options = parser.parse_args()
    print(f"{'':<16}{'operation':<10}{'KiB':>6}{'CPU ms':>9}{'req/s per core':>16}")
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        root = Path(name)
        certificates = make_certificates(root / "tls")
        for index, way in enumerate(WAYS):
            directory = root / str(index)
            directory.mkdir()
            with servers.s4(directory, 1, [], certificates if way.has_tls else None) as server:
                server.demand("PUT", f"/{BUCKET}")
                for size, count in SIZES.items():
                    for method in ("PUT", "GET"):
                        measure(server, way, method, size, count // 10)  # it warms up
                        cost = measure(server, way, method, size, count)
                        figures = f"{size // KIB:>6}{cost:>9.3f}{1000 / cost:>16,.0f}"
                        print(f"{way.name:<16}{method:<10}{figures}", flush=True)


if __name__ == "__main__":
    main()
