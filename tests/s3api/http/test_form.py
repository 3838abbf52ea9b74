"""Reading browser forms: fields by name, the file as a stream, and the same for every cut."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.form import FIELDS_BYTES_MAX, read_form
from tests.s3api.http.requests import make_request

if TYPE_CHECKING:
    from collections.abc import Iterable

BOUNDARY = "----WebKitFormBoundaryzuW5nPZQFQCwQtg4"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, value: bytes | str, *, file_name: str | None = None) -> bytes:
    """Write one part as browsers do."""
    said = "" if file_name is None else f'; filename="{file_name}"'
    data = value.encode() if isinstance(value, str) else value
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{said}\r\n\r\n'
    return head.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def _read(
    pieces: Iterable[bytes], size: int, content_type: str, limits: tuple[int, int] | None
) -> tuple[dict[str, str], bytes]:
    headers = {"content-type": content_type, "content-length": str(size)}
    form = await read_form(make_request("POST", b"/b", b"", headers, pieces))
    if limits is not None:
        form.file.limit(*limits)
    data = b""
    while piece := await form.file.read():
        data += piece
    assert len(data) <= form.file.length
    return form.fields, data


def read(
    body: bytes,
    *,
    pieces: Iterable[bytes] | None = None,
    content_type: str = TYPE,
    limits: tuple[int, int] | None = None,
) -> tuple[dict[str, str], bytes]:
    """Read a form whole: its fields, and the bytes of its file."""
    return asyncio.run(_read(pieces or [body], len(body), content_type, limits))


def outcome(body: bytes, pieces: list[bytes], limits: tuple[int, int] | None = None) -> Any:
    """Answer what reading a form ends in, as a value."""
    try:
        return read(body, pieces=pieces, limits=limits)
    except S3Error as refusal:
        return refusal.code, refusal.message, refusal.detail


def refusal(body: bytes, **options: Any) -> S3Error:
    """Answer the refusal of a form that must not pass."""
    with pytest.raises(S3Error) as caught:
        read(body, **options)
    return caught.value


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut a body at some places."""
    ends = sorted({place % (len(body) + 1) for place in places} | {len(body)})
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def test_fields_and_file_are_read() -> None:
    """Fields are known by lower-case name, and what follows the file is not looked at."""
    body = (
        part("Key", "a/ü.txt")
        + part("x-amz-meta-Tag", "one")
        + part("x-amz-meta-tag", "two")
        + part("file", b"con\r\n--tent\r\n", file_name="a.txt")
        + part("submit", "Upload")
        + part("acl", "public-read")
        + END
    )
    assert read(body) == ({"key": "a/ü.txt", "x-amz-meta-tag": "one,two"}, b"con\r\n--tent\r\n")


def test_a_field_that_looks_like_a_file_is_a_field() -> None:
    """Clients that send a file name with every part are understood: names decide."""
    body = part("key", "k", file_name="key") + part("file", "x", file_name="file") + END
    assert read(body) == ({"key": "k"}, b"x")
    assert read(part("key", "k") + part("FILE", "x") + END) == ({"key": "k"}, b"x")


@pytest.mark.parametrize(
    ("file_name", "key"),
    [
        ("photo.jpg", "in/photo.jpg"),
        (r"C:\Program Files\directory1\photo.jpg", "in/photo.jpg"),
        ("home/me/photo.jpg", "in/photo.jpg"),
        (r"quo\"te.jpg", 'in/quo"te.jpg'),
        ("ü.jpg", "in/ü.jpg"),
        ("", "in/"),
        (None, "in/${filename}"),
    ],
)
def test_the_file_name_is_filled_in(file_name: str | None, key: str) -> None:
    """`${filename}` becomes the name without directories; without a name it stays as it is."""
    body = part("key", "in/${filename}") + part("policy", "${filename}")
    fields, _ = read(body + part("file", "x", file_name=file_name) + END)
    assert fields == {"key": key, "policy": "${filename}"}


def test_a_file_name_that_is_asked_for_too_often_is_refused() -> None:
    """What the file's name is filled into may not grow beyond the bound of a form."""
    most = (FIELDS_BYTES_MAX - 1000) // 1000
    for count, is_refused in ((most, False), (800, True)):
        body = part("a", "${filename}" * count) + part("file", "", file_name="n" * 900) + END
        if not is_refused:
            fields, _ = read(body)
            assert fields["a"] == "n" * 900 * count
            continue
        with pytest.raises(S3Error) as refused:
            read(body)
        assert refused.value.code == "MaxPostPreDataLengthExceeded"


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"Multipart/Form-Data;boundary={BOUNDARY}",
        f"multipart/form-data; charset=utf-8; Boundary={BOUNDARY}",
        f"multipart/form-data; boundary={BOUNDARY}; charset=utf-8",
    ],
)
def test_the_boundary_is_found(content_type: str) -> None:
    """However the content type is written."""
    assert read(part("file", "x") + END, content_type=content_type) == ({}, b"x")


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        f"multipart/form-data; boundary={'b' * 71}",
        "multipart/form-data; boundary=b\xfc",
        "multipart/form-data; boundaryless=x",
    ],
)
def test_a_form_needs_a_boundary(content_type: str) -> None:
    """Without one that RFC 2046 allows, the body is no form."""
    assert (
        refusal(part("file", "x") + END, content_type=content_type).code == "MalformedPOSTRequest"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"key=k&file=x",
        b"preamble\r\n" + part("file", "x") + END,
        b"x" * (2 * FIELDS_BYTES_MAX),
        part("file", "x"),
        part("key", "k"),
        part("key", "k")[:-30],
        part("file", "x")[:20],
        part("key", "k") + f"--{BOUNDARY}".encode(),
        part("file", "x") + f"--{BOUNDARY}xx".encode(),
        part("key", "k")[:-2] + f"\r\n--{BOUNDARY}xx\r\n".encode() + part("file", "x") + END,
        f"--{BOUNDARY}\r\n\r\nno headers\r\n".encode() + part("file", "x") + END,
        f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode() + END,
        f'--{BOUNDARY}\r\nContent-Disposition: file; name="file"\r\n\r\nx\r\n'.encode() + END,
        part("key", b"\xff") + part("file", "x") + END,
        part("file", "x").replace(b"file", b"\xff") + END,
    ],
)
def test_a_form_that_is_none_is_malformed(body: bytes) -> None:
    """Whatever is not multipart/form-data, or ends too soon, is refused as S3 does."""
    assert refusal(body).code == "MalformedPOSTRequest"


def test_a_form_without_a_file_is_refused() -> None:
    """A form that ends properly and has no file is told so."""
    for body in (part("key", "k") + END, END):
        refused = refusal(body)
        assert (refused.code, refused.detail) == (
            "InvalidArgument",
            {"ArgumentName": "file", "ArgumentValue": "0"},
        )


def test_a_form_needs_a_length() -> None:
    """A body in HTTP chunks is refused, as for PutObject."""
    request = make_request("POST", b"/b", b"", {"content-type": TYPE}, [END])
    with pytest.raises(S3Error) as caught:
        asyncio.run(read_form(request))
    assert caught.value.code == "MissingContentLength"


def test_a_file_may_be_cut_anywhere() -> None:
    """A file larger than what is read at once comes whole, also where its end comes in pieces."""
    data = b"data\r\n--" * 10_000
    body = part("key", "k") + part("file", data) + END
    end = len(body) - len(END)
    for first in range(end - 4, len(body)):
        assert read(body, pieces=cut(body, [30_000, first])) == ({"key": "k"}, data)


@pytest.mark.parametrize("excess", [0, 1])
def test_what_stands_before_the_file_is_bounded(excess: int) -> None:
    """20,480 bytes may come before the file's own, and not one more."""
    empty = part("x-ignore-pad", "") + part("file", "")[:-2]
    pad = "p" * (FIELDS_BYTES_MAX - len(empty) + excess)
    data = b"d" * 100_000
    body = part("x-ignore-pad", pad) + part("file", data) + END
    if not excess:
        assert read(body) == ({"x-ignore-pad": pad}, data)
        return
    refused = refusal(body)
    assert refused.code == "MaxPostPreDataLengthExceeded"
    assert refused.detail == {"MaxPostPreDataLengthBytes": "20480"}


@pytest.mark.parametrize(
    ("size", "code", "detail"),
    [
        (4, "EntityTooSmall", {"ProposedSize": "4", "MinSizeAllowed": "5"}),
        (5, None, None),
        (10, None, None),
        (11, "EntityTooLarge", {"ProposedSize": "11", "MaxSizeAllowed": "10"}),
        (50_000, "EntityTooLarge", {"ProposedSize": "50000", "MaxSizeAllowed": "10"}),
    ],
)
def test_a_file_has_bounds(size: int, code: str | None, detail: dict[str, str] | None) -> None:
    """Both are inclusive, and a refusal says how large the file was."""
    body = part("file", b"x" * size) + END
    if code is None:
        assert read(body, limits=(5, 10)) == ({}, b"x" * size)
        return
    refused = refusal(body, limits=(5, 10))
    assert (refused.code, refused.detail) == (code, detail)


NAMES = st.sampled_from(["key", "policy", "file", "File", "x-amz-meta-a", "submit", 'q"', ""])
VALUES = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([b"", b"\r\n", b"\r\n--", f"\r\n--{BOUNDARY[:-1]}".encode(), END, b"\r" * 40]),
    st.binary(min_size=1, max_size=3).map(lambda data: data * 7_000),
    st.binary(min_size=1, max_size=3).map(lambda data: data * 30_000),
)
PARTS = st.builds(
    part, NAMES, VALUES, file_name=st.one_of(st.none(), st.text(max_size=5), st.just("a\\b"))
)
JUNK = st.sampled_from(
    [b"", b"\r\n", b"--", END, END[:-4], b"\r\nX: y\r\n\r\n", f"--{BOUNDARY}\r\n".encode(), b"\xff"]
)
BODIES = st.lists(st.one_of(PARTS, PARTS, PARTS, JUNK), max_size=5).map(b"".join)


@given(BODIES, BODIES, st.lists(st.integers(0, 100_000), max_size=12), st.booleans())
def test_every_cut_of_a_body_reads_the_same(
    head: bytes, tail: bytes, places: list[int], bounded: bool
) -> None:
    """Any bytes end in fields and a file or in an S3Error, whatever pieces they come in."""
    body = head + tail + END
    limits = (2, 30) if bounded else None
    whole = outcome(body, [body], limits)
    assert outcome(body, cut(body, places), limits) == whole
    few = body[:400]
    assert outcome(few, [few[at : at + 1] for at in range(len(few))]) == outcome(few, [few])
