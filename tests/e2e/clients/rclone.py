"""rclone in two ages, with a remote called s4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.e2e.clients.installed import installed, system
from tests.e2e.server import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from tests.e2e.clients.installed import Runner

SYSTEM: Final = "system"
CURRENT: Final = "1.75"
VERSIONS: Final = (SYSTEM, CURRENT)
TRY_ONCE: Final = ("--retries", "1", "--low-level-retries", "1")


def settings(run: Runner) -> dict[str, str]:
    """Describe the remote as rclone wants it, in its environment."""
    return {
        "RCLONE_CONFIG_S4_TYPE": "s3",
        "RCLONE_CONFIG_S4_PROVIDER": "Other",
        "RCLONE_CONFIG_S4_ENDPOINT": run.server.url,
        "RCLONE_CONFIG_S4_ACCESS_KEY_ID": ACCESS_KEY,
        "RCLONE_CONFIG_S4_SECRET_ACCESS_KEY": SECRET_KEY,
        "RCLONE_CONFIG_S4_REGION": run.server.settings["region"],
    }


def command(version: str) -> str:
    """Find rclone: the system's, or today's."""
    return system("rclone") if version == SYSTEM else installed("rclone")


def rclone(run: Runner, *arguments: str, version: str = SYSTEM, told: bytes | None = None) -> str:
    """Run an rclone that must succeed, and answer what it said."""
    config = run.home / "rclone.conf"
    config.touch()
    return run(
        command(version), *arguments, *TRY_ONCE, "--config", str(config), told=told, **settings(run)
    )
