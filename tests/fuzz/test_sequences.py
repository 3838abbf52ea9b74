"""Valid requests one after another are answered as a simple model of a bucket says.

Objects and their versions, copies, listings in pages, deletions and uploads, through the whole
application in process; the model is a dict of keys, each with its versions, and one of uploads.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.fuzz.exploring import EVERYDAY, TALLIES, register, rounds
from tests.fuzz.refusing import parsed
from tests.fuzz.wiring import encode
from tests.fuzz.world import living, md5

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree import ElementTree as ET

    from pytest_django.fixtures import SettingsWrapper

    from tests.fuzz.world import Reply, World

NAME: Final = "sequences"
STEPS: Final = 30
register(NAME, weight=8)

BUCKET: Final = "beta"
NS: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"
PART_BYTES_MIN: Final = 5 * 1024**2
KEYS: Final = st.sampled_from(
    [
        *("a", "a/", "a/b", "a/b/c", "a//b", "/a", "b", "b#1", "_b", "é", "e\u0301", "~", "%2F"),
        *("a b", "a+b", "z" * 600, "z" * 600 + "/y", "\U0010ffff", "\ue000", "<&>"),
    ]
)
DATA: Final = st.one_of(
    st.binary(max_size=9),
    st.builds(bytes.__mul__, st.sampled_from([b"x", b"y"]), st.integers(0, 70_000)),
)
META: Final = st.dictionaries(
    st.sampled_from(["a", "_b", "C-d"]),
    st.sampled_from(["1", "x y", "é", "=?UTF-8?B?w6k=?="]),
    max_size=2,
)


@dataclass
class Held:
    """What the model knows of an object."""

    data: bytes
    etag: str
    meta: dict[str, str]


@dataclass
class Version:
    """One version of a key; without an object it is a delete marker."""

    version_id: str
    held: Held | None


@dataclass
class Upload:
    """What the model knows of an open upload."""

    key: str
    meta: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


def as_sent(meta: dict[str, str]) -> dict[str, str]:
    """Write metadata as headers: names in lower case, values in UTF-8, byte for byte."""
    return {f"x-amz-meta-{n.lower()}": v.encode().decode("latin-1") for n, v in meta.items()}


class Bucket(RuleBasedStateMachine):
    """A bucket and its model, changed alike."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.fill()
        self.versioning = ""
        self.keys: dict[str, list[Version]] = {}  # newest first
        self.uploads: dict[str, Upload] = {}

    def ask(
        self,
        method: str,
        key: str = "",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """Sign a request, send it, and answer its reply."""
        TALLIES[NAME].inputs += 1
        target = f"/{BUCKET}/{quote(key, safe='/~')}" if key else f"/{BUCKET}"
        if query:
            target += "?" + encode(query.items()).decode()
        digest = hashlib.sha256(body).hexdigest()
        lines = {"host": "s4.test", **(headers or {})}
        signed = self.world.signers["owner"].sign(method, target, lines, digest)
        items = [(name.encode(), text.encode("latin-1")) for name, text in signed.headers.items()]
        items.append((b"content-length", b"%d" % len(body)))
        reply = self.world.ask(method, target, items, [body])
        assert reply is not None
        return reply

    # --- the model ---

    @property
    def objects(self) -> dict[str, Held]:
        """Answer the objects that are current."""
        current = {key: versions[0].held for key, versions in self.keys.items()}
        return {key: held for key, held in current.items() if held is not None}

    def add(self, key: str, held: Held | None, reply: Reply) -> None:
        """Note a version that was made, a delete marker for None, under the id that was told."""
        versions = self.keys.setdefault(key, [])
        told = reply.headers.get("x-amz-version-id")
        version_id = "null"
        if self.versioning == "Enabled":
            assert told is not None
            assert all(told != version.version_id for version in versions)
            version_id = told
        else:
            # A copy names the null version that it makes, a put does not: as recorded from S3.
            assert told is None or (self.versioning == "Suspended" and told == "null")
            versions[:] = [version for version in versions if version.version_id != "null"]
        versions.insert(0, Version(version_id, held))

    @rule(status=st.sampled_from(["Enabled", "Enabled", "Suspended"]))
    def set_versioning(self, status: str) -> None:
        """Begin to keep versions, or suspend it."""
        body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
        assert self.ask("PUT", query={"versioning": ""}, body=body.encode()).status == 200
        self.versioning = status

    # --- objects ---

    @rule(key=KEYS, data=DATA, meta=META)
    def put(self, key: str, data: bytes, meta: dict[str, str]) -> None:
        """Put an object; it replaces what was there."""
        reply = self.ask("PUT", key, headers=as_sent(meta), body=data)
        assert (reply.status, reply.headers["etag"]) == (200, f'"{md5(data)}"')
        self.add(key, Held(data, md5(data), meta), reply)

    @rule(key=KEYS, data=DATA, condition=st.sampled_from(["if-none-match", "if-match", "wrong"]))
    def put_if(self, key: str, data: bytes, condition: str) -> None:
        """Put an object only if there is none, or one of that ETag."""
        held = self.objects.get(key)
        etag = held.etag if held is not None and condition == "if-match" else "0" * 32
        name = "if-match" if condition == "wrong" else condition
        value = "*" if condition == "if-none-match" else f'"{etag}"'
        reply = self.ask("PUT", key, headers={name: value}, body=data)
        if condition == "if-none-match":
            wanted = 200 if held is None else 412
        elif held is None:
            wanted = 404
        else:
            wanted = 200 if etag == held.etag else 412
        assert reply.status == wanted, reply.body
        if reply.status == 200:
            self.add(key, Held(data, md5(data), {}), reply)

    @rule(key=KEYS, span=st.none() | st.tuples(st.integers(0, 99), st.integers(0, 99)))
    def get(self, key: str, span: tuple[int, int] | None) -> None:
        """Get an object, or a range of it."""
        headers = {"range": f"bytes={span[0]}-{span[1]}"} if span else {}
        reply, held = self.ask("GET", key, headers=headers), self.objects.get(key)
        if held is None:
            assert (reply.status, reply.code) == (404, "NoSuchKey")
            return
        if span is None or span[1] < span[0]:
            assert (reply.status, reply.body) == (200, held.data)
        elif span[0] >= len(held.data):
            assert (reply.status, reply.code) == (416, "InvalidRange")
            return
        else:
            assert (reply.status, reply.body) == (206, held.data[span[0] : span[1] + 1])
        self.check_headers(reply, held)

    @rule(key=KEYS)
    def head(self, key: str) -> None:
        """Look at an object."""
        reply, held = self.ask("HEAD", key), self.objects.get(key)
        if held is None:
            assert reply.status == 404
            return
        assert (reply.status, reply.headers["content-length"]) == (200, str(len(held.data)))
        self.check_headers(reply, held)

    def check_headers(self, reply: Reply, held: Held) -> None:
        """Compare ETag and metadata."""
        assert reply.headers["etag"] == f'"{held.etag}"'
        found = {n: v for n, v in reply.headers.items() if n.startswith("x-amz-meta-")}
        assert found == as_sent(held.meta)

    @rule(source=KEYS, to=KEYS, replaces=st.booleans(), meta=META)
    def copy(self, source: str, to: str, replaces: bool, meta: dict[str, str]) -> None:
        """Copy an object, with its metadata or with new."""
        headers = {"x-amz-copy-source": quote(f"{BUCKET}/{source}", safe="/~")}
        if replaces:
            headers |= {"x-amz-metadata-directive": "REPLACE", **as_sent(meta)}
        reply, held = self.ask("PUT", to, headers=headers), self.objects.get(source)
        if source == to and not replaces:
            assert (reply.status, reply.code) == (400, "InvalidRequest")
        elif held is None:
            assert (reply.status, reply.code) == (404, "NoSuchKey")
        else:
            assert reply.status == 200, reply.body
            self.add(to, Held(held.data, held.etag, meta if replaces else held.meta), reply)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        """Delete an object, there or not; where versions are kept, behind a marker."""
        reply = self.ask("DELETE", key)
        assert reply.status == 204
        assert reply.headers.get("x-amz-delete-marker") == ("true" if self.versioning else None)
        self.deleted(key, reply.headers.get("x-amz-version-id"))

    def deleted(self, key: str, marker_id: str | None) -> None:
        """Note that a key was deleted."""
        if not self.versioning:
            assert marker_id is None
            self.keys.pop(key, None)
            return
        versions = self.keys.setdefault(key, [])
        assert marker_id is not None
        assert (marker_id == "null") == (self.versioning == "Suspended")
        versions[:] = [version for version in versions if version.version_id != marker_id]
        versions.insert(0, Version(marker_id, None))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=4, unique=True), quiet=st.booleans())
    def delete_many(self, keys: list[str], quiet: bool) -> None:
        """Delete several objects at once."""
        rows = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete>{rows}<Quiet>{str(quiet).lower()}</Quiet></Delete>".encode()
        quiet = quiet and not self.versioning  # else nobody tells the markers' ids
        if not quiet:
            body = body.replace(b"<Quiet>true", b"<Quiet>false")
        reply = self.ask("POST", query={"delete": ""}, body=body)
        found = parsed(reply.body).findall(f"{NS}Deleted")
        assert [row.findtext(f"{NS}Key") for row in found] == ([] if quiet else keys)
        ids = [row.findtext(f"{NS}DeleteMarkerVersionId") for row in found] or [None] * len(keys)
        for key, marker_id in zip(keys, ids, strict=True):
            self.deleted(key, marker_id)

    def any_version(self, data: st.DataObject) -> tuple[str, Version]:
        """Draw a version by its place: its id differs from run to run."""
        every = [(key, version) for key, versions in self.keys.items() for version in versions]
        return every[data.draw(st.integers(0, len(every) - 1), "version")]

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def get_version(self, data: st.DataObject) -> None:
        """Get one version; a marker cannot be."""
        key, version = self.any_version(data)
        reply = self.ask("GET", key, {"versionId": version.version_id})
        if version.held is None:
            assert (reply.status, reply.code) == (405, "MethodNotAllowed")
            return
        assert (reply.status, reply.body) == (200, version.held.data)
        self.check_headers(reply, version.held)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def delete_version(self, data: st.DataObject) -> None:
        """Remove one version for good: the newest that is left is current, marker or not."""
        key, version = self.any_version(data)
        assert self.ask("DELETE", key, {"versionId": version.version_id}).status == 204
        self.keys[key].remove(version)
        if not self.keys[key]:
            del self.keys[key]

    @rule(limit=st.integers(1, 5))
    def list_versions(self, limit: int) -> None:
        """Page through the versions, newest first within their key."""
        query = {"versions": "", "max-keys": str(limit), "encoding-type": "url"}
        found: list[tuple[str, str, str, bool]] = []
        for _ in range(200):
            document = parsed(self.ask("GET", query=query).body)
            for row in document:
                if row.tag in {f"{NS}Version", f"{NS}DeleteMarker"}:
                    texts = [row.findtext(NS + name) or "" for name in ("Key", "VersionId")]
                    is_latest = row.findtext(f"{NS}IsLatest") == "true"
                    kind = row.tag.removeprefix(NS)
                    found.append((unquote_plus(texts[0]), texts[1], kind, is_latest))
            if document.findtext(f"{NS}IsTruncated") != "true":
                break
            query["key-marker"] = unquote_plus(document.findtext(f"{NS}NextKeyMarker") or "")
            query["version-id-marker"] = document.findtext(f"{NS}NextVersionIdMarker") or ""
        assert found == [
            (key, one.version_id, "DeleteMarker" if one.held is None else "Version", place == 0)
            for key in sorted(self.keys, key=str.encode)
            for place, one in enumerate(self.keys[key])
        ]

    # --- listings ---

    @rule(
        prefix=st.sampled_from(["", "a", "a/", "é", "b", "zz", "/"]),
        delimiter=st.sampled_from(["", "/", "b", "//"]),
        limit=st.integers(1, 7),
        form=st.sampled_from(["1", "2"]),
    )
    def listing(self, prefix: str, delimiter: str, limit: int, form: str) -> None:
        """Page through the keys, in either form of the operation."""
        query = {"prefix": prefix, "delimiter": delimiter, "max-keys": str(limit)}
        query |= {"encoding-type": "url"} | ({"list-type": "2"} if form == "2" else {})
        found: list[str] = []
        for _ in range(100):
            document = parsed(self.ask("GET", query=query).body)
            page = names(document, "Contents", "Key") + names(document, "CommonPrefixes", "Prefix")
            page.sort(key=str.encode)
            found += page
            assert len(page) <= limit
            if document.findtext(f"{NS}IsTruncated") != "true":
                break
            assert len(page) == limit
            if form == "2":
                token = document.findtext(f"{NS}NextContinuationToken")
                query["continuation-token"] = token or ""
            else:
                query["marker"] = page[-1]
        assert found == self.listed(prefix, delimiter)

    def listed(self, prefix: str, delimiter: str) -> list[str]:
        """Answer keys and common prefixes as the model has them."""
        names = set()
        for key in self.objects:
            if key.startswith(prefix):
                end = key.find(delimiter, len(prefix)) if delimiter else -1
                names.add(key if end < 0 else key[: end + len(delimiter)])
        return sorted(names, key=str.encode)

    # --- uploads ---

    @rule(key=KEYS, meta=META)
    def create_upload(self, key: str, meta: dict[str, str]) -> None:
        """Begin an upload."""
        reply = self.ask("POST", key, {"uploads": ""}, as_sent(meta))
        upload_id = parsed(reply.body).findtext(f"{NS}UploadId") or ""
        self.uploads[upload_id] = Upload(key, meta)

    def any_upload(self, data: st.DataObject) -> tuple[str, Upload]:
        """Draw an open upload, by its age: its id differs from run to run."""
        number = data.draw(st.integers(0, len(self.uploads) - 1), "upload")
        return list(self.uploads.items())[number]

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), number=st.integers(1, 3), content=DATA, is_full=st.booleans())
    def put_part(self, data: st.DataObject, number: int, content: bytes, is_full: bool) -> None:
        """Store a part, large enough to be followed by others or not."""
        upload_id, upload = self.any_upload(data)
        if is_full and number == 1:
            content = b"f" * PART_BYTES_MIN
        query = {"partNumber": str(number), "uploadId": upload_id}
        reply = self.ask("PUT", upload.key, query, body=content)
        assert (reply.status, reply.headers["etag"]) == (200, f'"{md5(content)}"')
        upload.parts[number] = content

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def list_parts(self, data: st.DataObject) -> None:
        """List the parts of an upload."""
        upload_id, upload = self.any_upload(data)
        document = parsed(self.ask("GET", upload.key, {"uploadId": upload_id}).body)
        numbers = [int(row.text or "") for row in document.iterfind(f"{NS}Part/{NS}PartNumber")]
        assert numbers == sorted(upload.parts)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), leaves_out=st.booleans())
    def complete(self, data: st.DataObject, leaves_out: bool) -> None:
        """Complete an upload with all its parts or all but the first; a small one must be last."""
        upload_id, upload = self.any_upload(data)
        numbers = sorted(upload.parts)[1 if leaves_out else 0 :]
        parts = [upload.parts[number] for number in numbers]
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{md5(part)}</ETag></Part>"
            for number, part in zip(numbers, parts, strict=True)
        )
        body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        reply = self.ask("POST", upload.key, {"uploadId": upload_id}, body=body)
        if not parts:
            assert (reply.status, reply.code) == (400, "MalformedXML")
        elif any(len(part) < PART_BYTES_MIN for part in parts[:-1]):
            assert (reply.status, reply.code) == (400, "EntityTooSmall")
        else:
            assert reply.status == 200, reply.body
            digest = md5(b"".join(bytes.fromhex(md5(part)) for part in parts))
            etag = f"{digest}-{len(parts)}"
            assert parsed(reply.body).findtext(f"{NS}ETag") == f'"{etag}"'
            self.add(upload.key, Held(b"".join(parts), etag, upload.meta), reply)
            del self.uploads[upload_id]

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """Give an upload up."""
        upload_id, upload = self.any_upload(data)
        assert self.ask("DELETE", upload.key, {"uploadId": upload_id}).status == 204
        del self.uploads[upload_id]

    def teardown(self) -> None:
        """Compare all that is there with the model, and have the store verify itself."""
        self.listing("", "", 7, "2")
        self.list_versions(5)
        document = parsed(self.ask("GET", query={"uploads": "", "encoding-type": "url"}).body)
        found = [row.text for row in document.iterfind(f"{NS}Upload/{NS}UploadId")]
        assert sorted(map(str, found)) == sorted(self.uploads)
        for key in self.objects:
            self.get(key, None)
        self.world.verify()


def names(document: ET.Element, row: str, column: str) -> list[str]:
    """List names of a page, decoded from encoding-type=url."""
    return [
        unquote_plus(found.text or "") for found in document.iterfind(f"{NS}{row}/{NS}{column}")
    ]


def test_a_sequence_of_requests_is_answered_rightly(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> None:
    """What a bucket answers after any requests is what a dict of its keys would."""
    with living(settings, tmp_path) as world:

        class Tried(Bucket):
            pass

        Tried.world = world

        def play(how: Any) -> None:
            run_state_machine_as_test(Tried, settings=how)

        everyday = hypothesis_settings(EVERYDAY, max_examples=12, stateful_step_count=STEPS)
        rounds(NAME, play, everyday=everyday)
