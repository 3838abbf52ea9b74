"""Browser forms: multipart/form-data, the fields read whole, the file handed on as it arrives.

All that stands before the file has a bound and is taken apart as one block, so that how the network
cut the body can make no difference. Fields are known by their names: some clients send a file name
with every one of them. What follows the file is never looked at. Knows neither policies nor keys.

RFC 7578, RFC 2046 5.1; AWS: REF RESTObjectPOST and sigv4-HTTPPOSTForms in
docs.aws.amazon.com/AmazonS3/latest/developerguide/.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from s3api.errors import S3Error

if TYPE_CHECKING:
    from s3api.http.body import Body
    from s3api.http.request import Request

# HTTPPOSTForms: form data and boundaries, without the contents of the file, cannot exceed 20 KB.
# S3 names the number of bytes when it refuses more (s3_direct_upload issue 45).
FIELDS_BYTES_MAX: Final = 20_480
FILE: Final = "file"
FILE_NAME: Final = "${filename}"
# What is signed, and what it is signed with, means what it says.
VERBATIM: Final = frozenset({"policy", "signature", "x-amz-signature"})
_BOUNDARY: Final = re.compile(
    r'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]*)"|([^\s";,]+))\s*(?:;.*)?',
    re.IGNORECASE,
)
# RFC 2046 5.1.1: 1 to 70 of these, the last of them no space.
_BOUNDARY_FORM: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_PARAMETER: Final = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))\s*')
_LINE_END: Final = b"\r\n"
_LAST: Final = b"--"


class Form:
    """The fields of a form by lower-case name, and its file still to be read."""

    def __init__(self, fields: dict[str, str], file: FormFile) -> None:
        self.fields = fields
        self.file = file


class FormFile:
    """The payload of a form's file, whose length is known only when it has ended.

    `length` is a bound on it. The reader of payloads that `operations.ingest` takes in.
    """

    is_bound: Final = True
    trailers: Final[dict[str, str]] = {}

    def __init__(self, body: Body, buffered: bytes, delimiter: bytes, left: int) -> None:
        """`buffered` and what `body` still holds are `left` bytes, the file and what ends it."""
        self._body = body
        self._buffer = buffered
        self._delimiter = delimiter
        self._received = 0
        self._is_finished = False
        # What nearly every client sends: nothing behind the file but the end of the form.
        self._expected = max(0, left - len(delimiter) - len(_LAST + _LINE_END))
        self._limits = range(left + 1)

    @property
    def length(self) -> int:
        """More bytes than this the file does not have."""
        return self._limits.stop - 1

    def limit(self, least: int, most: int) -> None:
        """Refuse a file of fewer or more bytes than these."""
        self._limits = range(max(self._limits.start, least), min(self._limits.stop, most + 1))

    @property
    def is_ending(self) -> bool:
        """Whether the next `read` tells the end; it is not known before."""
        return self._is_finished

    async def read(self) -> bytes:
        """Return the next bytes, about 1 MiB; b"" at the end of the file.

        Raises ClientDisconnected, and S3Error: EntityTooLarge, EntityTooSmall, MalformedPOSTRequest
        where the form ends before its file does.
        """
        piece = b"" if self._is_finished else await self._next()
        self._received += len(piece)
        if self._received >= self._limits.stop:
            raise S3Error(
                "EntityTooLarge",
                ProposedSize=str(max(self._limits.stop, self._expected)),
                MaxSizeAllowed=str(self.length),
            )
        if self._is_finished and self._received < self._limits.start:
            raise S3Error(
                "EntityTooSmall",
                ProposedSize=str(self._received),
                MinSizeAllowed=str(self._limits.start),
            )
        return piece

    async def _next(self) -> bytes:
        """Return bytes of the file; b"" only at its end."""
        mark = len(self._delimiter)
        while True:
            found = self._buffer.find(self._delimiter)
            safe = found if found >= 0 else len(self._buffer) - mark + 1
            if safe > 0:
                piece, self._buffer = self._buffer[:safe], self._buffer[safe:]
                return piece
            if found == 0 and len(self._buffer) >= mark + len(_LAST):
                if self._buffer[mark : mark + len(_LAST)] not in {_LAST, _LINE_END}:
                    raise S3Error("MalformedPOSTRequest")
                self._is_finished = True
                return b""
            data = await self._body.read()
            if not data:
                raise S3Error("MalformedPOSTRequest")
            self._buffer += data

    def check_sha256(self, actual_hex: str) -> None:
        """Nothing: no form says what its file's SHA-256 is but by a checksum."""


async def read_form(request: Request) -> Form:
    """Read a form up to the beginning of its file.

    Raises ClientDisconnected, and S3Error: MalformedPOSTRequest, MissingContentLength,
    MaxPostPreDataLengthExceeded, InvalidArgument for a form without a file.
    """
    delimiter = _LINE_END + _LAST + _boundary(request.header("content-type") or "")
    length = request.content_length
    if length is None:
        raise S3Error("MissingContentLength")
    body = bytes(await request.body.read(FIELDS_BYTES_MAX))
    block = body[:FIELDS_BYTES_MAX]
    fields, file_name, start = _parse(block, delimiter, is_whole=length <= FIELDS_BYTES_MAX)
    if file_name is not None:
        _insert(fields, file_name)
    return Form(fields, FormFile(request.body, body[start:], delimiter, length - start))


def _boundary(content_type: str) -> bytes:
    match = _BOUNDARY.fullmatch(content_type)
    boundary = (match[1] or match[2] or "") if match else ""
    if _BOUNDARY_FORM.fullmatch(boundary) is None:
        raise S3Error("MalformedPOSTRequest")
    return boundary.encode()


def _parse(
    block: bytes, delimiter: bytes, *, is_whole: bool
) -> tuple[dict[str, str], str | None, int]:
    """Take the fields before the file apart; answer them, the file's name and where it begins."""
    fields: dict[str, str] = {}
    shift = 0 if block.startswith(_LINE_END) else len(_LINE_END)
    data = _LINE_END[:shift] + block  # so that the first delimiter looks like all others
    if not data.startswith(delimiter):
        raise S3Error("MalformedPOSTRequest")
    at = len(delimiter)
    while data.startswith(_LINE_END, at):
        end = data.find(_LINE_END * 2, at)
        if end < 0:
            raise _unfinished(is_whole=is_whole)
        name, file_name = _names(data[at + len(_LINE_END) : end])
        start = end + len(_LINE_END * 2)
        if name == FILE:
            return fields, file_name, start - shift
        end = data.find(delimiter, start)
        if end < 0:
            raise _unfinished(is_whole=is_whole)
        value = _text(data[start:end])
        # HTTPPOSTForms: the values of fields of one name are separated by commas.
        fields[name] = f"{fields[name]},{value}" if name in fields else value
        at = end + len(delimiter)
    if data.startswith(_LAST, at):
        raise S3Error(
            "InvalidArgument",
            "POST requires exactly one file upload per request.",
            ArgumentName=FILE,
            ArgumentValue="0",
        )
    if len(data) >= at + len(_LAST):
        raise S3Error("MalformedPOSTRequest")
    raise _unfinished(is_whole=is_whole)


def _unfinished(*, is_whole: bool) -> S3Error:
    """Refuse a form that ends, or grows too long, before its file begins."""
    if is_whole:
        return S3Error("MalformedPOSTRequest")
    return S3Error("MaxPostPreDataLengthExceeded", MaxPostPreDataLengthBytes=str(FIELDS_BYTES_MAX))


def _names(headers: bytes) -> tuple[str, str | None]:
    """Read the lower-case name of a part, and the name of the file it is said to hold."""
    for line in headers.split(_LINE_END):
        name, _, value = _text(line).partition(":")
        if name.strip().lower() != "content-disposition":
            continue
        disposition, semicolon, _ = value.partition(";")
        parameters = {
            match[1].lower(): match[3] if match[2] is None else match[2].replace('\\"', '"')
            for match in _PARAMETER.finditer(value)
        }
        if disposition.strip().lower() == "form-data" and semicolon and "name" in parameters:
            return parameters["name"].lower(), parameters.get("filename")
    raise S3Error("MalformedPOSTRequest")


def _text(raw: bytes) -> str:
    """Read UTF-8, which forms have to be in (HTTPPOSTForms, "HTML form encoding")."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise S3Error("MalformedPOSTRequest") from None


def _insert(fields: dict[str, str], file_name: str) -> None:
    """Write the file's name, without its directories, where the fields ask for it.

    REF sigv4-HTTPPOSTForms: any field may ask, and only what follows the last slash or backslash is
    used. A file without a name leaves the fields as they are: so does S3 (localstack's recordings).
    Filled in, the fields may be as long as a form may be: a long name asked for a thousand times
    would make megabytes of a few kilobytes, before it is known who asks.
    """
    base = re.split(r"[/\\]", file_name)[-1]
    asked = sum(value.count(FILE_NAME) for value in fields.values())
    if sum(map(len, fields.values())) + asked * len(base) > FIELDS_BYTES_MAX:
        raise _unfinished(is_whole=False)
    for name, value in fields.items():
        if FILE_NAME in value and name not in VERBATIM:
            fields[name] = value.replace(FILE_NAME, base)
