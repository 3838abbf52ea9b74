"""S4 as its users install it: a wheel, built of what Docker would send, in an environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING, NamedTuple

from tests.packaging.context import copy_context

if TYPE_CHECKING:
    from pathlib import Path


class Installed(NamedTuple):
    """What was built, and where it was installed."""

    wheel: Path
    sdist: Path
    environment: Path

    @property
    def command(self) -> Path:
        """The command that was installed."""
        return self.environment / "bin" / "s4"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a step that must succeed, and answer what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(directory: Path) -> Installed:
    """Build source distribution and wheel, and install the wheel.

    What S4 runs on is borrowed from the environment of the tests: they install it once.
    """
    context, built = copy_context(directory / "context"), directory / "dist"
    build = ("-m", "build", "--no-isolation", "--outdir", built, context)
    run(sys.executable, *build, cwd=directory)
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    environment = directory / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    pip = ("-m", "pip", "--python", python, "--disable-pip-version-check")
    run(sys.executable, *pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (packages,) = environment.glob("lib/python*/site-packages")
    borrowed = sysconfig.get_path("purelib")
    (packages / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
    return Installed(wheel, sdist, environment)
