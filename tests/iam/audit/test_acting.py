"""Who acts, as the entries of the audit log will name him."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from iam.audit.acting import Actor, Via, acting, current_actor, set_scene

ADA = Actor(Via.S3, "ada", "c" * 64, "AK", "192.0.2.1", "R1")


def test_a_scene_ends_with_its_block() -> None:
    """Inside the block the scene's actor acts, afterwards whoever acted before."""
    before = current_actor()
    with acting(lambda: ADA):
        assert current_actor() == ADA
        with acting(lambda: Actor(Via.REST)):
            assert current_actor().via is Via.REST
        assert current_actor() == ADA
    assert current_actor() == before


def test_requests_at_once_do_not_mix() -> None:
    """Each task has its own scene, also in the thread that it hands its context to."""

    async def request(name: str) -> str:
        set_scene(lambda: Actor(Via.S3, name))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        actor = await loop.run_in_executor(pool, copy_context().run, current_actor)
        return actor.name

    async def several() -> list[str]:
        return await asyncio.gather(*(request(f"user{number}") for number in range(20)))

    with ThreadPoolExecutor(4) as pool:
        assert asyncio.run(several()) == [f"user{number}" for number in range(20)]


@pytest.mark.parametrize(
    ("arguments", "via", "credential"),
    [
        (["manage.py", "create_user", "ada", "--email", "a@b.c"], Via.COMMAND, "create_user"),
        (["/opt/s4/manage.py", "jobs", "--wait"], Via.JOBS, "jobs"),
        (["manage.py"], Via.COMMAND, ""),
        (["manage.py", "--version"], Via.COMMAND, ""),
    ],
)
def test_outside_a_request_the_command_acts(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], via: Via, credential: str
) -> None:
    """A command is named without its arguments, and a person's by the account that runs it."""
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setenv("SUDO_USER", "olga")
    actor = current_actor()
    assert (actor.via, actor.credential) == (via, f"manage.py {credential}".strip())
    assert actor.name == ("" if via is Via.JOBS else "system:olga")
