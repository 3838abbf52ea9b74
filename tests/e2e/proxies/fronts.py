"""nginx and Caddy of the system, run with the files that S4 ships for them.

Only what is this machine's is replaced in them: names, ports and certificates.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.e2e.server import DOMAIN, HOST
from tests.e2e.tls import write_certificate
from tests.packaging.context import ROOT
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.server import Server

CONSOLE: Final = f"console.{DOMAIN}"
START_SECONDS: Final = 20
NGINX: Final = """
daemon off;
worker_processes 1;
error_log stderr;
pid {home}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    gzip on; gzip_types *; gzip_proxied any;
    {site}
}}
"""
CADDY: Final = """
{{
    admin off
    auto_https disable_redirects
    storage file_system {home}/storage
}}
{site}
"""


class Front(NamedTuple):
    """A proxy that runs: what it is reached by, and whom it is trusted for."""

    name: str
    port: int
    certificate: Path

    @property
    def url(self) -> str:
        """Where clients of S3 go."""
        return f"https://{DOMAIN}:{self.port}"

    @property
    def console(self) -> str:
        """Where browsers go."""
        return f"https://{CONSOLE}:{self.port}"


def shipped(name: str, server: Server) -> str:
    """Read a file of deploy/, with the names and upstreams of this machine."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    for ours, theirs in (
        ("127.0.0.1:9000", f"{HOST}:{server.port}"),
        ("127.0.0.1:9001", f"{HOST}:{server.console_port}"),
        ("console.example.org", CONSOLE),
        ("s3.example.org", DOMAIN),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    return text


def nginx(server: Server, home: Path, port: int, files: tuple[Path, Path]) -> list[str]:
    """Write nginx's configuration; answer its command."""
    site = shipped("nginx.conf", server).replace("listen 443", f"listen {HOST}:{port}")
    site = re.sub(r"(ssl_certificate) .*;", rf"\1 {files[0]};", site)
    site = re.sub(r"(ssl_certificate_key) .*;", rf"\1 {files[1]};", site)
    configuration = home / "nginx.conf"
    configuration.write_text(NGINX.format(home=home, site=site), encoding="utf-8")
    user = ["-g", "user root;"] if os.geteuid() == 0 else []  # who may read the test's files
    return ["nginx", "-p", str(home), "-c", str(configuration), *user]


def caddy(server: Server, home: Path, port: int, files: tuple[Path, Path]) -> list[str]:
    """Write Caddy's configuration; answer its command."""
    own = f":{port} {{\n\tbind {HOST}\n\ttls {files[0]} {files[1]}\n"
    site = re.sub(r"^([\w.]+) \{\n", rf"\1{own}", shipped("Caddyfile", server), flags=re.MULTILINE)
    configuration = home / "Caddyfile"
    configuration.write_text(CADDY.format(home=home, site=site), encoding="utf-8")
    return ["caddy", "run", "--config", str(configuration), "--adapter", "caddyfile"]


KINDS: Final[dict[str, Callable[[Server, Path, int, tuple[Path, Path]], list[str]]]] = {
    "nginx": nginx,
    "caddy": caddy,
}


def answers(port: int) -> bool:
    """Tell whether somebody listens."""
    with socket.socket() as wire:
        return wire.connect_ex((HOST, port)) == 0


@contextmanager
def front(kind: str, server: Server) -> Iterator[Front]:
    """Run a proxy before a server for a block."""
    if shutil.which(kind) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{kind} is not installed, and CI must have it")
        pytest.skip(f"{kind} is not installed (Debian: nginx-light, caddy)")
    home = Path(tempfile.mkdtemp(prefix=f"s4-{kind}-"))
    files = write_certificate(home, names=(DOMAIN, CONSOLE, f"*.{DOMAIN}"))
    port = free_port()
    command = KINDS[kind](server, home, port, files)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={"PATH": os.environ["PATH"], "HOME": str(home)}, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(port):
            said = (home / "log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        yield Front(kind, port, files[0])
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(home)
