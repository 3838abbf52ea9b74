"""What is measured: every kind of work the benchmark puts on a server, by group.

Knows nothing of who is measured nor how. A `Work` is one row of the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from load import Alike, Payload

if TYPE_CHECKING:
    from collections.abc import Sequence

KIB, MIB, GIB = 2**10, 2**20, 2**30
SIZES = (KIB, 4 * KIB, 64 * KIB, MIB)
CONNECTIONS = (1, 16, 32, 64)
USUAL_CONNECTIONS = 32
TINY_BYTES = 100
PART_BYTES = 8 * MIB
LIST_ROWS = 1000


class Operation(StrEnum):
    """Kinds of work."""

    PUT = "PUT"
    GET = "GET"
    HEAD = "HEAD"
    DELETE = "DELETE"
    LIST = "LIST"
    FOLDERS = "LIST /"  # by a delimiter
    MIXED = "MIXED"
    MULTIPART = "MULTIPART"
    STREAM_PUT = "PUT 1 stream"
    STREAM_GET = "GET 1 stream"


WRITING = {Operation.PUT, Operation.DELETE, Operation.MIXED}


class Group(StrEnum):
    """Which part of the benchmark a work belongs to; `--only` chooses among them."""

    SMALL = "small"
    LARGE = "large"
    LISTS = "lists"
    MIXED = "mixed"
    ALIKE = "alike"
    PAYLOADS = "payloads"
    FELT = "felt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of work."""

    group: Group
    operation: Operation
    size: int = 0
    connections: int = 1
    payload: Payload = Payload.UNSIGNED
    alike: Alike = Alike.NEVER

    @property
    def name(self) -> str:
        """Name the work in one column of the table."""
        extras = [
            *([self.payload.value] if self.group is Group.PAYLOADS else []),
            *([f"alike: {self.alike.value}"] if self.group is Group.ALIKE else []),
        ]
        return " ".join([self.operation.value, *([human(self.size)] if self.size else []), *extras])

    @property
    def moves_bytes(self) -> bool:
        """Tell whether bytes a second mean something."""
        return self.size >= MIB and self.operation not in {Operation.DELETE, Operation.HEAD}


def human(size: int) -> str:
    """Write a size in the largest unit that divides it."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def works(groups: Sequence[Group], sizes: Sequence[int], connections: Sequence[int]) -> list[Work]:
    """List the works of some groups, in the order in which they are measured."""
    makers = {
        Group.SMALL: lambda: _small(sizes, connections),
        Group.LARGE: _large,
        Group.LISTS: _lists,
        Group.MIXED: lambda: _mixed(connections),
        Group.ALIKE: lambda: _alike(max(connections)),
        Group.PAYLOADS: lambda: _payloads(sizes, max(connections)),
    }
    return [work for group in groups if group in makers for work in makers[group]()]


def shared_cores(
    groups: Sequence[str], sizes: Sequence[int], connections: Sequence[int]
) -> list[Work]:
    """List the works that are measured once more where servers and clients share all cores."""
    usual = usual_connections(connections)
    found = [
        work for work in _small(sizes, [usual]) if work.operation in {Operation.PUT, Operation.GET}
    ]
    if 1 in connections:
        lone = Work(group=Group.SMALL, operation=Operation.PUT, size=min(sizes), connections=1)
        found.insert(0, lone)
    return found + (_large() if Group.LARGE in groups else [])


def usual_connections(counts: Sequence[int]) -> int:
    """Choose over how many connections works are compared."""
    return USUAL_CONNECTIONS if USUAL_CONNECTIONS in counts else max(counts, default=1)


def _small(sizes: Sequence[int], connections: Sequence[int]) -> list[Work]:
    """PUT, GET and HEAD of each size at each number of connections; DELETE does not read any."""
    found = []
    for size in sizes:
        for operation in (Operation.PUT, Operation.GET):
            found += [
                Work(group=Group.SMALL, operation=operation, size=size, connections=count)
                for count in connections
            ]
    for operation in (Operation.HEAD, Operation.DELETE):
        found += [
            Work(group=Group.SMALL, operation=operation, size=min(sizes), connections=count)
            for count in connections
        ]
    return found


def _large() -> list[Work]:
    return [
        Work(group=Group.LARGE, operation=Operation.MULTIPART, size=64 * MIB, connections=4),
        Work(group=Group.LARGE, operation=Operation.STREAM_PUT, size=GIB),
        Work(group=Group.LARGE, operation=Operation.STREAM_GET, size=GIB),
    ]


def _lists() -> list[Work]:
    return [
        Work(group=Group.LISTS, operation=operation, connections=count)
        for operation in (Operation.LIST, Operation.FOLDERS)
        for count in (1, 8)
    ]


def _mixed(connections: Sequence[int]) -> list[Work]:
    return [
        Work(group=Group.MIXED, operation=Operation.MIXED, size=4 * KIB, connections=count)
        for count in connections
        if count > 1 or len(connections) == 1
    ]


def _alike(connections: int) -> list[Work]:
    """Bodies that come again, and objects so small that they lie in the index."""
    size = 16 * KIB
    found = [
        Work(
            group=Group.ALIKE,
            operation=Operation.PUT,
            size=size,
            connections=connections,
            alike=alike,
        )
        for alike in Alike
    ]
    tiny = [
        Work(group=Group.ALIKE, operation=operation, size=TINY_BYTES, connections=connections)
        for operation in (Operation.PUT, Operation.GET)
    ]
    return found + tiny


def _payloads(sizes: Sequence[int], connections: int) -> list[Work]:
    """The ways in which clients vouch for a body."""
    return [
        Work(
            group=Group.PAYLOADS,
            operation=Operation.PUT,
            size=size,
            connections=connections,
            payload=payload,
        )
        for size in (min(sizes), max(sizes))
        for payload in Payload
    ]
