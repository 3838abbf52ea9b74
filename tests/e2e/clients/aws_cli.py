"""The AWS CLI in three ages: two from before it sent checksums of its own accord, and today's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.e2e.clients.installed import LONG, interpreter, system

if TYPE_CHECKING:
    from tests.e2e.clients.installed import Runner

OLD: Final = "1.29"
SYSTEM: Final = "2"
CURRENT: Final = "1.46"
# Each call starts a Python of its own, and these are many: the everyday form leaves some out.
VERSIONS: Final = (OLD, SYSTEM, CURRENT) if LONG else (CURRENT,)
AGES: Final = VERSIONS if LONG else (OLD, CURRENT)
_ENVIRONMENTS: Final = {OLD: "awscli-old", CURRENT: "own"}


def command(version: str) -> list[str]:
    """Answer how a version is started; version 2 is the system's, whichever it has."""
    if version == SYSTEM:
        return [system("/usr/bin/aws")]
    return [interpreter(_ENVIRONMENTS[version]), "-W", "ignore", "-m", "awscli"]


def aws(run: Runner, *arguments: str, version: str = CURRENT, told: bytes | None = None) -> str:
    """Run an AWS CLI that must succeed, and answer what it said."""
    endpoint = ("--endpoint-url", run.server.url)  # the old ones know no variable for it
    return run(*command(version), *endpoint, *arguments, told=told)
