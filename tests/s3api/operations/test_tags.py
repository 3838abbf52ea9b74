"""What a tag may be, and the header that carries tags."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.operations.tags import (
    BUCKET_TAGS,
    NEW_BUCKET_TAGS,
    OBJECT_TAGS,
    TagRules,
    read_tag_set,
    read_tagging_header,
    write_tag_set,
)
from tests.s3api.refusals import refusal_of

KEY_REFUSED = "The TagKey you have provided is invalid"
VALUE_REFUSED = "The TagValue you have provided is invalid"
LEGAL = st.text(
    st.characters(categories=("L", "N", "Z"), include_characters="_.:/=+-@"), max_size=64
)
ASTRAL = "\U00010400"  # a letter of two UTF-16 units


def one(key: str, value: str = "") -> list[dict[str, str]]:
    """Write a tag set of one tag."""
    return [{"Key": key, "Value": value}]


def many(count: int) -> list[dict[str, str]]:
    """Write a tag set of several tags."""
    return [{"Key": f"key-{number}", "Value": ""} for number in range(count)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("k", ""),
        ("k" * 128, "v" * 256),
        (ASTRAL * 64, ASTRAL * 128),
        ("Straße é 東京 ٣", "a\u00a0b\u2028c"),
        ("_.:/=+-@ 09", "_.:/=+-@ 09"),
        ("AWS:k", "aws:v"),
        ("awsk", ""),
    ],
)
def test_a_legal_tag_is_kept_as_it_is(key: str, value: str) -> None:
    """Letters, digits, spaces of any script and eight marks may stand in a tag."""
    assert read_tag_set(one(key, value), OBJECT_TAGS) == {key: value}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "k" * 129,
        ASTRAL * 65,
        "k\n",
        "k,",
        "k!",
        "k%",
        "k*",
        "k?",
        "k#",
        "k\u0301",
        "k\U0001f600",
    ],
)
def test_an_illegal_key_is_refused_by_name(key: str) -> None:
    """A key of no or too many characters, or of others, is InvalidTag, which names it."""
    refusal = refusal_of(read_tag_set, one(key), OBJECT_TAGS)
    assert refusal is not None
    assert (refusal.code, refusal.message) == ("InvalidTag", KEY_REFUSED)
    assert refusal.detail == {"TagKey": key}


@pytest.mark.parametrize("value", ["v" * 257, ASTRAL * 129, "v,", "a;b", "(v)", "`", "v\t"])
def test_an_illegal_value_is_refused_by_name(value: str) -> None:
    """A value that is too long or of other characters is InvalidTag, which names the tag."""
    refusal = refusal_of(read_tag_set, one("k", value), BUCKET_TAGS)
    assert refusal is not None
    assert (refusal.code, refusal.message) == ("InvalidTag", VALUE_REFUSED)
    assert refusal.detail == {"TagKey": "k", "TagValue": value}


@pytest.mark.parametrize(
    ("rules", "message", "detail"),
    [
        (OBJECT_TAGS, "Your TagKey cannot be prefixed with aws:", {"TagKey": "aws:k"}),
        (BUCKET_TAGS, "System tags cannot be added/updated by requester", {"TagKey": "aws:k"}),
        (
            NEW_BUCKET_TAGS,
            (
                'User-defined tag keys can\'t start with "aws:". This prefix is reserved for '
                'system tags. Remove "aws:" from your tag keys and try again.'
            ),
            {},
        ),
    ],
)
def test_keys_of_aws_itself_are_refused(
    rules: TagRules, message: str, detail: dict[str, str]
) -> None:
    """A key that begins with `aws:` is refused, in other words for each kind of tags."""
    refusal = refusal_of(read_tag_set, one("aws:k"), rules)
    assert refusal is not None
    assert (refusal.code, refusal.message, refusal.detail) == ("InvalidTag", message, detail)


def test_a_key_may_stand_once() -> None:
    """A repeated key is InvalidTag, whatever its value."""
    refusal = refusal_of(read_tag_set, one("k", "a") + one("k", "a"), OBJECT_TAGS)
    assert refusal is not None
    assert refusal.message == "Cannot provide multiple Tags with the same key"
    assert refusal.detail == {"TagKey": "k"}


@pytest.mark.parametrize(
    ("rules", "most", "message"),
    [
        (OBJECT_TAGS, 10, "Object tags cannot be greater than 10"),
        (BUCKET_TAGS, 50, "Bucket tag count cannot be greater than 50"),
    ],
)
def test_there_may_be_so_many_tags(rules: TagRules, most: int, message: str) -> None:
    """One tag more than there may be is BadRequest, unless one of them is wrong itself."""
    assert len(read_tag_set(many(most), rules)) == most
    refusal = refusal_of(read_tag_set, many(most + 1), rules)
    assert refusal is not None
    assert (refusal.code, refusal.message) == ("BadRequest", message)
    wrong = refusal_of(read_tag_set, many(most + 1) + one("!"), rules)
    assert wrong is not None
    assert wrong.code == "InvalidTag"


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", {}),
        ("&", {}),
        ("&&&", {}),
        ("key", {"key": ""}),
        ("key&", {"key": ""}),
        ("key=&", {"key": ""}),
        ("foo=bar&bar", {"bar": "", "foo": "bar"}),
        ("key1&&&key2", {"key1": "", "key2": ""}),
        ("key++key=value++value", {"key  key": "value  value"}),
        ("key%20key=value%20value", {"key key": "value value"}),
        ("key%2B=value%2B", {"key+": "value+"}),
        ("a%3Db=c%3Dd", {"a=b": "c=d"}),
        ("%C3%BC=%E6%9D%B1", {"ü": "東"}),
        ("\u00c3\u00bc=1", {"ü": "1"}),  # UTF-8 as it stands, in the Latin-1 of the header
    ],
)
def test_the_header_is_read_like_a_query(header: str, tags: dict[str, str]) -> None:
    """Escapes, `+`, missing values and empty pieces mean what they mean in a query."""
    assert read_tagging_header(header) == tags


@pytest.mark.parametrize(
    "header",
    ["=", "=v", "key%", "key=%zz", "key=%ff", "k=a&k=a", "k=a&%6B=b", "key1=val1,key2=val2"],
)
def test_a_header_that_cannot_be_read_is_refused(header: str) -> None:
    """A broken escape, a pair without a key or a repeated key is InvalidArgument."""
    refusal = refusal_of(read_tagging_header, header)
    assert refusal is not None
    assert refusal.code == "InvalidArgument"
    assert refusal.message == (
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
        "parameters without tag name duplicates."
    )
    assert refusal.detail == {"ArgumentName": "x-amz-tagging", "ArgumentValue": header}


@pytest.mark.parametrize(
    ("header", "code", "message"),
    [
        ("key?=val", "InvalidTag", KEY_REFUSED),
        ("key=val%3F", "InvalidTag", VALUE_REFUSED),
        (f"{'k' * 129}=v", "InvalidTag", KEY_REFUSED),
        (f"k={'v' * 257}", "InvalidTag", VALUE_REFUSED),
        ("aws%3Ak=v", "InvalidTag", "Your TagKey cannot be prefixed with aws:"),
        (
            "&".join(f"k{number}" for number in range(11)),
            "BadRequest",
            "Object tags cannot be greater than 10",
        ),
    ],
)
def test_the_header_obeys_the_rules_of_tags(header: str, code: str, message: str) -> None:
    """Tags of the header are refused as those of a document are."""
    refusal = refusal_of(read_tagging_header, header)
    assert refusal is not None
    assert (refusal.code, refusal.message) == (code, message)


@given(st.dictionaries(LEGAL.filter(bool), LEGAL, max_size=10))
def test_tags_survive_both_ways_of_sending(tags: dict[str, str]) -> None:
    """Legal tags are read back the same from a set and from a header, however it is escaped."""
    tags = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    assert read_tag_set(write_tag_set(tags), OBJECT_TAGS) == tags
    assert read_tagging_header(urlencode(tags)) == tags
    spaced = "&".join(f"{quote(key, safe='')}={quote(tags[key], safe='')}" for key in tags)
    assert read_tagging_header(spaced) == tags


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_is_anything_but_read_or_refused(header: str) -> None:
    """Whatever stands in the header becomes tags or a refusal of status 400."""
    refusal = refusal_of(read_tagging_header, header)
    assert refusal is None or refusal.status == 400
