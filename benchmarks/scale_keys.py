"""The keys of the scale run: every one follows from its number, so none need be remembered.

Ten shapes take turns, from flat to six directories deep; two of them are prefixes that hold a
tenth of all objects each. Knows nothing of the store.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SHAPES = 10
FLAT_PREFIX = "million/"  # with ten million objects it holds a million keys and no directory
DEEP_PREFIX = "million-deep/"  # the same number of keys, in many directories
DEEP_DIRECTORIES = 2000
ALBUMS = 4096
DAYS = 1000
LAST_PAGES = 100


def digits(number: int) -> str:
    """Name a number in a way that has no order, as hashes and random ids have none."""
    return hashlib.blake2b(b"%d" % number, digest_size=12).hexdigest()


def key_of(number: int, total: int) -> str:
    """Return the key of object `number` of `total`; larger numbers have keys too."""
    turn, place = divmod(number, SHAPES)
    if place == 0:
        return f"{FLAT_PREFIX}{turn:012d}"
    if place == 1:
        return f"{DEEP_PREFIX}{turn % DEEP_DIRECTORIES:05d}/{turn:012d}.json"
    name = digits(number)
    if place <= 3:
        return name
    if place <= 5:
        return f"album-{int(name[:8], 16) % ALBUMS:04d}/photo-{turn:09d}-{place}.jpg"
    if place <= 7:
        day = turn * DAYS // max(total // SHAPES, 1)
        month, day_of_month = day // 31 % 12 + 1, day % 31 + 1
        year = f"year-{day // (12 * 31):04d}"
        return f"{year}/{month:02d}/{day_of_month:02d}/{turn:010d}-{place}.log"
    return f"zone/{name[0]}/{name[1]}/{name[2]}/a/b/{name[3:]}"


def new_key(number: int) -> str:
    """Return a key in no order, at the root, that no object of the load has."""
    return f"n{digits(number)}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where pages are listed: either one after the other from `first` on, or each anywhere."""

    name: str
    prefix: str = ""
    delimiter: str = ""
    first: str = ""
    anywhere: Callable[[Random], str] | None = None


def places(total: int) -> list[Place]:
    """List where a listing's pages are measured."""

    def among(*shapes: int) -> Callable[[Random], str]:
        turns = max(total // SHAPES, 1)
        return lambda random: key_of(
            random.randrange(turns) * SHAPES + random.choice(shapes), total
        )

    ahead = max(total // SHAPES - LAST_PAGES * 1000, 0)
    near_the_end = key_of(ahead * SHAPES, total)
    return [
        Place("bucket, from its start"),
        Place("bucket, anywhere", anywhere=among(*range(SHAPES))),
        Place("bucket, its last pages", first="zone/f/8"),
        Place("root by /, from its start", delimiter="/"),
        Place("root by /, anywhere", delimiter="/", anywhere=among(2, 3, 4, 5)),
        Place("million flat, from its start", FLAT_PREFIX),
        Place("million flat, anywhere", FLAT_PREFIX, anywhere=among(0)),
        Place("million flat, its last pages", FLAT_PREFIX, first=near_the_end),
        Place("million flat by /, anywhere", FLAT_PREFIX, "/", anywhere=among(0)),
        Place("million deep, anywhere", DEEP_PREFIX, anywhere=among(1)),
        Place("million deep by /", DEEP_PREFIX, "/"),
        Place("three deep, anywhere", anywhere=among(6, 7)),
        Place("six deep, anywhere", "zone/", anywhere=among(8, 9)),
    ]
