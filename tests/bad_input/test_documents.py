"""Documents that are missing, malformed, hostile or of another kind, for every operation with one.

They are given with the checksum that S3 demands of most of them, so that the document itself is
what is judged. REF: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; RECORDED: the
snapshots of github.com/localstack/localstack, tests/aws/services/s3.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from s3api.operations.registry import HANDLERS
from s3api.protocol.model import Level
from tests.bad_input.asking import BUCKET, OBJECT, Bad, check_all
from tests.fuzz.documents import MODELS, WITH_DOCUMENT, root_of

if TYPE_CHECKING:
    import pytest

    from tests.fuzz.world import World

OFFERED: Final = sorted(set(WITH_DOCUMENT) & set(HANDLERS))
POLICY: Final = "PutBucketPolicy"  # its document alone is JSON
XMLNS: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
# A word of AWS's own for a document that is none (see s3api.protocol.quirks).
ACL: Final = {"PutBucketAcl", "PutObjectAcl"}
# What S3 answers to an empty body, where it is not MissingRequestBodyError: the document of a new
# bucket may be left out, and a completion, a policy or a lock without one is a malformed one.
MAY_BE_EMPTY: Final = "CreateBucket"
EMPTY: Final = {
    "CompleteMultipartUpload": ("MalformedXML", b""),
    POLICY: ("MalformedPolicy", b""),
    "PutObjectLegalHold": ("MalformedXML", b""),  # RECORDED
    "PutObjectLockConfiguration": ("MalformedXML", b""),
    "PutObjectRetention": ("MalformedXML", b""),
}


def sums(body: bytes) -> dict[str, str]:
    """Write the checksum of a document."""
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"content-md5": b64encode(digest).decode()}


def target_of(name: str) -> str:
    """Write where an operation is addressed."""
    model = MODELS[name]
    if name == "CreateBucket":
        return "/new-bucket"
    if name == "CompleteMultipartUpload":
        return "/alpha/up?uploadId=<<upload>>"
    path = OBJECT if model.level is Level.OBJECT else BUCKET
    return "?".join((path, *model.flags[:1]))


def asked(name: str, code: str, document: str | bytes, message: str = "") -> Bad:
    """Make a request with a document."""
    body = document.encode() if isinstance(document, str) else document
    return Bad(MODELS[name].method, target_of(name), code, message, sums(body), body)


def hostile(root: str) -> list[str | bytes]:
    """Write documents that no operation takes."""
    return [
        "x",
        " ",
        "<",
        f"<{root}>",
        f"<{root}/><{root}/>",
        f"<{root}/>x",
        "<Wrong/>",
        f"<Wrong><{root}/></Wrong>",
        f"<{root}><Unknown/></{root}>",
        f"<{root}>text</{root}>",
        f"<{root} a='1' a='2'/>",
        f"<p:{root}/>",
        f'<!DOCTYPE a [<!ENTITY e "x">]><{root}>&e;</{root}>',
        f'<!DOCTYPE a SYSTEM "file:///etc/passwd"><{root}/>',
        f"<!DOCTYPE {root}><{root} {XMLNS}/>",
        f"<{root}>&undefined;</{root}>",
        f"<{root}>\x00</{root}>",
        f"<{root}>&#0;</{root}>",
        b"<%b>\xff\xfe</%b>" % (root.encode(), root.encode()),
        f'<?xml version="1.0" encoding="UTF-16"?><{root}/>'.encode("utf-16"),
        "<a>" * 20_000,
    ]


def test_a_hostile_document_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """What is no XML, has a DTD or an entity, or another root is malformed, whatever it is for."""
    requests = [
        asked(name, "MalformedACLError" if name in ACL else "MalformedXML", document)
        for name in OFFERED
        if name != POLICY
        for document in hostile(root_of(MODELS[name])[0])
    ]
    check_all(world, subtests, requests)


def test_a_policy_that_is_no_json_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """A policy that is no object in JSON is told so, however deep or wrongly encoded it is."""
    message = "Policies must be valid JSON and the first byte must be '{'"  # RECORDED
    documents = [
        "x",
        " ",
        "[]",
        "null",
        "1",
        "{",
        '{"a":1}x',
        "<Policy/>",
        '{"a":' * 3000,
        "{'a':1}",
    ]
    requests = [asked(POLICY, "MalformedPolicy", document, message) for document in documents]
    requests += [asked(POLICY, "MalformedPolicy", b'{"a":"\xff"}', message)]
    check_all(world, subtests, requests)


def test_a_missing_document_is_told(world: World, subtests: pytest.Subtests) -> None:
    """An operation that needs a document says that there is none."""
    requests = [
        asked(name, *EMPTY.get(name, ("MissingRequestBodyError", b"")))
        for name in OFFERED
        if name != MAY_BE_EMPTY and name not in ACL
    ]
    check_all(world, subtests, requests)


def test_a_document_must_be_what_was_promised(world: World, subtests: pytest.Subtests) -> None:
    """A document whose Content-MD5 is another's, or none at all, is refused before it is read."""
    requests = []
    for name in OFFERED:
        for value, code in ((sums(b"other")["content-md5"], "BadDigest"), ("x", "InvalidDigest")):
            headers = {"content-md5": value}
            requests.append(
                Bad(MODELS[name].method, target_of(name), code, "", headers, b"<Wrong/>")
            )
    check_all(world, subtests, requests)


DELETE: Final = "<Delete>{}</Delete>"
KEY: Final = "<Object><Key>plain</Key></Object>"
TAGS: Final = "<Tagging><TagSet>{}</TagSet></Tagging>"
VERSIONING: Final = "<VersioningConfiguration>{}</VersioningConfiguration>"
CREATION: Final = "<CreateBucketConfiguration>{}</CreateBucketConfiguration>"


def tag(key: str, value: str = "v") -> str:
    """Write one tag."""
    return f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"


LIFECYCLE: Final = "<LifecycleConfiguration>{}</LifecycleConfiguration>"


def rule(inner: str, name: str = "one") -> str:
    """Write one lifecycle rule."""
    return f"<Rule><ID>{name}</ID><Status>Enabled</Status>{inner}</Rule>"


def lifecycle(code: str, rules: str, message: str = "") -> Bad:
    """Make a request that sets lifecycle rules."""
    return asked("PutBucketLifecycleConfiguration", code, LIFECYCLE.format(rules), message)


EXPIRES: Final = "<Filter/><Expiration><Days>1</Days></Expiration>"
# What a document can say that its members as values cannot, and some of the rest: all of that is
# in tests/buckets/test_lifecycle.py.
RULES: Final = [
    lifecycle("MalformedXML", ""),
    lifecycle("MalformedXML", rule(EXPIRES + "<Unknown/>")),
    lifecycle("MalformedXML", rule(EXPIRES + EXPIRES)),
    lifecycle("MalformedXML", rule(EXPIRES + "<Expiration><Days>2</Days></Expiration>")),
    lifecycle("MalformedXML", rule("<Filter><Everything/></Filter>")),
    lifecycle("MalformedXML", rule("<Filter/><Expiration><Days>1.5</Days></Expiration>")),
    lifecycle("MalformedXML", rule("<Filter/><Expiration><Days/></Expiration>")),
    lifecycle("MalformedXML", rule("<Filter/><Expiration><Days>2147483648</Days></Expiration>")),
    lifecycle("MalformedXML", rule("<Filter/><Expiration><Date>soon</Date></Expiration>")),
    lifecycle(
        "MalformedXML",
        rule("<Filter/><Expiration><Date>9999-12-31T20:00:00-04:00</Date></Expiration>"),
    ),
    lifecycle("MalformedXML", f"<Rule><ID>one</ID>{EXPIRES}</Rule>"),
    lifecycle("MalformedXML", f"<Rule><Status>enabled</Status>{EXPIRES}</Rule>"),
    lifecycle(
        "MalformedXML",
        rule("<Filter/><Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
    ),
    lifecycle(
        "InvalidArgument",
        rule("<Filter/><Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>"),
        "'Date' must be at midnight GMT",  # RECORDED
    ),
    lifecycle(
        "InvalidArgument",
        rule(EXPIRES) * 2,
        "Rule ID must be unique. Found same ID for more than one rule",
    ),
    lifecycle(
        "InvalidRequest",
        "".join(rule(EXPIRES, str(number)) for number in range(1001)),
        "Number of lifecycle rules should not exceed allowed limit of 1000 rules.",
    ),
    lifecycle(
        "NotImplemented",
        rule(
            "<Filter/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"
        ),
        "Transitions are not implemented: S4 keeps every object in the class STANDARD.",
    ),
    Bad(
        "PUT",
        "/alpha?lifecycle",
        "InvalidRequest",
        "Invalid TransitionDefaultMinimumObjectSize found: value",  # RECORDED
        {
            **sums(LIFECYCLE.format(rule(EXPIRES)).encode()),
            "x-amz-transition-default-minimum-object-size": "value",
        },
        LIFECYCLE.format(rule(EXPIRES)).encode(),
    ),
    Bad(
        "PUT",
        "/alpha?lifecycle",
        "InvalidRequest",
        "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        {},
        LIFECYCLE.format(rule(EXPIRES)).encode(),
    ),
]
CONTENTS: Final = [
    *RULES,
    asked("DeleteObjects", "MalformedXML", DELETE.format("")),
    asked("DeleteObjects", "MalformedXML", DELETE.format("<Object/>")),
    asked("DeleteObjects", "MalformedXML", DELETE.format("<Object><Key/></Object>")),
    asked("DeleteObjects", "MalformedXML", DELETE.format(KEY * 1001)),
    asked("DeleteObjects", "MalformedXML", DELETE.format(KEY + "<Object><Key>a</Key>")),
    asked(
        "DeleteObjects",
        "MalformedXML",
        DELETE.format("<Object><Key>a</Key><Size>x</Size></Object>" + KEY),
    ),
    asked("PutBucketVersioning", "MalformedXML", VERSIONING.format("<Status>Maybe</Status>")),
    asked("PutBucketVersioning", "MalformedXML", VERSIONING.format("<Status>enabled</Status>")),
    asked("PutBucketVersioning", "IllegalVersioningConfigurationException", VERSIONING.format("")),
    asked(
        "PutObjectTagging",
        "BadRequest",
        TAGS.format("".join(tag(str(number)) for number in range(11))),
        "Object tags cannot be greater than 10",
    ),
    asked(
        "PutBucketTagging",
        "BadRequest",
        TAGS.format("".join(tag(str(number)) for number in range(51))),
        "Bucket tag count cannot be greater than 50",
    ),
    *[
        asked(name, "InvalidTag", TAGS.format(tags), message)
        for name in ("PutObjectTagging", "PutBucketTagging")
        for tags, message in (
            (tag(""), "The TagKey you have provided is invalid"),
            (tag("k" * 129), "The TagKey you have provided is invalid"),
            (tag("k", "v" * 257), "The TagValue you have provided is invalid"),
            (tag("a") + tag("a", "w"), "Cannot provide multiple Tags with the same key"),
        )
    ],
    asked(
        "PutObjectTagging",
        "InvalidTag",
        TAGS.format(tag("aws:k")),
        "Your TagKey cannot be prefixed with aws:",  # RECORDED
    ),
    asked(
        "PutBucketTagging",
        "InvalidTag",
        TAGS.format(tag("aws:k")),
        "System tags cannot be added/updated by requester",  # RECORDED
    ),
    asked("PutObjectTagging", "MalformedXML", TAGS.format("<Tag><Key>k</Key></Tag>")),
    asked("PutObjectTagging", "MalformedXML", TAGS.format("<Tag><Value>k</Value></Tag>")),
    asked(
        "CreateBucket",
        "InvalidLocationConstraint",
        CREATION.format("<LocationConstraint>mars</LocationConstraint>"),
    ),
]


def test_what_a_document_says_is_bounded(world: World, subtests: pytest.Subtests) -> None:
    """A document of the right form whose values are out of bounds changes nothing."""
    check_all(world, subtests, CONTENTS)


def test_a_key_that_is_too_long_is_that_entrys_own(world: World) -> None:
    """In DeleteObjects a key over 1,024 bytes is an error of its entry; the others are deleted."""
    entries = f"<Object><Key>{'k' * 1025}</Key></Object>{KEY}"
    reply = asked("DeleteObjects", "", DELETE.format(entries)).send(world)
    assert (reply.status, reply.code) == (200, "KeyTooLongError")
    assert b"<Deleted><Key>plain</Key></Deleted>" in reply.body


def test_a_thousand_keys_are_taken(world: World) -> None:
    """A thousand entries, the same key among them, are one request."""
    reply = asked("DeleteObjects", "", DELETE.format(KEY * 1000)).send(world)
    assert (reply.status, reply.body.count(b"<Deleted>")) == (200, 1000)
