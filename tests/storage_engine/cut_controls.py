"""A store without one of its safeguards, cut until it breaks: run as a program.

`python -m tests.storage_engine.cut_controls CONTROL DIRECTORY` ends with BROKE when a cut did harm,
and with 0 when no cut of a bounded number did.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from storage_engine import checkpoint
from storage_engine.checkpoint import Pin, Pins
from storage_engine.index import DATA_FILE
from storage_engine.layout import INDEX, JOURNAL, VOLUMES
from tests.storage_engine.cut_machine import Machine
from tests.storage_engine.engine_steps import KIB
from tests.storage_engine.lossy_disk import ClaimingDisk, LossyDisk

if TYPE_CHECKING:
    from collections.abc import Callable

BROKE: Final = 37
SEEDS: Final = 40
CUTS: Final = 3
CLAIMS: Final = {
    "journal": ".segment",
    "index": DATA_FILE,
    "checkpoint": checkpoint.NEW_CHECKPOINT,
    "checkpoint name": INDEX,
    "journal names": JOURNAL,
    "volumes": ".volume",
    "volume names": VOLUMES,
}
CONTROLS: Final = ("pins", *CLAIMS)


class NoPins(Pins):
    """Pins that hold nothing."""

    def replace(self, pin: Pin, resizes: int) -> None:
        """Let the new one go as well."""
        super().replace(pin, resizes)
        pin.txn.abort()

    def advance(self, checkpoint_txn_id: int) -> None:
        """Wait for nothing."""


def claiming(claims: str, root: Path) -> LossyDisk:
    """Make a disk that only claims to sync something, from now on."""
    disk = ClaimingDisk(root)
    disk.claims = claims
    return disk


def breaks(directory: Path, seed: int, make_disk: Callable[[Path], LossyDisk]) -> bool:
    """Cut a store some times; tell whether that did harm."""
    machine = Machine(directory, Random(seed), make_disk=make_disk)  # noqa: S311  # a chance
    try:
        for _ in range(CUTS):
            machine.live(10_000)
            machine.cut()
            machine.check()
    except Exception as error:  # noqa: BLE001  # bytes that make no sense raise anything
        sys.stderr.write(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}\n")
        return True
    finally:
        machine.disk.release()
    return False


def main(control: str, directory: Path) -> int:
    """Try seed after seed."""
    checkpoint.CHECKPOINT_SECONDS = 0.02  # type: ignore[misc]  # due all the time
    checkpoint.CHECKPOINT_JOURNAL_BYTES = 200 * KIB  # type: ignore[misc]
    make_disk: Callable[[Path], LossyDisk] = LossyDisk
    if control == "pins":
        checkpoint.Pins = NoPins  # type: ignore[misc]
    else:
        make_disk = partial(claiming, CLAIMS[control])
    is_broken = any(breaks(directory / f"{seed}", seed, make_disk) for seed in range(SEEDS))
    return BROKE if is_broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
