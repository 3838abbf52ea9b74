"""Whatever a client sends, the S3 side answers it as S3 would, and what is refused leaves nothing.

The whole application in process: no request ends in a 5xx but 501, every refusal is S3's document
(nothing, for HEAD), and behind a refused request the store holds what it held, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from tests.fuzz.exploring import SECONDS, explore, register, tell
from tests.fuzz.forms import FormShot, form_shots
from tests.fuzz.shots import Shot, shots
from tests.fuzz.world import REFUSED, living

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

KINDS: Final = {"application": shots(), "forms": form_shots()}
VERIFY_EVERY: Final = 500
READS: Final = {"GET", "HEAD", "OPTIONS"}
register("application", weight=16)
register("forms", weight=6)


@pytest.mark.parametrize("name", KINDS)
def test_the_application_answers_or_refuses(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None, name: str
) -> None:
    """Each request is answered in S3's words, and one that is refused changes nothing."""
    outcomes: Counter[str] = Counter()
    with living(settings, tmp_path) as world:

        def check(shot: Shot | FormShot) -> None:
            reply = shot.send(world)
            outcome = "gone" if reply is None else reply.code or str(reply.status)
            outcomes[outcome] += 1
            is_read = isinstance(shot, Shot) and shot.method in READS
            if reply is None or reply.status >= REFUSED or is_read:
                try:
                    world.insist_unchanged()
                except AssertionError:
                    world.fill()
                    raise
            else:
                world.settle()
            if outcomes.total() % VERIFY_EVERY == 0:
                world.verify()

        explore(name, KINDS[name], check)
    if SECONDS:
        counts = (f"{outcome} {count:,}" for outcome, count in outcomes.most_common())
        tell(f"{name}: {', '.join(counts)}")
