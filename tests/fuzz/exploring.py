"""How long a target is explored: a few fixed inputs every day, or random ones until time is up.

S4_TEST_FUZZ_SECONDS asks for the long form (`make fuzz`) and is shared out among the targets by
weight. Like S4_TEST_LONG it is a setting of the tests and never handed to a server.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

SECONDS: Final = float(os.environ.get("S4_TEST_FUZZ_SECONDS", "0"))
SLOW: Final = list(HealthCheck)  # how long an input takes to make says nothing about the code
EVERYDAY: Final = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=SLOW,
    phases=(Phase.generate,),
)
REPORT_SECONDS: Final = 30


@dataclass
class Tally:
    """What was done to one target."""

    weight: float = 1
    inputs: int = 0
    seconds: float = 0
    failed: bool = False


TALLIES: Final[dict[str, Tally]] = {}


def share(name: str) -> float:
    """Answer the seconds a target gets of the whole run."""
    return SECONDS * TALLIES[name].weight / sum(tally.weight for tally in TALLIES.values())


def register(name: str, weight: float = 1) -> None:
    """Name a target before the run begins, so that the time can be shared out."""
    TALLIES[name] = Tally(weight)


def long_form(examples: int) -> settings:
    """Make the settings of one round of the long run; what failed before is tried first."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=DirectoryBasedExampleDatabase(".hypothesis/fuzz"),
        suppress_health_check=SLOW,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        print_blob=True,
        verbosity=Verbosity.normal,
    )


def rounds(name: str, play: Callable[[settings], None], *, everyday: settings = EVERYDAY) -> None:
    """Play one everyday round, or rounds until the target's time is over.

    The first failure ends the target: Hypothesis has shrunk it and shows how to get it again.
    """
    tally, started = TALLIES[name], time.monotonic()
    told, examples = started, everyday.max_examples
    try:
        while True:
            play(long_form(examples) if SECONDS else everyday)
            now = time.monotonic()
            tally.seconds = now - started
            if tally.seconds >= share(name):
                return
            if now - told > REPORT_SECONDS:
                told = now
                tell(f"{name}: {tally.inputs:,} inputs, {tally.seconds:.0f} of {share(name):.0f} s")
            examples = min(4 * examples, 1000)
    except BaseException:
        tally.failed = True
        raise


def tell(line: str) -> None:
    """Show progress, past what pytest captures."""
    assert sys.__stderr__ is not None
    sys.__stderr__.write(f"fuzz: {line}\n")
    sys.__stderr__.flush()


def explore(name: str, inputs: SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Try a target with inputs for as long as it is its turn."""
    tally = TALLIES[name]

    def once(value: Any) -> None:
        tally.inputs += 1
        check(value)

    def play(how: settings) -> None:
        how(given(inputs)(once))()

    rounds(name, play)


def summary() -> list[str]:
    """Write a line for each target."""
    return [
        f"{name:24} {tally.inputs:>12,} inputs {tally.seconds:8.1f} s"
        f"  {'FAILED: see above' if tally.failed else 'no failure'}"
        for name, tally in TALLIES.items()
    ]
