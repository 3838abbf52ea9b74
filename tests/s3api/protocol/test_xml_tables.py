"""Tables against the writer of single rows, which is the judge: byte for byte the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.protocol import OPERATIONS, Table
from s3api.protocol.xml_text import escape, escape_all

# What is escaped, what is not printable, what columns are joined with, and what nobody can encode.
texts = st.text(st.sampled_from('ab|&<>" \t\n\r\x01\x7f\ufffe\ud800\xa0\u3000é😀'), max_size=6)
owners = st.sampled_from([{"ID": "i"}, {"DisplayName": "<n>", "ID": "j"}])
columns = {
    "Key": texts,
    "LastModified": st.one_of(st.integers(0, 2**40), st.integers(0, 3000)),
    "ETag": st.sampled_from(["e", "|", '"']),
    "Size": st.integers(0, 2**42),
    "StorageClass": st.sampled_from(["STANDARD", "&"]),
    "ChecksumAlgorithm": st.none() | st.sampled_from([(), ("CRC32",), ("SHA1", "MD5")]),
    "ChecksumType": st.none() | st.sampled_from(["FULL_OBJECT", ""]),
    "Owner": st.none() | owners,
}
named = {"VersionId": texts, "IsLatest": st.booleans()}
parts = {
    "PartNumber": st.integers(1, 10_000),
    **{name: columns[name] for name in ("LastModified", "ETag", "Size")},
    "ChecksumSHA256": st.none() | texts,
}
RARE = ["ChecksumAlgorithm", "ChecksumType", "ChecksumSHA256", "Owner"]
OF_MARKERS = ["Key", "VersionId", "IsLatest", "LastModified", "Owner"]


@st.composite
def tables(draw: st.DrawFn, columns: dict[str, st.SearchStrategy[Any]]) -> Table:
    """Draw a table; columns that not every listing has may be missing."""
    count = draw(st.integers(0, 6))
    chosen = [name for name in columns if name not in RARE or draw(st.booleans())]
    column = {name: st.lists(columns[name], min_size=count, max_size=count) for name in chosen}
    return Table({name: draw(column[name]) for name in chosen})


@pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2"])
@given(table=tables(columns))
def test_a_table_is_what_its_rows_are(operation: str, table: Table) -> None:
    """Any page of objects, written column by column, is that written row by row."""
    render = OPERATIONS[operation].render
    assert render({"Contents": table}) == render({"Contents": list(table)})


@given(tables(columns | named), st.data())
def test_versions_and_markers_are_what_their_rows_are(table: Table, data: st.DataObject) -> None:
    """So is any page of versions with delete markers among them, each with what it has."""
    count = len(table)
    guests = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    rows = [
        {"DeleteMarkers": {name: row[name] for name in OF_MARKERS if name in row}}
        if is_marker
        else row
        for is_marker, row in zip(guests, table, strict=True)
    ]
    render = OPERATIONS["ListObjectVersions"].render
    assert render({"Versions": Table(table.columns, guests)}) == render({"Versions": rows})


@given(st.lists(texts, max_size=4))
def test_common_prefixes_are_what_their_rows_are(prefixes: list[str]) -> None:
    """And so are common prefixes, and a table of none at all."""
    table, render = Table({"Prefix": prefixes}), OPERATIONS["ListObjectsV2"].render
    assert len(table) == len(prefixes)
    assert render({"CommonPrefixes": table}) == render({"CommonPrefixes": list(table)})


@given(tables(parts))
def test_parts_are_what_their_rows_are(table: Table) -> None:
    """And parts of an upload, with checksums that some of them lack."""
    render = OPERATIONS["ListParts"].render
    assert render({"Parts": table}) == render({"Parts": list(table)})


@given(st.lists(texts, max_size=4))
def test_texts_are_escaped_together_as_alone(many: list[str]) -> None:
    """What many are joined with may be in any of them."""
    assert escape_all(many) == list(map(escape, many))


def test_a_table_lacks_nothing_that_every_row_has() -> None:
    """A column left out by mistake fails at once, rather than to write rows without it."""
    with pytest.raises(AssertionError, match="Key"):
        OPERATIONS["ListObjects"].render({"Contents": Table({"Size": [1]})})
