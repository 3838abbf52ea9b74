"""Writes the rows of listings column by column.

A thousand rows are a dozen columns, and what is done to a whole column costs a tenth of what it
costs done to a thousand values: a row takes 0.5 us so, and 3 us when it is written by itself. What
is written is what the writer of single rows (`xml_writer`) writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from s3api.protocol import quirks
from s3api.protocol.timestamps import SECOND_MS, iso_date
from s3api.protocol.xml_text import escape, escape_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from s3api.protocol.model import Member, Shape

    Write = Callable[[Any], str]
    Texts = list[str] | str  # of every row, or the one that all have
    WriteColumn = Callable[[list[Any]], Texts]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows given as columns by member name, each as long as the table; None is left out.

    Values of lists are tuples, and what always stands in quotation marks (`quirks.QUOTED`) is given
    without. `guests` tells which rows are of the other kind, where there are two
    (`quirks.INTERLEAVED`): of those only the members are written that such rows have.
    """

    columns: dict[str, list[Any]]
    guests: Sequence[bool] = ()

    def __len__(self) -> int:
        """Tell how many rows there are."""
        return len(next(iter(self.columns.values())))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Walk the rows, as the values of members by name."""
        for values in zip(*self.columns.values(), strict=True):
            row = dict(zip(self.columns, values, strict=True))
            yield row | {name: f'"{row[name]}"' for name in quirks.QUOTED & row.keys()}


class TableWriter:
    """Writes tables whose rows are structures of one shape, `tag` being their element."""

    def __init__(self, tag: str, shape: Shape, write_member: Callable[[Member], Write]) -> None:
        self._name = shape.name
        self._required = quirks.ROWS[shape.name]
        self._columns: dict[str, WriteColumn] = {}
        self._layout: list[tuple[str, str, str]] = []  # member, and what stands around its text
        self._start, self._end = f"<{tag}>", f"</{tag}>"
        for member in shape.members:
            name, wire = member.name, member.wire
            if name in self._required:
                quote = escape('"') if name in quirks.QUOTED else ""
                self._columns[name] = _plain(member.shape)
                self._layout.append((name, f"<{wire}>{quote}", f"{quote}</{wire}>"))
            else:
                self._columns[name] = _rare(member.shape, write_member(member))
                self._layout.append((name, "", ""))

    def write(self, table: Table) -> str:
        """Write rows of one kind."""
        return _joined(self._parts(self._texts(table)), len(table)) if len(table) else ""

    def write_with(self, guests: TableWriter, table: Table) -> str:
        """Write rows, some of which another writes."""
        if not any(table.guests):
            return self.write(table)
        texts = self._texts(table)
        kinds = _rows(self._parts(texts)), _rows(guests._parts(texts))
        return "".join([row[is_guest] for is_guest, *row in zip(table.guests, *kinds, strict=True)])

    def _texts(self, table: Table) -> dict[str, Texts]:
        given = table.columns.keys()
        unknown, missing = given - self._columns.keys(), self._required - given
        assert not unknown, f"{self._name} has no {unknown}"
        assert not missing, f"{self._name} needs {missing}"
        return {name: self._columns[name](column) for name, column in table.columns.items()}

    def _parts(self, texts: dict[str, Texts]) -> list[Texts]:
        """Lay the columns side by side: what all rows have, and lists of what each has."""
        parts: list[Texts] = []
        same = self._start
        for name, start, end in self._layout:
            text = texts.get(name, "")
            if isinstance(text, str):
                same += f"{start}{text}{end}"
            else:
                parts += [same + start, text]
                same = end
        return [*parts, same + self._end]


def _joined(parts: list[Texts], count: int) -> str:
    flat = [part if isinstance(part, str) else "" for part in parts] * count
    for place, part in enumerate(parts):
        if not isinstance(part, str):
            flat[place :: len(parts)] = part
    return "".join(flat)


def _rows(parts: list[Texts]) -> Iterator[str]:
    columns = [repeat(part) if isinstance(part, str) else part for part in parts]
    return map("".join, zip(*columns, strict=False))  # a constant has no end


# --- columns ------------------------------------------------------------------------------------


def _plain(shape: Shape) -> WriteColumn:
    """Make the writer of what every row has, without its element."""
    if shape.kind == "timestamp":
        return _times
    if shape.kind in {"integer", "long"}:
        return lambda column: list(map(str, column))
    if shape.kind == "boolean":
        return _once(lambda value: "true" if value else "false")
    return _once(escape) if shape.enum else escape_all


def _rare(shape: Shape, write: Write) -> WriteColumn:
    """Make the writer of what a row may have, and of what few differ in; its element is in it."""
    return _once_each(write) if shape.kind == "structure" else _once(write)


def _times(column: list[int]) -> list[str]:
    """Write times, those of one second once."""
    seconds = [epoch_ms // SECOND_MS for epoch_ms in column]
    known = {second: iso_date(second * SECOND_MS) for second in set(seconds)}
    return list(map(known.__getitem__, seconds))


def _once(write: Write) -> WriteColumn:
    """Write equal values once."""

    def write_column(column: list[Any]) -> Texts:
        known = {value: "" if value is None else write(value) for value in set(column)}
        if len(known) == 1:
            return known.popitem()[1]
        return list(map(known.__getitem__, column))

    return write_column


def _once_each(write: Write) -> WriteColumn:
    """Write the same object once: owners are the same for many rows."""

    def write_column(column: list[Any]) -> Texts:
        places = list(map(id, column))
        known = dict(zip(places, column, strict=True))
        texts = {place: "" if value is None else write(value) for place, value in known.items()}
        if len(texts) == 1:
            return texts.popitem()[1]
        return list(map(texts.__getitem__, places))

    return write_column
