"""A stand-in for the base image `python:3.11-slim`: Debian 12's own files and its Python 3.11.

debootstrap makes it of Debian's packages, once for a machine: no engine and no registry is at hand.
What the image has and this has not is where Python lies, which is linked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "python3",
    "python3-venv",
    "python3-pip",
    "libpython3-dev",  # its headers
    "ca-certificates",
    "systemd",
    "procps",
)
SUITE: Final = "bookworm"
# Where the certificates and packages of this machine are told of, for pip in the chroot.
TOLD_BY: Final = (
    "PIP_",
    "SSL_CERT_",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
KEPT: Final = f"/var/tmp/s4-base-image-{SUITE}"  # noqa: S108  # between runs: a minute is saved


def make_base() -> Path:
    """Make the base image, unless it is there already; answer its root."""
    root = Path(os.environ.get("S4_TEST_BASE_IMAGE", KEPT))
    if not (root / "usr/local/bin/python").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        included = "--include=" + ",".join(PACKAGES)
        subprocess.run(["debootstrap", "--variant=minbase", included, SUITE, root], check=True)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return root


def network() -> dict[str, str]:
    """Read from the environment how this machine reaches packages."""
    return {name: value for name, value in os.environ.items() if name.upper().startswith(TOLD_BY)}


def lend_network(root: Path) -> None:
    """Let a root resolve names, and trust whom this machine trusts."""
    for name in ("resolv.conf", "hosts", "ssl/certs/ca-certificates.crt", "pip.conf"):
        source, target = Path("/etc", name), root / "etc" / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy(source, target)
