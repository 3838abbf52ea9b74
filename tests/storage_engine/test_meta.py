"""Generations: one integer tells every process whether anything changed."""

from __future__ import annotations

import sys
from subprocess import run
from typing import TYPE_CHECKING

from tests.storage_engine.engine_steps import small_store

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

BUMP = """
import sys
from pathlib import Path
from storage_engine import open_engine
with open_engine(Path(sys.argv[1])) as engine:
    engine.bump_generation("iam")
"""


def test_a_bump_moves_its_topic_and_the_total(engine: StorageEngine) -> None:
    """Each topic counts for itself, and the total counts them all."""
    assert (engine.generation(), engine.generations()) == (0, {})
    assert [engine.bump_generation(topic) for topic in ("iam", "buckets", "iam")] == [1, 2, 3]
    assert engine.generation() == 3
    assert engine.generations() == {"buckets": 1, "iam": 2}


def test_a_bump_is_seen_by_everybody_and_kept(tmp_path: Path) -> None:
    """A change made in another process shows at once, and after a restart."""
    with small_store(tmp_path / "store") as engine:
        engine.bump_generation("iam")
        run([sys.executable, "-c", BUMP, str(tmp_path / "store")], check=True)
        assert engine.generation() == 2
    with small_store(tmp_path / "store") as engine:
        assert engine.generations() == {"iam": 2}
