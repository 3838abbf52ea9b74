"""The panel of one object in a real browser: looked at without harm, edited alone and by two."""

from __future__ import annotations

import gzip
import io
import json
import struct
import wave
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.clients.installed import LONG, node_story, system
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner
    from tests.e2e.server import Server

    Tell = Callable[..., str]

pytestmark = pytest.mark.e2e
in_full = pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-console tells all stories")

HURT: Final = "window.hurt=1;document.title='hurt';fetch('/leak');alert('hurt')"
SCRIPT: Final = f"<script>{HURT}</script>"
HTML: Final = (
    f"{SCRIPT}<img src=x onerror=\"{HURT}\"><iframe src='javascript:{HURT}'></iframe>"
    "<meta http-equiv=refresh content='0;url=/leak'><form action=/leak><input autofocus "
    f'onfocus="{HURT}"></form><base href=//leak.test/><link rel=stylesheet href=/leak>'
)
SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" width="9" '
    f'height="9" onload="{HURT}">{SCRIPT}<image href="/leak" width="9" height="9"/>'
    f'<use x:href="/leak#a"/><foreignObject><body xmlns="http://www.w3.org/1999/xhtml">{SCRIPT}'
    "</body></foreignObject><style>@import url(/leak);</style></svg>"
)
XHTML: Final = f'<html xmlns="http://www.w3.org/1999/xhtml"><head>{SCRIPT}</head><body/></html>'
XSLT: Final = f'<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="/leak"?><a>{HTML}</a>'
CSV: Final = f'name,value\n"{SCRIPT}",=cmd|calc\n<img src=x onerror=alert(1)>,"""><svg onload=a>"\n'


def pdf(*texts: str, actions: str = "") -> bytes:
    """Write a PDF of one page for each text; `actions` is what it would run when opened."""
    area = "/MediaBox[0 0 300 200]/Resources<</Font<</F1 3 0 R>>>>"
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(texts)))
    opened = f"/OpenAction<</S/JavaScript/JS({actions})>>" if actions else ""
    parts = [
        f"1 0 obj<</Type/Catalog/Pages 2 0 R{opened}>>endobj",
        f"2 0 obj<</Type/Pages/Kids[{kids}]/Count {len(texts)}>>endobj",
        "3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj",
    ]
    for n, text in enumerate(texts):
        drawn = f"BT /F1 24 Tf 50 100 Td ({text}) Tj ET"
        parts += [
            f"{4 + 2 * n} 0 obj<</Type/Page/Parent 2 0 R{area}/Contents {5 + 2 * n} 0 R>>endobj",
            f"{5 + 2 * n} 0 obj<</Length {len(drawn)}>>stream\n{drawn}\nendstream endobj",
        ]
    return "\n".join(["%PDF-1.7", *parts, "trailer<</Root 1 0 R>>", "%%EOF"]).encode()


def png(width: int, height: int) -> bytes:
    """Draw a picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(range(256))[:width]) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tone() -> bytes:
    """Record a tenth of a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    return file.getvalue()


PDF_SCRIPT: Final = (
    r"app.alert\('hurt'\); this.submitForm\('/leak'\); app.launchURL\('/leak', true\);"
)
HOSTILE: Final[dict[str, tuple[bytes, str]]] = {
    "page.html": (HTML.encode(), "text/html"),
    "page.svg": (SVG.encode(), "image/svg+xml"),
    "page.xhtml": (XHTML.encode(), "application/xhtml+xml"),
    "page.xml": (XSLT.encode(), "text/xml"),
    "page.pdf": (pdf("hurt", actions=PDF_SCRIPT), "application/pdf"),
    "page.csv": (CSV.encode(), "text/csv"),
    "page.json": (json.dumps({SCRIPT: HTML}).encode(), "application/json"),
    "page.js": (HURT.encode(), "text/javascript"),
    "page.md": (HTML.encode(), "text/markdown"),
    "html.pdf": (HTML.encode(), "application/pdf"),
    "html.png": (HTML.encode(), "image/png"),
    "html.mp4": (HTML.encode(), "video/mp4"),
    "html.gz": (gzip.compress(HTML.encode()), "application/gzip"),
    "html": (HTML.encode(), ""),
    SCRIPT: (HTML.encode(), "text/html"),
}
HARMLESS: Final[dict[str, tuple[bytes, str]]] = {
    "photo.png": (png(200, 120), ""),
    "page.pdf": (pdf("Hello PDF", "Second"), "application/pdf"),
    "table.csv": (
        b'a;b;c\n0;0;0\n1;"x ""quoted"", y";\n' + b"".join(b"%d;2;3\n" % n for n in range(60_000)),
        "text/csv",
    ),
    "data.json": (b'{"n":12345678901234567890}', "application/json"),
    "app.log.gz": (gzip.compress(b"line of a log\n" * 300_000), "application/gzip"),
    "bytes.bin": (bytes(range(256)), ""),
    "empty.txt": (b"", "text/plain"),
    "tone.wav": (tone(), "audio/x-wav"),
}
ODD: Final = [
    "a/../b/./c",
    "//two//",
    "/",
    "emoji 🎈/ünïcode",
    "\u202egpj.exe",
    f"{SCRIPT}&amp;%2F?#+ =;",
    "x" * 1024,
    "line\nbreak",
]


@pytest.fixture
def tell(run: Runner, server: Server, bucket: str) -> Tell:
    """Answer what tells a story of programs/details_stories.cjs, with keys where it wants some."""
    environment = {
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{server.console_port}",
        "PASSWORD": server.settings["root_password"],
    }
    return lambda story, keys=(), bucket=bucket: node_story(
        run, "details_stories", story, **environment, BUCKET=bucket, KEYS=json.dumps(list(keys))
    )


@pytest.fixture
def put(s3: BaseClient, bucket: str) -> Callable[[str, bytes, str], None]:
    """Answer what puts an object of a type; "" is none."""

    def put(key: str, body: bytes, kind: str = "") -> None:
        more = {"ContentType": kind} if kind else {}
        s3.put_object(Bucket=bucket, Key=key, Body=body, **more)  # type: ignore[arg-type]

    return put


@pytest.mark.parametrize("story", ["hostile", pytest.param("addressed", marks=in_full)])
def test_what_is_stored_hurts_nobody_who_looks(
    tell: Tell, put: Callable[..., None], story: str
) -> None:
    """No script, request, window or markup of a stored object does anything on the console."""
    for key, (body, kind) in HOSTILE.items():
        put(key, body, kind)
    tell(story, HOSTILE)


@in_full
def test_what_is_stored_is_shown(
    tell: Tell, put: Callable[..., None], s3: BaseClient, bucket: str
) -> None:
    """Pictures, PDF, tables, JSON, sound and text are shown, of large ones the beginning."""
    for key, (body, kind) in HARMLESS.items():
        put(key, body, kind)
    packed = gzip.compress(b"packed text")
    s3.put_object(Bucket=bucket, Key="packed.txt", Body=packed, ContentEncoding="gzip")
    tell("previews")


@in_full
def test_metadata_is_edited(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """Saving changes the headers that were edited, in UTF-8, and nothing else of the object."""
    kept = {"ContentType": "text/plain", "ContentLanguage": "de", "Metadata": {"kept": "1"}}
    s3.put_object(Bucket=bucket, Key="notes.txt", Body=b"text", Tagging="a=b", **kept)  # type: ignore[arg-type]
    tell("metadata")
    found = s3.head_object(Bucket=bucket, Key="notes.txt")
    assert (found["ContentType"], found["ContentLanguage"]) == ("text/plain", "de")
    assert (found["CacheControl"], found["TagCount"]) == ("max-age=60", 1)
    author = "Jürgen 🎈".encode().decode("latin-1")
    assert found["Metadata"] == {"kept": "1", "author": author}


def test_two_people_edit_one_object(
    tell: Tell, put: Callable[..., None], s3: BaseClient, bucket: str
) -> None:
    """Who saves second is told what the first has done, and nothing is lost without his word."""
    put("notes.txt", b"text", "text/plain")
    tell("twoAtOnce")
    tags = s3.get_object_tagging(Bucket=bucket, Key="notes.txt")["TagSet"]
    assert tags == []  # the colleague's upload took the object's place, as S3 has it
    found = s3.get_object(Bucket=bucket, Key="notes.txt")
    assert (found["Body"].read(), found["ContentType"]) == (b"other text", "text/markdown")


@in_full
def test_what_is_large_is_copied_in_its_parts(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """A copy by parts keeps ETag, content and tags, and leaves no upload behind when refused."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large.bin")["UploadId"]
    named = {"Bucket": bucket, "Key": "large.bin", "UploadId": upload}
    sizes = (5 << 20, 5 << 20, 1000)
    parts = [
        {
            "PartNumber": n,
            "ETag": s3.upload_part(**named, PartNumber=n, Body=bytes([n]) * size)["ETag"],
        }
        for n, size in enumerate(sizes, 1)
    ]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})  # type: ignore[arg-type]
    tell("largeCopy")
    body = s3.get_object(Bucket=bucket, Key="copy.bin")["Body"].read()
    assert body == b"".join(bytes([n]) * size for n, size in enumerate(sizes, 1))
    tags = s3.get_object_tagging(Bucket=bucket, Key="copy.bin")["TagSet"]
    assert tags == [{"Key": "a b", "Value": "1=2+3"}]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@in_full
def test_versions_are_brought_back(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """Versions are shown, restored and deleted one by one, and a deleted object is undeleted."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket=bucket, Key="report.txt", Body=b"version %d" % number)
    s3.put_object(Bucket=bucket, Key="report.txt.bak", Body=b"another's versions")
    s3.put_object(Bucket=bucket, Key="gone.txt", Body=b"here again")
    s3.delete_object(Bucket=bucket, Key="gone.txt")
    tell("versions")
    assert s3.get_object(Bucket=bucket, Key="report.txt")["Body"].read() == b"version 0"
    assert s3.get_object(Bucket=bucket, Key="gone.txt")["Body"].read() == b"here again"


@in_full
def test_locks_are_set(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """Retention and legal hold are set, loosened where S3 lets one, and hold."""
    name = f"{bucket}-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=name, Key="report.txt", Body=b"kept", ChecksumAlgorithm="CRC32")
    tell("locks", bucket=name)
    retention = s3.get_object_retention(Bucket=name, Key="report.txt")["Retention"]
    assert (retention["Mode"], retention["RetainUntilDate"].year) == ("COMPLIANCE", 2099)


@in_full
def test_grants_are_given(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """Where ACLs count they are shown and set, and stay when metadata change; else it is said."""
    name = f"{bucket}-acl"
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=name)
    for each in (name, bucket):
        s3.put_object(Bucket=each, Key="notes.txt", Body=b"text")
    tell("grants", bucket=name)
    grants = s3.get_object_acl(Bucket=name, Key="notes.txt")["Grants"]
    assert {grant["Permission"] for grant in grants} == {"FULL_CONTROL", "READ"}
    tell("noGrants")


@in_full
@pytest.mark.parametrize("story", ["keyboard", "signedOut", "goneMeanwhile"])
def test_it_is_worked_in_all_weathers(tell: Tell, put: Callable[..., None], story: str) -> None:
    """By keyboard, on a phone, when the session, the object or the bucket ends: all is said."""
    put("notes.txt", b"text", "text/plain")
    tell(story)


@in_full
def test_odd_names_are_names(tell: Tell, put: Callable[..., None]) -> None:
    """Every name that S3 takes is shown, and its object edited."""
    for key in ODD:
        put(key, b"odd", "text/plain")
    tell("names", ODD)


@in_full
def test_a_reader_is_offered_nothing_that_changes(
    tell: Tell, put: Callable[..., None], server: Server, s3: BaseClient, bucket: str
) -> None:
    """Who may only read sees all of an object, and no button that would change it."""
    reader = {
        "username": "reader",
        "password": server.settings["root_password"],
        "role": "Reader",
    }
    token = log_in(server, password=server.settings["root_password"])
    assert call(server, "POST", "/admin/users", reader, token).status == HTTPStatus.CREATED
    put("notes.txt", b"text", "text/plain")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:Get*", "s3:List*"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    s3.delete_public_access_block(Bucket=bucket)
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    tell("reader")
