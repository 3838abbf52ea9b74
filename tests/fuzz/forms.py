"""Browser forms: rightly built and signed ones, then bent in one place or another.

A form is drawn as its fields, a policy that allows them, the file, and how all of it is signed and
written. What it names in this store stands as `<<owner>>` and the like until it is sent.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from tests.e2e.signing import stamp_at
from tests.fuzz import texts
from tests.fuzz.shots import SPOILS, spoil
from tests.fuzz.wiring import ACLS, MD5, SUMS, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fuzz.world import Reply, World

BOUNDARY: Final = "----Boundary7MA4YWxkTrZu0gW"
FIELDS: Final = [
    *("acl", "Cache-Control", "Content-Type", "Content-Disposition", "Content-Encoding", "Expires"),
    *("success_action_status", "success_action_redirect", "redirect", "tagging", "x-ignore-a"),
    *("x-amz-meta-a", "x-amz-meta-é", "X-Amz-Meta-B", "x-amz-storage-class", "x-amz-tagging"),
    *("x-amz-checksum-crc32", "x-amz-checksum-algorithm", "x-amz-server-side-encryption", "file2"),
    *("x-amz-website-redirect-location", "x-amz-security-token", "Content-MD5", "submit", "bucket"),
    *("x-amz-expected-bucket-owner", "x-amz-copy-source", "x-amz-grant-read", "if-none-match"),
]
TAGGING: Final = [
    "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    "<Tagging><TagSet/></Tagging>",
    "<Tagging>",
    '<!DOCTYPE a [<!ENTITY e "x">]><Tagging/>',
]
USUAL: Final = {
    "acl": ACLS,
    "content-md5": MD5,
    "x-amz-checksum-crc32": SUMS,
    "success_action_status": ["200", "201", "204", "404", "x"],
    "success_action_redirect": ["http://a.example/?x=1", "/relative", "javascript:x", "http://"],
    "redirect": ["https://a.example/#f", "http://é.example/"],
    "tagging": TAGGING,
}
KEYS: Final = ["new", "plain", "up/${filename}", "${filename}", "ü#?%", "a//b"]
NAMES: Final = ["a.txt", "C:\\x\\é.txt", "../a", "", 'q"q', "a" * 1100, "${filename}"]
JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts.anything),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts.anything, inner, max_size=3),
    max_leaves=6,
)
RARE: Final = 7  # small numbers are drawn more often than others
SIDES: Final = ["policy", "expiry", "fields", "signature", "boundary", "spoil", "key", "order"]


@dataclass(frozen=True)
class FormShot:
    """One form, before it is signed."""

    bucket: str
    fields: tuple[tuple[str, str], ...]
    policy: Any
    sides: frozenset[str]
    version: int  # of the signature; 0: nobody signs
    file: bytes
    file_name: str
    spoils: tuple[tuple[str, int], ...]
    cuts: tuple[int, ...]
    is_cut: bool
    content_type: str

    def send(self, world: World) -> Reply | None:
        """Sign the form for that store and send it."""
        fields = {name: world.word(text) for name, text in self.fields}
        fields |= self._signed(world, fields)
        names = list(fields)
        if "order" in self.sides:
            names.reverse()
        parts = [part(name, fields[name].encode("utf-8", "ignore"), None) for name in names]
        parts.append(part("file", self.file, self.file_name))
        if "order" in self.sides:
            parts.insert(0, parts.pop())
        body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
        body = spoil(body, self.spoils)
        edges = [0, *sorted(place % (len(body) + 1) for place in self.cuts), len(body)]
        pieces = [body[a:b] for a, b in pairwise(edges)]
        items = [
            (b"host", b"s4.test"),
            (b"origin", b"http://a.example"),
            (b"content-type", texts.header_bytes(self.content_type)),
            (b"content-length", b"%d" % len(body)),
        ]
        if self.is_cut:
            pieces = pieces[:-1]
        return world.ask("POST", f"/{self.bucket}", items, pieces, is_cut=self.is_cut)

    def _signed(self, world: World, fields: Mapping[str, str]) -> dict[str, str]:
        """Answer the fields that sign the form."""
        if not self.version:
            return {}
        signer = world.signers["owner"]
        stamp = stamp_at(time.time())
        signing = {
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": f"{signer.access_key}/{signer.scope(stamp)}",
            "x-amz-date": stamp,
        }
        own = {} if self.version == 2 else signing
        policy = b64encode(self._policy({**fields, **own})).decode()
        if self.version == 2:
            digest = hmac.digest(signer.secret_key.encode(), policy.encode(), "sha1")
            signature = b64encode(digest).decode()
            own = {"AWSAccessKeyId": signer.access_key, "policy": policy, "signature": signature}
        else:
            own |= {"policy": policy, "x-amz-signature": signer._signature(stamp, policy)}
        if "signature" in self.sides:
            name = sorted(own)[len(self.fields) % len(own)]
            own[name] = "" if len(self.fields) % 2 else own[name][:-1] + "0"
        return own

    def _policy(self, fields: Mapping[str, str]) -> bytes:
        if "policy" in self.sides and not isinstance(self.policy, list):
            return json.dumps(self.policy).encode()
        age = -60 if "expiry" in self.sides else 600
        conditions: list[Any] = [{"bucket": self.bucket}]
        for number, (name, text) in enumerate(fields.items()):
            if "${filename}" in text or number % 2:
                conditions.append(["starts-with", f"${name}", text.partition("${filename}")[0]])
            else:
                conditions.append({name: text})
        conditions += self.policy if isinstance(self.policy, list) else []
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + age))
        return json.dumps({"expiration": expiration, "conditions": conditions}).encode()


def part(name: str, data: bytes, file_name: str | None) -> bytes:
    """Write one part of the body."""
    said = "" if file_name is None else f'; filename="{file_name}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{said}\r\n\r\n'
    return head.encode("utf-8", "ignore") + data + b"\r\n"


@st.composite
def form_shots(draw: st.DrawFn) -> FormShot:
    """Draw one form."""
    count = draw(st.sampled_from([0, 0, 1, 1, 2]))
    sides = frozenset(draw(st.sampled_from(SIDES)) for _ in range(count))
    wild = "fields" in sides
    fields = {"key": draw(texts.anything) if "key" in sides else draw(st.sampled_from(KEYS))}
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique=True)):
        usual = USUAL.get(name.lower())
        one = st.sampled_from(usual) if usual else value(name, is_wild=False)
        fields[name] = draw(texts.mostly(one, texts.anything) if wild else one)
    if wild and draw(st.booleans()):
        fields[draw(texts.anything)] = draw(texts.anything)
    size = st.sampled_from([0, 5, 21_000, 90_000])
    conditions = [["content-length-range", draw(st.integers(0, 9)), draw(st.integers(0, 99_999))]]
    policy: Any = draw(st.sampled_from([[], [], conditions]))
    if "policy" in sides:
        policy = draw(st.one_of(JSON, st.lists(JSON, max_size=2)))
    boundary = draw(texts.anything) if "boundary" in sides else BOUNDARY
    return FormShot(
        bucket=draw(st.sampled_from(["alpha"] * 6 + ["versioned", "foreign", "nobucket"])),
        fields=tuple(fields.items()),
        policy=policy,
        sides=sides,
        version=draw(st.sampled_from([4, 4, 4, 2, 2, 0])),
        file=b"f" * draw(size),
        file_name=draw(st.sampled_from(NAMES)),
        spoils=draw(SPOILS) if "spoil" in sides else (),
        cuts=tuple(draw(st.lists(st.integers(0, 100_000), max_size=3))),
        is_cut=draw(st.sampled_from(range(20))) == RARE,
        content_type=f"multipart/form-data; boundary={boundary}",
    )
