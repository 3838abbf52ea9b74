"""What deltalake does with a bucket: a table whose log is written by conditional puts alone."""

from __future__ import annotations

import os
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

OPTIONS = {
    "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
    "AWS_ALLOW_HTTP": "true",
    "AWS_CONDITIONAL_PUT": "etag",
}
APPENDS = 12


def rows(writer: int, append: int) -> pa.Table:
    """Make the rows of one commit."""
    return pa.table({"writer": [writer] * 10, "append": [append] * 10, "row": range(10)})


def create(uri: str) -> None:
    """Make an empty table."""
    DeltaTable.create(uri, rows(0, 0).schema, storage_options=OPTIONS)


def append(uri: str, writer: str) -> None:
    """Commit many times to a table that others commit to at the same time."""
    print("ready", flush=True)  # noqa: T201  # who started us waits for all to say so
    sys.stdin.read()
    for number in range(APPENDS):
        write_deltalake(uri, rows(int(writer), number), mode="append", storage_options=OPTIONS)


def judge(uri: str, writers: str) -> None:
    """Insist that each commit of each writer is in the table exactly once."""
    table = DeltaTable(uri, storage_options=OPTIONS)
    assert table.version() == int(writers) * APPENDS
    found = table.to_pyarrow_table().group_by(["writer", "append"]).aggregate([("row", "count")])
    counts = {(row["writer"], row["append"]): row["row_count"] for row in found.to_pylist()}
    assert counts == {
        (writer, number): 10 for writer in range(int(writers)) for number in range(APPENDS)
    }


def life(uri: str) -> None:
    """Overwrite, delete, merge, optimise, vacuum and travel back in time."""
    create(uri)
    for number in range(5):
        write_deltalake(uri, rows(1, number), mode="append", storage_options=OPTIONS)
    table = DeltaTable(uri, storage_options=OPTIONS)
    past = DeltaTable(uri, storage_options=OPTIONS, version=2)
    assert past.to_pyarrow_table().num_rows == 20
    assert table.delete("append = 3")["num_deleted_rows"] == 10
    source = pa.table({"writer": [1, 2], "append": [0, 9], "row": [5, 0]})
    (
        table.merge(
            source, "s.append = t.append and s.row = t.row", source_alias="s", target_alias="t"
        )
        .when_matched_update({"writer": "s.writer + 100"})
        .when_not_matched_insert_all()
        .execute()
    )
    assert table.to_pyarrow_table().num_rows == 41
    assert table.optimize.compact()["numFilesRemoved"] > 1
    removed = table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert removed
    table.create_checkpoint()
    assert DeltaTable(uri, storage_options=OPTIONS).to_pyarrow_table().num_rows == 41
