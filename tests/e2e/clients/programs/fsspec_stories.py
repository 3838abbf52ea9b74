"""What s3fs, the S3 file system of fsspec, does with a bucket as if it were a folder."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from s3fs import S3FileSystem

MIB = 1024 * 1024
LARGE = hashlib.shake_128(b"s3fs").digest(22 * MIB)
HARD_NAME = "a folder/\u00fcml\u00e4ut + 100%.txt"


def files(**options: object) -> S3FileSystem:
    """Open the file system; it must not answer from what it remembers."""
    return S3FileSystem(
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        client_kwargs={"region_name": os.environ["AWS_REGION"]},
        use_listings_cache=False,
        skip_instance_cache=True,
        **options,
    )


def reading_and_writing(bucket: str) -> None:
    """Files are written in blocks, read by seeking, and appended to."""
    fs = files()
    with fs.open(f"{bucket}/large", "wb", block_size=5 * MIB) as file:
        for start in range(0, len(LARGE), 3 * MIB):
            file.write(LARGE[start : start + 3 * MIB])
    with fs.open(f"{bucket}/large", "rb", block_size=MIB) as file:
        file.seek(9 * MIB)
        assert file.read(100) == LARGE[9 * MIB : 9 * MIB + 100]
        file.seek(-10, os.SEEK_END)
        assert file.read() == LARGE[-10:]
    with fs.open(f"{bucket}/large", "ab") as file:
        file.write(b"appended")
    assert fs.cat(f"{bucket}/large") == LARGE + b"appended"
    with fs.open(f"{bucket}/{HARD_NAME}", "w", encoding="utf-8") as file:
        file.write("text \u00fc")
    assert fs.cat(f"{bucket}/{HARD_NAME}").decode() == "text \u00fc"
    assert fs.cat_ranges([f"{bucket}/large"] * 2, [0, 5], [3, 9]) == [LARGE[:3], LARGE[5:9]]


def walking(bucket: str) -> None:
    """Folders that are only prefixes are listed, found, globbed, walked and measured."""
    fs = files()
    names = [f"d{number}/e/{letter}.txt" for number in range(3) for letter in "ab"]
    fs.pipe({f"{bucket}/{name}": name.encode() for name in [*names, HARD_NAME]})
    assert sorted(fs.ls(bucket)) == [f"{bucket}/{name}" for name in ("a folder", "d0", "d1", "d2")]
    assert fs.find(f"{bucket}/d1") == [f"{bucket}/d1/e/a.txt", f"{bucket}/d1/e/b.txt"]
    assert len(fs.glob(f"{bucket}/d*/**/a.txt")) == 3
    assert sum(len(found) for _, _, found in fs.walk(bucket)) == 7
    assert fs.du(f"{bucket}/d0") == 2 * len(names[0])
    assert fs.isdir(f"{bucket}/d0/e")
    assert fs.isfile(f"{bucket}/{HARD_NAME}")
    assert not fs.exists(f"{bucket}/d0/none")
    assert fs.info(f"{bucket}/{HARD_NAME}")["size"] == len(HARD_NAME.encode())


def moving(bucket: str) -> None:
    """Trees are put, copied, moved, got back and removed."""
    fs = files()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        for name in ("one", "sub/two", HARD_NAME, "large"):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(LARGE if name == "large" else name.encode())
        fs.put(f"{source}/", f"{bucket}/up/", recursive=True)
        fs.copy(f"{bucket}/up/", f"{bucket}/copied/", recursive=True)
        fs.rm(f"{bucket}/up/", recursive=True)
        assert fs.find(f"{bucket}/up") == []
        fs.mv(f"{bucket}/copied/large", f"{bucket}/moved")
        fs.mv(f"{bucket}/moved", f"{bucket}/copied/large")
        back = Path(folder, "back")
        fs.get(f"{bucket}/copied/", f"{back}/", recursive=True)
        for path in source.rglob("*"):
            if path.is_file():
                assert (back / path.relative_to(source)).read_bytes() == path.read_bytes()
    fs.rm(fs.find(bucket))
    assert fs.find(bucket) == []


def metadata(bucket: str) -> None:
    """Metadata is set and changed in place, and a signed link is read by anyone."""
    fs = files(config_kwargs={"signature_version": "s3v4"})
    path = f"{bucket}/{HARD_NAME}"
    with fs.open(path, "wb", ContentType="text/x-test") as file:
        file.write(b"body")
    assert fs.info(path)["ContentType"] == "text/x-test"
    fs.setxattr(path, colour="blue")
    assert fs.getxattr(path, "colour") == "blue"
    with urllib.request.urlopen(fs.sign(path, expiration=60)) as reply:  # noqa: S310
        assert reply.read() == b"body"


def archives(bucket: str) -> None:
    """A zip archive is written into the bucket, and one member is read from it by ranges."""
    fs = files()
    with fs.open(f"{bucket}/archive.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("member", LARGE[:MIB])
        archive.writestr("other", LARGE)
    with (
        fs.open(f"{bucket}/archive.zip", "rb") as file,
        zipfile.ZipFile(io.BufferedReader(file)) as archive,
    ):
        assert archive.read("member") == LARGE[:MIB]


def exclusive(bucket: str) -> None:
    """A file opened to be created is created once."""
    fs = files()
    for attempt in range(2):
        try:
            with fs.open(f"{bucket}/lock", "xb") as file:
                file.write(b"%d" % attempt)
        except FileExistsError:
            assert attempt == 1
    assert fs.cat(f"{bucket}/lock") == b"0"


def versions(bucket: str) -> None:
    """A file system that knows versions lists them, and reads an old one."""
    fs = files(version_aware=True)
    fs.call_s3(
        "put_bucket_versioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    path = f"{bucket}/{HARD_NAME}"
    fs.pipe(path, b"old")
    fs.pipe(path, b"new")
    found = [row["VersionId"] for row in fs.object_version_info(path)]
    assert len(found) == 2
    with fs.open(path, version_id=found[-1]) as file:
        assert file.read() == b"old"


def tags(bucket: str) -> None:
    """Tags are put, merged and read."""
    fs = files()
    path = f"{bucket}/{HARD_NAME}"
    fs.pipe(path, b"")
    fs.put_tags(path, {"colour": "blue"})
    fs.put_tags(path, {"shape": "round"}, mode="m")
    assert fs.get_tags(path) == {"colour": "blue", "shape": "round"}
