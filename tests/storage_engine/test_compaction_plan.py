"""The choice of volumes: cheapest gains first, and an end to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage_engine.compaction_plan import DEAD, SMALL, VolumeRoom, choose
from storage_engine.limits import COMPACTION_GAIN_BYTES_MIN, VOLUME_BYTES_MAX
from tests.storage_engine.engine_steps import KIB, MIB

GIB = 1024 * MIB


def chosen(volumes: list[VolumeRoom], threshold: float = 0.3) -> list[tuple[int, str]]:
    """Choose, and tell the ids and reasons."""
    return [(plan.id, plan.reason) for plan in choose(volumes, threshold, VOLUME_BYTES_MAX)]


def test_the_cheapest_gain_comes_first() -> None:
    """Volumes are in order of bytes copied for each byte gained; those without life lead."""
    volumes = [
        VolumeRoom(1, GIB, 600 * MIB),
        VolumeRoom(2, GIB, 100 * MIB),
        VolumeRoom(3, GIB, 900 * MIB),
        VolumeRoom(4, GIB, 0),
        VolumeRoom(5, GIB, 100 * MIB),
    ]
    assert chosen(volumes) == [(4, DEAD), (2, DEAD), (5, DEAD), (1, DEAD)]
    assert chosen(volumes, 0.1)[-1] == (3, DEAD)


def test_a_gain_must_be_worth_it() -> None:
    """A volume with hardly any dead bytes is left alone, whatever share of it they are."""
    little = COMPACTION_GAIN_BYTES_MIN - 1
    assert chosen([VolumeRoom(1, 2 * little, little)]) == []
    assert chosen([VolumeRoom(1, 2 * little + 2, little + 1)]) == [(1, DEAD)]


def test_damaged_blobs_are_no_reason() -> None:
    """A volume in which nothing but damaged blobs is left is not rewritten for ever."""
    assert chosen([VolumeRoom(1, GIB, 5000, damaged=5000)]) == []
    (plan,) = choose([VolumeRoom(1, GIB, 5 * MIB, damaged=2 * MIB)], 0.3, VOLUME_BYTES_MAX)
    assert (plan.moved_bytes, plan.gained_bytes) == (3 * MIB, GIB - 5 * MIB)


def test_small_volumes_are_merged_when_they_are_several() -> None:
    """Equals become one; a large one does not join a few small ones, nor is one alone copied."""
    small = [VolumeRoom(n, 20 * KIB, 10 * KIB) for n in range(1, 6)]
    assert chosen(small) == [(n, SMALL) for n in range(1, 6)]
    assert chosen(small[:1]) == []
    assert chosen([*small, VolumeRoom(9, 400 * MIB, 400 * MIB)]) == chosen(small)
    assert chosen([small[0], VolumeRoom(9, 400 * MIB, 400 * MIB)]) == []
    pair = [VolumeRoom(8, 300 * MIB, 300 * MIB), VolumeRoom(9, 300 * MIB, 300 * MIB)]
    assert chosen([small[0], *pair]) == [(8, SMALL), (9, SMALL)]
    assert chosen([VolumeRoom(n, 700 * MIB, 700 * MIB) for n in (1, 2)]) == []


@given(st.lists(st.integers(1, GIB), max_size=40))
def test_merging_comes_to_an_end_with_few_volumes(sizes: list[int]) -> None:
    """Merged again and again, small volumes become so few that each is larger than those before."""
    volumes = dict(enumerate(sizes, 1))
    copied = 0
    for _ in range(100):
        plans = choose([VolumeRoom(n, size, size) for n, size in volumes.items()], 0.3, GIB)
        if not plans:
            break
        assert len(plans) > 1
        copied += sum(plan.moved_bytes for plan in plans)
        left = sum(volumes.pop(plan.id) for plan in plans)
        while left:  # into volumes that are filled one after the other
            volumes[max(volumes, default=0) + 1000] = min(left, GIB)
            left -= min(left, GIB)
    else:
        raise AssertionError("it goes on for ever")
    small = [size for size in volumes.values() if size < GIB // 2]
    assert len(small) <= 11, "one below 1 MiB, and ten doublings"
    assert copied <= 12 * sum(sizes)
