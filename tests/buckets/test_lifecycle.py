"""Lifecycle rules as S3's document has them: what is refused, in whose words, and both ways."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckets.configuration import Lifecycle
from buckets.lifecycle import (
    LifecycleRefused,
    check_lifecycle,
    read_lifecycle,
    told,
    write_lifecycle,
)
from storage_engine import DAY_MS, LifecycleRule

TAG = {"Key": "k", "Value": "v"}
OTHER = {"Key": "l", "Value": ""}
EXPIRES = {"Expiration": {"Days": 1}}
MALFORMED = ("MalformedXML", None)
MIDNIGHT = 20_000 * DAY_MS
SIZE_MAX = 1_099_511_627_776_000


def rule(**members: Any) -> dict[str, Any]:
    """Write a rule about everything, unless it is said otherwise."""
    return {"ID": "one", "Status": "Enabled", "Filter": {}, **members}


def bare(**members: Any) -> dict[str, Any]:
    """Write a rule of the older form."""
    return {"ID": "one", "Status": "Enabled", "Prefix": "a/", **members}


def refusal(*rules: dict[str, Any]) -> tuple[str, str | None]:
    """Answer code and message of what rules are refused with."""
    with pytest.raises(LifecycleRefused) as caught:
        read_lifecycle({"Rules": list(rules)})
    assert str(caught.value).endswith(".")
    return caught.value.code, caught.value.message


def argument(message: str) -> tuple[str, str]:
    """Name the refusal of a value."""
    return "InvalidArgument", message


def request(message: str) -> tuple[str, str]:
    """Name the refusal of a combination."""
    return "InvalidRequest", message


V2 = "can only be used in Lifecycle V2."
SIZES = "should be between {} and 1099511627776000."
POSITIVE = "action must be a positive integer"
NEWER = "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be"
WRONG: list[tuple[list[dict[str, Any]], tuple[str, str | None]]] = [
    ([], MALFORMED),
    (
        [rule(ID=str(number), **EXPIRES) for number in range(1001)],
        request("Number of lifecycle rules should not exceed allowed limit of 1000 rules."),
    ),
    ([rule()], request("At least one action needs to be specified in a rule")),
    ([{"Status": "Enabled", **EXPIRES}], MALFORMED),
    ([rule(Prefix="", **EXPIRES)], MALFORMED),
    (
        [bare(**EXPIRES), rule(ID="two", **EXPIRES)],
        request(f"Filter element {V2}"),
    ),
    (
        [rule(ID="two", **EXPIRES), bare(**EXPIRES)],
        request(
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the "
            "Filter."
        ),
    ),
    (
        [rule(ID="x" * 256, **EXPIRES)],
        argument("ID length should not exceed allowed limit of 255"),
    ),
    (
        [rule(ID="\U0001f4a3" * 128, **EXPIRES)],
        argument("ID length should not exceed allowed limit of 255"),
    ),
    (
        [rule(**EXPIRES), rule(**EXPIRES)],
        argument("Rule ID must be unique. Found same ID for more than one rule"),
    ),
    ([rule(Filter={"Prefix": "", "Tag": TAG}, **EXPIRES)], MALFORMED),
    ([rule(Filter={"Prefix": "", "And": {"Prefix": "a"}}, **EXPIRES)], MALFORMED),
    ([rule(Filter={"Prefix": "", "ObjectSizeGreaterThan": 500}, **EXPIRES)], MALFORMED),
    ([rule(Filter={"And": {}}, **EXPIRES)], MALFORMED),
    ([rule(Filter={"And": {"Prefix": "a"}}, **EXPIRES)], MALFORMED),
    ([rule(Filter={"And": {"Tags": [TAG]}}, **EXPIRES)], MALFORMED),
    (
        [rule(Filter={"And": {"Tags": [TAG, TAG | {"Value": "w"}]}}, **EXPIRES)],
        request("Duplicate Tag Keys are not allowed."),
    ),
    (
        [rule(Filter={"And": {"Tags": [TAG | {"Key": str(n)} for n in range(11)]}}, **EXPIRES)],
        request("A rule can name 10 tags, as many as an object has."),
    ),
    (
        [rule(Filter={"Tag": TAG | {"Key": ""}}, **EXPIRES)],
        ("InvalidTag", "The TagKey you have provided is invalid"),
    ),
    (
        [rule(Filter={"Tag": TAG | {"Key": "k" * 129}}, **EXPIRES)],
        ("InvalidTag", "The TagKey you have provided is invalid"),
    ),
    (
        [rule(Filter={"Tag": TAG | {"Value": "v" * 257}}, **EXPIRES)],
        ("InvalidTag", "The TagValue you have provided is invalid"),
    ),
    (
        [rule(Filter={"Prefix": "é" * 513}, **EXPIRES)],
        request("The maximum size of a prefix is 1024."),
    ),
    (
        [rule(Filter={"ObjectSizeLessThan": 0}, **EXPIRES)],
        request(f"'ObjectSizeLessThan' {SIZES.format(1)}"),
    ),
    (
        [rule(Filter={"ObjectSizeLessThan": SIZE_MAX + 1}, **EXPIRES)],
        request(f"'ObjectSizeLessThan' {SIZES.format(1)}"),
    ),
    (
        [rule(Filter={"ObjectSizeGreaterThan": -1}, **EXPIRES)],
        request(f"'ObjectSizeGreaterThan' {SIZES.format(0)}"),
    ),
    (
        [
            rule(
                Filter={"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 9}},
                **EXPIRES,
            )
        ],
        request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."),
    ),
    ([rule(Expiration={})], MALFORMED),
    ([rule(Expiration={"Days": 1, "Date": MIDNIGHT})], MALFORMED),
    ([rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True})], MALFORMED),
    ([rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": False})], MALFORMED),
    ([rule(Expiration={"Days": 0})], argument(f"'Days' for Expiration {POSITIVE}")),
    ([rule(Expiration={"Days": -1})], argument(f"'Days' for Expiration {POSITIVE}")),
    ([rule(Expiration={"Date": MIDNIGHT + 1000})], argument("'Date' must be at midnight GMT")),
    ([rule(Expiration={"Date": 0})], argument("'Date' must be later than 1970-01-01")),
    ([rule(Expiration={"Date": -DAY_MS})], argument("'Date' must be later than 1970-01-01")),
    ([rule(NoncurrentVersionExpiration={})], MALFORMED),
    ([rule(NoncurrentVersionExpiration={"NewerNoncurrentVersions": 1})], MALFORMED),
    (
        [rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})],
        argument(f"'NoncurrentDays' for NoncurrentVersionExpiration {POSITIVE}"),
    ),
    (
        [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 0})],
        argument(f"{NEWER} a positive integer"),
    ),
    (
        [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 101})],
        argument(f"{NEWER} between 1 and 100"),
    ),
    (
        [bare(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 1})],
        request(f"NewerNoncurrentVersions element {V2}"),
    ),
    ([rule(AbortIncompleteMultipartUpload={})], MALFORMED),
    (
        [rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})],
        argument(f"'DaysAfterInitiation' for AbortIncompleteMultipartUpload {POSITIVE}"),
    ),
    *(
        (
            [rule(Filter=where, **what)],
            request(f"{action} cannot be specified with {words}."),
        )
        for action, what in (
            ("ExpiredObjectDeleteMarker", {"Expiration": {"ExpiredObjectDeleteMarker": True}}),
            ("ExpiredObjectDeleteMarker", {"Expiration": {"ExpiredObjectDeleteMarker": False}}),
            (
                "AbortIncompleteMultipartUpload",
                {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
            ),
        )
        for where, words in (
            ({"Tag": TAG}, "Tags"),
            ({"And": {"Prefix": "", "Tags": [TAG]}}, "Tags"),
            ({"ObjectSizeGreaterThan": 0}, "Object Size"),
            ({"ObjectSizeLessThan": 1}, "Object Size"),
        )
    ),
    ([rule(Transitions=[{"StorageClass": "GLACIER"}])], MALFORMED),
    ([rule(Transitions=[{"StorageClass": "GLACIER", "Days": 1, "Date": 0}])], MALFORMED),
    (
        [rule(Transitions=[{"StorageClass": "GLACIER", "Date": 1000}])],
        argument("'Date' must be at midnight GMT"),
    ),
    *(
        (
            [rule(ID="two", **EXPIRES), rule(**{name: [{"StorageClass": "GLACIER", days: 30}]})],
            (
                "NotImplemented",
                "Transitions are not implemented: S4 keeps every object in the class STANDARD.",
            ),
        )
        for name, days in (
            ("Transitions", "Days"),
            ("NoncurrentVersionTransitions", "NoncurrentDays"),
        )
    ),
]


@pytest.mark.parametrize(("rules", "expected"), WRONG)
def test_a_configuration_that_cannot_be_is_refused(
    rules: list[dict[str, Any]], expected: tuple[str, str | None]
) -> None:
    """Each fault has S3's code and words; as text every refusal is a sentence."""
    assert refusal(*rules) == expected


KEPT: list[list[dict[str, Any]]] = [
    [rule(**EXPIRES)],
    [rule(Filter={"Prefix": ""}, **EXPIRES)],
    [rule(Filter={"Prefix": "logs/"}, **EXPIRES)],
    [rule(Filter={"Tag": TAG}, **EXPIRES)],
    [rule(Filter={"ObjectSizeGreaterThan": 0}, **EXPIRES)],
    [rule(Filter={"ObjectSizeLessThan": SIZE_MAX}, **EXPIRES)],
    [rule(Filter={"And": {"Tags": [TAG, OTHER]}}, **EXPIRES)],
    [rule(Filter={"And": {"Prefix": "", "Tags": [TAG]}}, **EXPIRES)],
    [
        rule(
            Filter={
                "And": {
                    "Prefix": "p",
                    "ObjectSizeGreaterThan": 1,
                    "ObjectSizeLessThan": 9,
                    "Tags": [TAG, OTHER],
                }
            },
            **EXPIRES,
        )
    ],
    [rule(Expiration={"Date": MIDNIGHT})],
    [rule(Expiration={"ExpiredObjectDeleteMarker": True})],
    [rule(Expiration={"ExpiredObjectDeleteMarker": False})],
    [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 100})],
    [rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}, **EXPIRES)],
    [bare(**EXPIRES), bare(ID="two", Prefix="", Status="Disabled", **EXPIRES)],
    [rule(ID="x" * 255, **EXPIRES)],
    [rule(ID=str(number), Filter={"Prefix": f"{number}/"}, **EXPIRES) for number in range(1000)],
]


@pytest.mark.parametrize("rules", KEPT)
def test_what_was_put_is_given_back(rules: list[dict[str, Any]]) -> None:
    """Rules come back word for word, in the form and the order in which they were put."""
    lifecycle = read_lifecycle({"Rules": rules}, "varies_by_storage_class")
    assert write_lifecycle(lifecycle) == {"Rules": rules}
    assert lifecycle.minimum_size == "varies_by_storage_class"


@pytest.mark.parametrize("given_id", [{}, {"ID": ""}])
def test_a_rule_without_an_id_gets_one(given_id: dict[str, str]) -> None:
    """The id is made up as S3 makes them, and another one for each."""
    rules = [{**given_id, "Status": "Enabled", "Filter": {}, **EXPIRES} for _ in range(2)]
    ids = [made.id for made in read_lifecycle({"Rules": rules}).rules]
    assert len(set(ids)) == 2
    for each in ids:
        assert uuid.UUID(base64.b64decode(each).decode()).version == 4


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
DAYS = st.integers(0, 2**31 - 1)


@st.composite
def rules_of_values(draw: st.DrawFn) -> LifecycleRule:
    """Draw a rule as REST or the console make one."""
    expiry = draw(st.sampled_from(["expire_days", "expire_at_ms", "expires_markers", ""]))
    amount = draw(st.integers(1, 2**31 - 1))
    value = amount % 100_000 * DAY_MS if expiry == "expire_at_ms" else amount
    noncurrent = draw(DAYS)
    tags = draw(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3))
    above, below = draw(st.none() | st.integers(0, 99)), draw(st.none() | st.integers(100, 200))
    is_plain = not tags and above is None and below is None
    fields: dict[str, Any] = {expiry: value} if expiry in {"expire_days", "expire_at_ms"} else {}
    if expiry == "expires_markers" and is_plain:
        fields = {"expires_markers": True}
    return LifecycleRule(
        id=draw(TEXTS.filter(bool)),
        is_enabled=draw(st.booleans()),
        prefix=draw(TEXTS),
        tags=tags,
        size_above=above,
        size_below=below,
        noncurrent_days=noncurrent,
        noncurrent_kept=draw(st.integers(0, 100)) if noncurrent else 0,
        abort_days=draw(DAYS) if is_plain else 0,
        **fields,
    )


@given(st.lists(rules_of_values(), min_size=1, max_size=4, unique_by=lambda made: made.id))
def test_values_and_documents_are_one(rules: list[LifecycleRule]) -> None:
    """What the check lets pass can be written as a document, and is read from it as it was."""
    lifecycle = Lifecycle(rules=tuple(rules))
    try:
        check_lifecycle(lifecycle)
    except LifecycleRefused as error:
        assert error.message == "At least one action needs to be specified in a rule"  # noqa: PT017
        return
    assert read_lifecycle(write_lifecycle(lifecycle)).rules == lifecycle.rules


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a\0"},
        {"prefix": "\ud800"},
        {"tags": {"k": "\0"}},
        {"id": ""},
        {"expire_days": -1},
        {"abort_days": -1},
        {"expire_at_ms": 1},
        {"expire_at_ms": -DAY_MS},
        {"noncurrent_kept": 1},
        {"expire_at_ms": DAY_MS},
        {"expires_markers": True},
    ],
)
def test_values_are_checked_whoever_made_them(fields: dict[str, Any]) -> None:
    """What no document could say is refused of values too."""
    one = msgspec.structs.replace(LifecycleRule(id="one", expire_days=1), **fields)
    with pytest.raises(LifecycleRefused):
        check_lifecycle(Lifecycle(rules=(one,)))


def test_the_audit_log_is_told_what_rules_say() -> None:
    """Of each rule what it says is shown by name, and nothing else."""
    rules = [rule(Filter={"Prefix": "a"}, **EXPIRES)]
    assert told(read_lifecycle({"Rules": rules})) == {
        "rules": [{"id": "one", "prefix": "a", "expire_days": 1}],
        "minimum_size": "all_storage_classes_128K",
    }
    assert told(None) is None


def test_the_audit_log_is_not_told_megabytes() -> None:
    """Of more than anybody reads it is told how much it is, and which."""
    long = [bare(ID=f"{number}" + "x" * 200, **EXPIRES) for number in range(1000)]
    one, other = (told(read_lifecycle({"Rules": rules})) for rules in (long, long[:-1]))
    assert one is not None
    assert other is not None
    assert (one["count"], other["count"]) == (1000, 999)
    assert one["sha256"] != other["sha256"]
    assert len(msgspec.json.encode(one)) < 200
