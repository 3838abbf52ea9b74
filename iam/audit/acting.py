"""Who acts at this moment: set once where a request comes in, asked where something is changed.

A scene is asked for its actor only when an entry is written: most requests change nothing, and
REST learns who asks after they began. Knows no Django.
"""

from __future__ import annotations

import os
import pwd
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Via(StrEnum):
    """Through which door somebody acts."""

    CONSOLE = "console"
    REST = "rest"
    S3 = "s3"
    COMMAND = "command"
    JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, by what right and from where; an empty name is nobody's.

    `user_id` is a canonical id. `credential` is an access key, a mark of a session or token (never
    the thing itself), or a command.
    """

    via: Via
    name: str = ""
    user_id: str = ""
    credential: str = ""
    address: str = ""
    request_id: str = ""


class Scene(msgspec.Struct):
    """One request or the like; `ask` tells who acts in it, as far as is known by then."""

    ask: Callable[[], Actor]
    is_refusal_told: bool = False  # that it was refused has an entry of its own


# Under which id what is asked for is answered and told of; "": nothing was asked for.
request_id: ContextVar[str] = ContextVar("request_id", default="")
_scene: ContextVar[Scene | None] = ContextVar("scene", default=None)


def set_scene(ask: Callable[[], Actor]) -> None:
    """Say who acts for the rest of this context, such as the task of one request."""
    _scene.set(Scene(ask))


@contextmanager
def acting(ask: Callable[[], Actor]) -> Iterator[Scene]:
    """Say who acts until the block ends."""
    scene = Scene(ask)
    token = _scene.set(scene)
    try:
        yield scene
    finally:
        _scene.reset(token)


def current_actor() -> Actor:
    """Tell who acts; outside any request that is who started the process, by its command."""
    scene = _scene.get()
    return _of_process() if scene is None else scene.ask()


def refusal_is_told() -> None:
    """Say that the refusal of what is asked for has an entry: nobody else need make one."""
    scene = _scene.get()
    if scene is not None:
        scene.is_refusal_told = True


def _of_process() -> Actor:
    """Name the command, without its arguments (they may be secret), and who runs it."""
    command = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""
    if command == "jobs":
        return Actor(Via.JOBS, credential="manage.py jobs")
    program = os.path.basename(sys.argv[0] if sys.argv else "")  # noqa: PTH119  # a bare name
    return Actor(Via.COMMAND, name=_system_user(), credential=f"{program} {command}".strip())


def _system_user() -> str:
    """Name the account of this machine that runs the process, or the one behind `sudo`."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a number that has no name
        name = str(os.getuid())
    return f"system:{os.environ.get('SUDO_USER') or name}"
