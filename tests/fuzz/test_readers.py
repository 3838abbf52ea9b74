"""Whatever text a policy, a form, a tag or a grant is given as, it is read or refused by its name.

As test_rooms.py, for the readers that came with access control, forms and tags.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import strategies as st

from iam.documents import (
    Effect,
    Question,
    load_policy,
    read_bucket_policy,
    read_identity_policy,
)
from iam.grammar import MalformedPolicy
from iam.rights import Attached, Rights
from s3api.auth import authenticate_form, check_policy, sigv2
from s3api.http.encoded_words import encode_words
from s3api.http.form import FIELDS_BYTES_MAX, read_form
from s3api.http.target import Target
from s3api.operations.grants import GRANT_HEADERS, header_grants
from s3api.operations.tags import OBJECT_TAGS, read_tag_set, read_tagging_header
from tests.fuzz import texts
from tests.fuzz.exploring import explore, register
from tests.fuzz.forms import BOUNDARY, FIELDS, JSON, part
from tests.fuzz.refusing import attempt
from tests.fuzz.shots import SPOILS, spoil
from tests.fuzz.wiring import GRANTS, header_lists, queries
from tests.s3api.auth.clients import ACCESS_KEY, DATE, KEYRING, NOW
from tests.s3api.http.requests import make_request

if TYPE_CHECKING:
    from collections.abc import Callable

# --- policies of buckets ---

EFFECTS: Final = ["Allow", "Deny", "allow", ""]
PRINCIPALS: Final = [
    "*",
    {"AWS": "*"},
    {"AWS": ["*", "a" * 64]},
    {"CanonicalUser": "a" * 64},
    {},
    [],
]
ACTIONS: Final = [
    "s3:*",
    "*",
    "s3:GetObject",
    "s3:List*",
    "s3:getobject",
    "s3:?et*",
    "iam:x",
    "s3:",
]
RESOURCES: Final = [
    *("arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}/*", "*", "b"),
    *("arn:aws:s3:::b/" + "a*" * 40 + "c", "arn:aws:s3:::b/${*}", "arn:aws:s3:::b/${x", ""),
]
KEYS: Final = ["aws:SourceIp", "s3:prefix", "aws:username", "s3:max-keys", "aws:CurrentTime", "x"]
OPERATORS: Final = [
    *("StringEquals", "StringNotLike", "IpAddress", "NotIpAddress", "NumericLessThan", "Bool"),
    *("DateGreaterThan", "Null", "ForAllValues:StringLike", "ForAnyValue:StringEquals", "ArnLike"),
    *("StringEqualsIfExists", "BinaryEquals", "NullIfExists", "Nothing", ""),
]
VALUES: Final = st.one_of(
    st.sampled_from(
        ["10.0.0.0/8", "::1/128", "true", "1", "2024-01-01T00:00:00Z", "${aws:username}"]
    ),
    texts.anything,
)


def one_or_more(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a value or a list of some."""
    return st.one_of(one, st.lists(one, max_size=2))


STATEMENTS: Final = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(EFFECTS[:2]),
        "Principal": st.sampled_from(PRINCIPALS[:4]),
        "Action": one_or_more(st.sampled_from(ACTIONS)),
        "Resource": one_or_more(st.sampled_from(RESOURCES)),
    },
    optional={
        "Sid": texts.anything,
        "NotAction": st.sampled_from(ACTIONS),
        "NotResource": st.sampled_from(RESOURCES),
        "Condition": st.dictionaries(
            st.sampled_from(OPERATORS),
            st.dictionaries(st.sampled_from(KEYS), one_or_more(VALUES), max_size=2),
            max_size=2,
        ),
        "Unknown": JSON,
    },
)
POLICIES: Final = st.one_of(
    st.fixed_dictionaries(
        {"Statement": one_or_more(STATEMENTS)},
        optional={"Version": st.sampled_from(["2012-10-17", "2008-10-17", "x"]), "Id": JSON},
    ).map(json.dumps),
    JSON.map(json.dumps),
    texts.anything,
    st.sampled_from(["[" * 100_000, '{"a":' * 100_000, '{"Statement":1e999}', '{"a":1,"a":2}']),
)


IDENTITY_POLICIES: Final = st.one_of(
    st.fixed_dictionaries(
        {
            "Version": st.just("2012-10-17"),
            "Statement": one_or_more(
                STATEMENTS.map(
                    lambda said: {name: part for name, part in said.items() if name != "Principal"}
                )
            ),
        }
    ).map(json.dumps),
    POLICIES,
)
DENIAL: Final = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
)


def check_bucket_policy(sent: tuple[str, str, str]) -> None:
    """Read a policy: what is taken answers every question, and the same when it is loaded."""
    text, key, value = sent
    try:
        policy = read_bucket_policy(text, "b", lambda *_: True)
    except MalformedPolicy:
        return
    context = {"aws:sourceip": [value], "s3:prefix": [key], "s3:max-keys": ["x"]}
    question = Question("s3:GetObject", f"arn:aws:s3:::b/{key}", frozenset({"a" * 64}), context)
    assert policy.ask(question) == load_policy(text).ask(question)
    assert policy.is_public in {True, False}


def check_identity_policy(sent: tuple[str, str, str]) -> None:
    """Read a policy of a user: what is taken answers every question, and a deny beside it wins."""
    text, key, value = sent
    context = {"aws:sourceip": [value], "s3:prefix": [key], "aws:username": [value]}
    question = Question("s3:GetObject", f"arn:aws:s3:::b/{key}", frozenset(), context)
    try:
        policy = read_identity_policy(text)
    except MalformedPolicy:
        return
    answer = policy.ask(question)
    assert answer == load_policy(text).ask(question)
    both = Rights([Attached("one", policy), Attached("two", read_identity_policy(DENIAL))])
    assert both.ask(question).effect is Effect.DENY


# --- forms ---

CONDITIONS: Final = st.one_of(
    st.dictionaries(st.sampled_from(["key", "acl", "bucket", "x"]), texts.anything, max_size=2),
    st.tuples(
        st.sampled_from(["eq", "starts-with", "EQ", "content-length-range", "x"]),
        st.one_of(st.sampled_from(["$key", "key", "$acl", "$content-type", 0, -1, "5"]), JSON),
        st.one_of(texts.anything, st.integers(), JSON),
    ).map(list),
    JSON,
)
FORM_POLICIES: Final = st.one_of(
    st.fixed_dictionaries(
        {
            "expiration": st.one_of(st.just("2099-01-01T00:00:00Z"), texts.dates),
            "conditions": st.lists(CONDITIONS, max_size=3),
        }
    ),
    JSON,
).map(lambda policy: b64encode(json.dumps(policy).encode()).decode())


def check_form_policy(sent: tuple[str, dict[str, str]]) -> None:
    """Judge a form by its policy: a range of sizes, or a refusal."""
    policy, fields = sent
    sizes = attempt(check_policy, policy, fields, "b", NOW)
    assert sizes is None or all(isinstance(size, int) and size >= 0 for size in sizes)


@st.composite
def form_bodies(draw: st.DrawFn) -> tuple[str, list[bytes], bytes]:
    """Draw content type, pieces of a body, and the file in it."""
    names = draw(st.lists(st.sampled_from(FIELDS), max_size=3))
    parts = [part(name, draw(texts.anything).encode("utf-8", "ignore"), None) for name in names]
    file = draw(st.sampled_from([b"", b"x" * 100, b"\r\n--", b"y" * 30_000]))
    parts.append(part("file", file, draw(texts.anything)))
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    spoils = draw(st.one_of(st.just(()), SPOILS))
    body = spoil(body, spoils)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    if draw(st.sampled_from(range(4))) == 1:
        kind = draw(st.one_of(texts.anything, texts.anything.map(lambda b: kind[:30] + b)))
    cut = draw(st.integers(0, len(body)))
    return kind, [body[:cut], body[cut:]], file if not spoils else b"?"


def check_form(sent: tuple[str, list[bytes], bytes]) -> None:
    """Read a form to the end of its file: what was not spoilt comes out as it went in."""
    kind, pieces, file = sent
    length = sum(map(len, pieces))
    headers = [(b"content-type", texts.header_bytes(kind)), (b"content-length", b"%d" % length)]
    request = make_request("POST", b"/b", b"", headers, pieces)

    async def read() -> tuple[dict[str, str], bytes]:
        form = await read_form(request)
        found = []
        while piece := await form.file.read():
            found.append(piece)
        return form.fields, b"".join(found)

    form = attempt(asyncio.run, read())
    if form is not None:
        assert sum(map(len, form[0].values())) <= FIELDS_BYTES_MAX * 2
        assert file in {b"?", form[1]}


FORM_FIELDS: Final = st.dictionaries(
    st.sampled_from(
        [
            *("policy", "signature", "awsaccesskeyid", "x-amz-signature", "x-amz-algorithm"),
            *("x-amz-credential", "x-amz-date", "x-amz-security-token"),
        ]
    ),
    st.one_of(
        st.sampled_from(
            [
                *("AWS4-HMAC-SHA256", DATE, ACCESS_KEY, "0" * 64, "x"),
                f"{ACCESS_KEY}/20130524/us-east-1/s3/aws4_request",
            ]
        ),
        texts.anything,
    ),
    max_size=8,
)


def check_form_signature(fields: dict[str, str]) -> None:
    """Authenticate a form: nobody here knows the secret, so nobody is let in."""
    for allows in (True, False):
        identity = attempt(
            authenticate_form,
            fields,
            KEYRING,
            region="us-east-1",
            now=NOW,
            allows_version_2=allows,
        )
        assert identity is None or identity.credential is None


# --- the old signature, tags, grants ---


def check_version_2(sent: tuple[bytes, list[tuple[bytes, bytes]], str]) -> None:
    """Authenticate by Version 2: nobody here knows the secret, so nobody is let in."""
    raw, headers, claim = sent
    items = [(b"host", b"a"), (b"date", b"Fri, 24 May 2013 00:00:00 GMT"), *headers]
    items.append((b"authorization", texts.header_bytes(claim)))
    request = attempt(make_request, "GET", b"/b/k", raw, items)
    if request is not None and sigv2.is_claimed(request):
        target = Target("b", "k", is_virtual_host=False, resource="/b/k")
        attempt(_refused_by_version_2, request, target)


def _refused_by_version_2(request: Any, target: Target) -> None:
    sigv2.authenticate(request, target, KEYRING, now=NOW)
    raise AssertionError("let in")


def check_tags(text: str) -> None:
    """Read tags: at most ten, each with a key."""
    header = texts.header_bytes(text).decode("latin-1")
    for found in (
        attempt(read_tagging_header, header),
        attempt(read_tag_set, [{"Key": text, "Value": text}], OBJECT_TAGS),
    ):
        assert found is None or (len(found) <= 10 and all(found))


def check_grants(sent: tuple[str, str]) -> None:
    """Read a header of grants: each names somebody and a permission."""
    name, text = sent
    grants = attempt(header_grants, KEYRING, name, texts.header_bytes(text).decode("latin-1"))
    assert grants is None or all(grant.grantee and grant.permission for grant in grants)


def check_words(text: str) -> None:
    """Write metadata for a header: printable ASCII, whatever it is."""
    words = encode_words(text)
    assert words.isascii()
    assert words == text or words.isprintable()


PAIRS: Final = st.lists(st.builds("{}={}".format, texts.anything, texts.anything), max_size=12).map(
    "&".join
)
READERS: Final[dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]]] = {
    "bucket policy": (st.tuples(POLICIES, texts.anything, texts.anything), check_bucket_policy),
    "identity policy": (
        st.tuples(IDENTITY_POLICIES, texts.anything, texts.anything),
        check_identity_policy,
    ),
    "form policy": (
        st.tuples(
            st.one_of(FORM_POLICIES, texts.anything),
            st.dictionaries(
                st.sampled_from(["key", "acl", "policy", "content-type"]), texts.anything
            ),
        ),
        check_form_policy,
    ),
    "form": (form_bodies(), check_form),
    "form signature": (FORM_FIELDS, check_form_signature),
    "version 2": (
        st.tuples(
            queries(["AWSAccessKeyId", "Signature", "Expires", "acl", "versionId"]),
            header_lists(3),
            st.one_of(
                st.sampled_from([f"AWS {ACCESS_KEY}:x", "AWS :", "AWS x", ""]), texts.anything
            ),
        ),
        check_version_2,
    ),
    "tags": (st.one_of(texts.anything, PAIRS), check_tags),
    "grants": (
        st.tuples(
            st.sampled_from(sorted(GRANT_HEADERS)),
            st.one_of(texts.anything, st.lists(st.sampled_from(GRANTS), max_size=3).map(",".join)),
        ),
        check_grants,
    ),
    "words": (texts.anything, check_words),
}
for reader in READERS:
    register(reader)


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_takes_or_refuses(reader: str) -> None:
    """Nothing but a refusal by its name comes out of a reader, whatever goes in."""
    inputs, check = READERS[reader]
    explore(reader, inputs, check)
