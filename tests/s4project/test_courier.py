"""The courier: everything in the table, in order, at least once, whatever the webhook does."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from iam.audit import webhook
from iam.audit.webhook import RefusedError
from iam.services import audit
from s4project import courier
from s4project.courier import SINK, Courier
from tests.listening import HANGS, HANGS_UP, Webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Run a webhook."""
    with Webhook().listening() as listening:
        yield listening


def write(count: int) -> list[int]:
    """Write entries; answer their ids."""
    for number in range(count):
        audit.record_event("s4:Test", str(number))
    return ids()


def ids() -> list[int]:
    """List the ids of all entries, in order."""
    return [entry.pk for entry in audit.entries_after(0, 10_000)]


def test_what_is_there_is_delivered_in_order(hook: Webhook, tmp_path: Path) -> None:
    """Everything in the table is delivered once, oldest first; later only what is new."""
    written = write(courier.ENTRIES_AT_ONCE + 5)
    delivering = Courier(hook.url, "", tmp_path)
    delivering.deliver()
    assert hook.ids == written
    assert len(hook.requests) == 2
    delivering.deliver()
    assert len(hook.requests) == 2
    written = write(1)
    Courier(hook.url, "", tmp_path).deliver()  # another process, after a restart
    assert hook.ids == written
    assert audit.read_cursor(SINK) == written[-1]


def test_what_is_refused_comes_again_and_the_rest_after_it(hook: Webhook, tmp_path: Path) -> None:
    """A webhook that refuses a batch gets the same batch again, and nothing before it."""
    written = write(3)
    hook.plan = [500, HANGS_UP, 302]
    delivering = Courier(hook.url, "", tmp_path)
    for _ in range(3):
        with pytest.raises(RefusedError):
            delivering.deliver()
    written = write(2)
    delivering.deliver()
    assert hook.ids == written
    sent = [[entry["id"] for entry in request["entries"]] for request in hook.requests]
    assert sent == [written[:3]] * 3 + [written]


def test_a_webhook_that_comes_and_goes_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a webhook that is often away, refuses or hangs, every entry arrives, in order."""
    monkeypatch.setattr(webhook, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(courier, "ENTRIES_AT_ONCE", 4)
    dice, hook = random.Random(7), Webhook()  # noqa: S311  # no secret
    with hook.listening():
        pass
    for _ in range(40):
        write(dice.randrange(4))
        hook.plan = [dice.choice([200, 503, HANGS, HANGS_UP]) for _ in range(2)]
        delivering = Courier(hook.url, "", tmp_path)
        if dice.random() < 0.5:
            with hook.listening():
                for _ in range(2):
                    try:
                        delivering.deliver()
                    except RefusedError:
                        continue
        else:
            waiting = audit.entries_after(audit.read_cursor(SINK), 1)
            with pytest.raises(RefusedError) if waiting else nullcontext():
                delivering.deliver()
    hook.plan = []
    monkeypatch.setattr(webhook, "SILENCE_SECONDS", 60)  # however busy the machine is
    with hook.listening():
        Courier(hook.url, "", tmp_path).deliver()
    assert sorted(set(hook.ids)) == ids()
    firsts = list(dict.fromkeys(hook.ids))
    assert firsts == sorted(firsts)
