"""What pyarrow does with a bucket: files, folders that are objects, and data sets of parquet."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType, S3FileSystem

MIB = 1024 * 1024
LARGE = hashlib.shake_128(b"pyarrow").digest(22 * MIB)
HARD_NAME = "a folder/\u00fcml\u00e4ut + 100%.txt"
fs = S3FileSystem(
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    endpoint_override=urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc,
    scheme="http",
    region=os.environ["AWS_REGION"],
    allow_bucket_creation=True,
    allow_bucket_deletion=True,
)


def streams(bucket: str) -> None:
    """A large stream is written in parts with metadata, and read whole and by seeking."""
    meta = {"Content-Type": "text/x-test", "colour": "blue"}
    with fs.open_output_stream(f"{bucket}/{HARD_NAME}", metadata=meta) as stream:
        for start in range(0, len(LARGE), MIB):
            stream.write(LARGE[start : start + MIB])
    with fs.open_input_stream(f"{bucket}/{HARD_NAME}") as stream:
        assert stream.metadata()["Content-Type"] == b"text/x-test"
        assert stream.read() == LARGE
    with fs.open_input_file(f"{bucket}/{HARD_NAME}") as file:
        assert file.size() == len(LARGE)
        assert file.read_at(10, 7 * MIB) == LARGE[7 * MIB : 7 * MIB + 10]


def folders(bucket: str) -> None:
    """Folders are made, listed, copied, moved and removed with all that is in them."""
    fs.create_dir(f"{bucket}/made/inside")
    for name in ("made/inside/one", "made/two", "other/three"):
        with fs.open_output_stream(f"{bucket}/{name}") as stream:
            stream.write(name.encode())
    infos = fs.get_file_info(FileSelector(bucket, recursive=True))
    kinds = {info.path.removeprefix(f"{bucket}/"): info.type for info in infos}
    assert kinds["made/inside"] == kinds["made"] == kinds["other"] == FileType.Directory
    assert kinds["made/inside/one"] == kinds["other/three"] == FileType.File
    fs.copy_file(f"{bucket}/made/two", f"{bucket}/made/copy")
    fs.move(f"{bucket}/made/copy", f"{bucket}/other/moved")
    with fs.open_input_stream(f"{bucket}/other/moved") as stream:
        assert stream.read() == b"made/two"
    assert fs.get_file_info(f"{bucket}/made/copy").type == FileType.NotFound
    fs.delete_dir(f"{bucket}/made")
    found = fs.get_file_info(FileSelector(bucket, recursive=True))
    assert {info.path for info in found} == {
        f"{bucket}/{name}" for name in ("other", "other/moved", "other/three")
    }
    fs.delete_dir_contents(bucket)


def datasets(bucket: str) -> None:
    """A partitioned data set is written with odd values, and read with filters as it was."""
    rows = 50_000
    table = pa.table(
        {
            "number": range(rows),
            "kind": [f"kind {number % 5} = 100%" for number in range(rows)],
            "text": [str(number) * 20 for number in range(rows)],
        }
    )
    partitions = ds.partitioning(pa.schema([("kind", pa.string())]), flavor="hive")
    ds.write_dataset(
        table,
        f"{bucket}/set",
        filesystem=fs,
        format="parquet",
        partitioning=partitions,
        max_rows_per_file=4000,
        max_rows_per_group=1000,
    )
    found = ds.dataset(f"{bucket}/set", filesystem=fs, partitioning=partitions)
    assert len(found.files) == 15
    back = found.to_table().select(table.column_names).sort_by("number")
    assert back.equals(table)
    chosen = found.to_table(filter=pc.field("kind") == "kind 3 = 100%", columns=["number"])
    assert chosen["number"].to_pylist() == list(range(3, rows, 5))
    pq.write_table(table, f"{bucket}/one.parquet", filesystem=fs)
    assert pq.read_table(f"{bucket}/one.parquet", filesystem=fs, columns=["text"]).num_rows == rows


def buckets(bucket: str) -> None:
    """Buckets are made and removed as folders at the top."""
    fs.create_dir(f"{bucket}-made")
    assert fs.get_file_info(f"{bucket}-made").type == FileType.Directory
    fs.delete_dir(f"{bucket}-made")
    assert fs.get_file_info(f"{bucket}-made").type == FileType.NotFound
