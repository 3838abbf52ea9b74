"""Policies of forms: what they allow, what they refuse, and in which words."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.auth import check_policy
from tests.s3api.refusals import refusal_of

NOW = 1_451_390_400.0  # 29 December 2015, noon
LATER = "2015-12-29T12:00:01Z"
BASE: list[Any] = [{"bucket": "photos"}, ["starts-with", "$key", "user/"]]
FIELDS = {"key": "user/a", "policy": "...", "x-amz-signature": "...", "x-ignore-me": "1"}


def encode(document: Any) -> str:
    """Write a policy as forms have it."""
    text = document if isinstance(document, str) else json.dumps(document)
    return b64encode(text.encode()).decode()


def check(conditions: Any, fields: dict[str, str] | None = None, **others: Any) -> tuple[int, int]:
    """Judge a form by these conditions."""
    document = {"expiration": LATER, "conditions": conditions} | others
    return check_policy(encode(document), FIELDS | (fields or {}), "photos", NOW)


def refused(conditions: Any, fields: dict[str, str] | None = None, **others: Any) -> str:
    """Answer the words in which conditions refuse a form."""
    refusal = refusal_of(check, conditions, fields, **others)
    assert refusal is not None
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)
    assert refusal.message.startswith("Invalid according to Policy: ")
    return refusal.message.removeprefix("Invalid according to Policy: ")


def malformed(policy: Any) -> str:
    """Answer the words in which a policy is refused."""
    refusal = refusal_of(check_policy, encode(policy), FIELDS, "photos", NOW)
    assert refusal is not None
    assert (refusal.code, refusal.status) == ("InvalidPolicyDocument", 400)
    return refusal.message.removeprefix("Invalid Policy: ")


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([], {}),
        ([{"acl": "private"}], {"acl": "private"}),
        ([["eq", "$acl", "private"]], {"acl": "private"}),
        ([["eq", "$bucket", "photos"]], {}),
        ([{"bUcKeT": "photos"}, ["StArTs-WiTh", "$KeY", "user"], ["EQ", "$KEY", "user/a"]], {}),
        ([["starts-with", "$redirect", ""]], {"redirect": "http://anything"}),
        ([["starts-with", "$redirect", ""]], {"redirect": ""}),
        ([["starts-with", "$Content-Type", "image/"]], {"content-type": "image/jpg"}),
        ([["starts-with", "$Content-Type", "image/"]], {"content-type": "image/jpg,image/png"}),
        ([["starts-with", "$content-type", "image/"]], {"content-type": "image/jpg, image/png"}),
        ([["starts-with", "$x-amz-meta-a", "a,"]], {"x-amz-meta-a": "a,b"}),
        ([["eq", "$key", "user/a"], ["starts-with", "$key", "user/a"]], {}),
    ],
)
def test_what_conditions_allow_passes(conditions: list[Any], fields: dict[str, str]) -> None:
    """Names and operations are read without case, values with it."""
    assert check(BASE + conditions, fields) == (0, 2**63 - 1)


@pytest.mark.parametrize(
    ("condition", "fields", "words"),
    [
        ({"acl": "private"}, {"acl": "public-read"}, '["eq", "$acl", "private"]'),
        ({"acl": "private"}, {"acl": "Private"}, '["eq", "$acl", "private"]'),
        ({"ACL": "private"}, {}, '["eq", "$ACL", "private"]'),
        (["eq", "$acl", "private"], {"acl": ""}, '["eq", "$acl", "private"]'),
        (["eq", "acl", "private"], {"acl": "private"}, '["eq", "acl", "private"]'),
        (["starts-with", "$key", "User/"], {}, '["starts-with", "$key", "User/"]'),
        (["starts-with", "$acl", ""], {}, '["starts-with", "$acl", ""]'),
        (
            ["starts-with", "$Content-Type", "image/"],
            {"content-type": "image/jpg,text/plain"},
            '["starts-with", "$Content-Type", "image/"]',
        ),
        (["eq", "$key", 'a"ü\ud800'], {}, '["eq", "$key", "a\\"ü?"]'),
        ({"bucket": "other"}, {"bucket": "other"}, '["eq", "$bucket", "other"]'),
        (["content-length-range", "x", "10"], {}, '["content-length-range", "x", "10"]'),
        (["content-length-range", "-1", 10], {}, '["content-length-range", "-1", 10]'),
    ],
)
def test_a_condition_that_is_not_met_is_shown(
    condition: Any, fields: dict[str, str], words: str
) -> None:
    """S3 shows it as the policy spells it, a simple one as `eq`."""
    assert refused([*BASE, condition], fields) == f"Policy Condition failed: {words}"


@pytest.mark.parametrize(
    ("conditions", "sizes"),
    [
        ([["content-length-range", 5, 10]], (5, 10)),
        ([["content-length-range", "5", "10"]], (5, 10)),
        ([["Content-Length-Range", 0, 0]], (0, 0)),
        ([["content-length-range", 5, 10], ["content-length-range", 7, 20]], (7, 10)),
        ([["content-length-range", 9, 10**30]], (9, 2**63 - 1)),
    ],
)
def test_sizes_are_answered(conditions: list[Any], sizes: tuple[int, int]) -> None:
    """The narrowest of all ranges counts."""
    assert check(BASE + conditions) == sizes


@pytest.mark.parametrize(
    ("conditions", "fields", "name"),
    [
        (BASE, {"acl": "private", "expires": "0"}, "acl"),
        (BASE[:1], {}, "key"),
        (BASE[1:], {}, "bucket"),
        (BASE, {"x-amz-checksum-sha256": "..."}, "x-amz-checksum-sha256"),
    ],
)
def test_a_field_that_no_condition_names_is_refused(
    conditions: list[Any], fields: dict[str, str], name: str
) -> None:
    """The first of several is named; the bucket counts as a field of every form."""
    assert refused(conditions, fields) == f"Extra input fields: {name}"


def test_an_expired_policy_is_refused() -> None:
    """A policy is good until its moment has passed, and that is judged before its conditions."""
    assert check(BASE, expiration="2015-12-29T12:00:00.000Z")
    assert refused([{"acl": "x"}], expiration="2015-12-29T11:59:59.999Z") == "Policy expired."


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("expiration", "Invalid JSON."),
        ("[]", "Invalid JSON."),
        ("[" * 10_000, "Invalid JSON."),
        ('{"expiration": "x", "conditions": [["content-length-range", 0, 5.0]]}', "Invalid JSON."),
        ('{"expiration": "x", "conditions": [["content-length-range", 0, NaN]]}', "Invalid JSON."),
        ({"Version": "2012-10-17", "Statement": []}, "Unexpected: 'version'"),
        ({"expiration": LATER, "CONDITIONS": []}, "Unexpected: 'conditions'"),
        ({"conditions": []}, "Policy missing expiration."),
        ({"expiration": LATER}, "Policy missing conditions."),
        ({"expiration": LATER, "conditions": {}}, "Invalid 'conditions' value: must be a List."),
        ({"expiration": 5, "conditions": []}, "Invalid 'expiration' value: '5'"),
    ],
)
def test_a_document_that_is_no_policy_is_refused(document: Any, words: str) -> None:
    """Each in S3's words, as far as they are known."""
    assert malformed(document) == words


@pytest.mark.parametrize(
    "moment",
    [
        "2999-01-01 00:00:00",
        "2999-01-01T00:00:00+02:00",
        "2999-02-30T00:00:00Z",
        "2999-01-01",
        "tomorrow\ud800".encode(errors="replace").decode(),
    ],
)
def test_a_moment_of_another_form_is_refused(moment: str) -> None:
    """Only ISO 8601 in UTC is read."""
    document = {"expiration": moment, "conditions": []}
    assert malformed(document) == f"Invalid 'expiration' value: '{moment}'"


ONE = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, ONE),
        ({"acl": "private", "key": "k"}, ONE),
        ({"acl": 1}, "Invalid Simple-Condition: value must be a string."),
        ({"acl": None}, "Invalid JSON."),
        ("acl", "Invalid condition test: must be a List or Object."),
        ([], "Invalid Condition: missing operation identifier."),
        ([1, "$key", "k"], "Invalid JSON."),
        (["ends-with", "$key", "k"], "Invalid Condition: unknown operation 'ends-with'."),
        (["eq", "$key"], "Invalid eq: wrong number of arguments."),
        (["content-length-range", 0], "Invalid content-length-range: wrong number of arguments."),
        (
            ["content-length-range", -1, 0],
            "Invalid content-length-range: sizes must not be negative.",
        ),
        (["content-length-range", True, 1], "Invalid JSON."),
        (["eq", "$key", 5], "Invalid JSON."),
        (["starts-with", ["$key"], "k"], "Invalid JSON."),
    ],
)
def test_a_condition_of_another_form_is_refused(condition: Any, words: str) -> None:
    """The whole document is judged before any of its conditions is."""
    assert malformed({"expiration": LATER, "conditions": [{"acl": "x"}, condition]}) == words


def test_base64_is_read_strictly_but_for_white_space() -> None:
    """Lines may be broken; what is no base64 is no policy."""
    policy = encode({"expiration": LATER, "conditions": BASE})
    assert check_policy(f"{policy[:9]}\r\n {policy[9:]}", FIELDS, "photos", NOW)
    for broken in ("{policy}", "é", policy[:-1]):
        refusal = refusal_of(check_policy, broken, FIELDS, "photos", NOW)
        assert refusal is not None
        assert refusal.message == "Invalid Policy: invalid Base64 encoding."


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=6),
        st.sampled_from(["eq", "starts-with", "content-length-range", "$key", "$bucket", LATER]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["key", "acl", "expiration", "conditions"]), inner),
    ),
    max_leaves=12,
)


@given(st.one_of(JSON, st.fixed_dictionaries({"expiration": st.just(LATER), "conditions": JSON})))
def test_any_document_ends_in_sizes_or_a_refusal(document: Any) -> None:
    """Nothing that JSON can spell raises anything but S3's two refusals, which can be written."""
    refusal = refusal_of(check_policy, encode(document), FIELDS, "photos", NOW)
    if refusal is not None:
        assert refusal.code in {"InvalidPolicyDocument", "AccessDenied"}
        assert refusal.message.encode()
