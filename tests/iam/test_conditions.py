"""Claims about `iam.conditions`: each operator, set forms, IfExists, variables, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.conditions import InvalidCondition, Template, read_conditions

CONTEXT = {
    "aws:username": ("ada",),
    "aws:sourceip": ("10.1.2.3",),
    "aws:securetransport": ("true",),
    "aws:currenttime": ("2026-11-25T12:00:00Z",),
    "aws:epochtime": ("1795608000",),
    "aws:principalarn": ("arn:aws:iam::1:user/team/ada",),
    "s3:prefix": ("home/ada/",),
    "s3:max-keys": ("100",),
    "s3:requestobjecttagkeys": ("color", "size"),
    "s3:odd": ("a*",),
    "s3:blob": ("AAE=",),
    "s3:empty": ("",),
}


def holds(block: Any, context: Any = CONTEXT) -> bool:
    """Tell whether a condition block holds."""
    conditions = read_conditions(block, knows_variables=True)
    return all(condition.holds(context) for condition in conditions)


@pytest.mark.parametrize(
    ("operator", "key", "values", "is_met"),
    [
        ("StringEquals", "aws:username", "ada", True),
        ("StringEquals", "AWS:UserName", ["bob", "ada"], True),
        ("StringEquals", "aws:username", "Ada", False),
        ("StringEquals", "aws:username", "a*", False),
        ("StringNotEquals", "aws:username", ["bob", "ada"], False),
        ("StringNotEquals", "aws:username", "bob", True),
        ("StringEqualsIgnoreCase", "aws:username", "ADA", True),
        ("StringNotEqualsIgnoreCase", "aws:username", "ADA", False),
        ("StringLike", "s3:prefix", "home/*/", True),
        ("StringLike", "s3:prefix", "home/???/", True),
        ("StringLike", "s3:prefix", "home", False),
        ("StringNotLike", "s3:prefix", "home/*", False),
        ("StringLike", "s3:prefix", "home/${aws:username}/", True),
        ("StringEquals", "s3:prefix", "home/${aws:username}/", True),
        ("StringEquals", "s3:odd", "a${*}", True),
        ("StringLike", "s3:odd", "a${*}", True),
        ("StringLike", "aws:username", "${s3:odd}", False),
        ("StringEquals", "aws:username", "${s3:none, 'ada'}", True),
        ("NumericEquals", "s3:max-keys", 100, True),
        ("NumericNotEquals", "s3:max-keys", "100.0", False),
        ("NumericLessThan", "s3:max-keys", "101", True),
        ("NumericLessThanEquals", "s3:max-keys", "99", False),
        ("NumericGreaterThan", "s3:max-keys", "-5", True),
        ("NumericGreaterThanEquals", "s3:max-keys", "100", True),
        ("NumericEquals", "aws:username", "1", False),
        ("DateGreaterThan", "aws:currenttime", "2026-11-25T11:59:59Z", True),
        ("DateLessThan", "aws:currenttime", "2026-11-25T13:00:00+02:00", False),
        ("DateLessThanEquals", "aws:epochtime", "2026-11-25T12:00:00Z", True),
        ("DateEquals", "aws:currenttime", "1795608000", True),
        ("DateGreaterThanEquals", "aws:currenttime", "2026", True),
        ("DateLessThan", "aws:currenttime", "2026-11", False),
        ("Bool", "aws:securetransport", "${aws:securetransport}", True),
        ("Bool", "aws:securetransport", "true", True),
        ("Bool", "aws:securetransport", False, False),
        ("BinaryEquals", "s3:blob", "AAE=", True),
        ("BinaryEquals", "s3:blob", "AAI=", False),
        ("IpAddress", "aws:sourceip", "10.0.0.0/8", True),
        ("IpAddress", "aws:sourceip", ["2001:db8::/32", "10.1.2.3"], True),
        ("IpAddress", "aws:sourceip", "10.1.3.0/24", False),
        ("NotIpAddress", "aws:sourceip", "10.0.0.0/8", False),
        ("ArnLike", "aws:principalarn", "arn:aws:iam::*:user/*", True),
        ("ArnEquals", "aws:principalarn", "arn:aws:iam::1:user/team/a?a", True),
        ("ArnLike", "aws:principalarn", "arn:aws:*", False),
        ("ArnNotLike", "aws:principalarn", "arn:aws:iam::2:*", True),
        ("Null", "s3:none", "true", True),
        ("Null", "aws:username", "true", False),
        ("Null", "aws:username", False, True),
        ("StringEquals", "s3:none", "x", False),
        ("StringNotEquals", "s3:none", "x", True),
        ("StringEqualsIfExists", "s3:none", "x", True),
        ("StringEqualsIfExists", "aws:username", "x", False),
        ("NumericLessThanIfExists", "s3:none", "1", True),
        ("ForAllValues:StringEquals", "s3:RequestObjectTagKeys", ["color", "size", "x"], True),
        ("ForAllValues:StringEquals", "s3:RequestObjectTagKeys", ["color"], False),
        ("ForAllValues:StringEquals", "s3:none", ["color"], True),
        ("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", ["size", "x"], True),
        ("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", ["x"], False),
        ("ForAnyValue:StringEquals", "s3:none", ["x"], False),
        ("ForAllValues:StringNotEquals", "s3:RequestObjectTagKeys", ["x"], True),
        ("ForAllValues:StringNotEquals", "s3:RequestObjectTagKeys", ["size"], False),
        ("ForAnyValue:StringLike", "s3:RequestObjectTagKeys", ["col*"], True),
        ("ForAllValues:StringEquals", "s3:empty", "x", True),
        ("ForAnyValue:StringEquals", "s3:empty", "", False),
        ("StringEquals", "s3:empty", "", True),
    ],
)
def test_an_operator_holds_as_documented(
    operator: str, key: str, values: Any, is_met: bool
) -> None:
    """Each operator decides as AWS's pages say, also for keys that are not there."""
    assert holds({operator: {key: values}}) is is_met


def test_all_keys_and_operators_of_a_block_must_hold() -> None:
    """Operators and keys are joined by and, values by or."""
    block = {
        "StringEquals": {"aws:username": ["bob", "ada"], "s3:prefix": "home/ada/"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    assert holds(block)
    assert not holds(block | {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})


def test_an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address() -> None:
    """A mapped address meets the networks of what it maps, so no socket's form opens a door."""
    context = {"aws:sourceip": ("::ffff:10.1.2.3",)}
    assert holds({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, context)
    assert not holds({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, context)


def test_a_variable_that_is_not_there_is_met_by_nothing() -> None:
    """A value that names what the request lacks equals nothing; the other values still count."""
    for operator, is_met in (("StringEquals", False), ("StringNotEquals", True)):
        assert holds({operator: {"aws:username": "${s3:none}"}}) is is_met
    assert holds({"StringLike": {"aws:username": ["${s3:none}", "ada"]}})
    assert not holds({"StringNotLike": {"aws:username": ["${s3:none}", "ada"]}})
    assert Template("${s3:none}").fill(CONTEXT) is None
    assert Template("${s3:requestobjecttagkeys}").fill(CONTEXT) is None, "it has two values"


def test_without_variables_a_dollar_is_a_dollar() -> None:
    """Policies of 2008 have no variables: the text is taken as it stands."""
    (condition,) = read_conditions(
        {"StringEquals": {"s3:prefix": "${aws:username}"}}, knows_variables=False
    )
    assert condition.holds({"s3:prefix": ("${aws:username}",)})


@pytest.mark.parametrize(
    "block",
    [
        [],
        {"StringEquals": "x"},
        {"StringEquals": {"aws:username": []}},
        {"StringEquals": {"aws:username": {}}},
        {"StringEquals": {"aws:username": None}},
        {"StringEquals": {"": "x"}},
        {"StringIs": {"aws:username": "x"}},
        {"stringequals": {"aws:username": "x"}},
        {"ForEach:StringEquals": {"aws:username": "x"}},
        {"ForAllValues:Null": {"aws:username": "true"}},
        {"NullIfExists": {"aws:username": "true"}},
        {"NumericEquals": {"s3:max-keys": "many"}},
        {"NumericEquals": {"s3:max-keys": "nan"}},
        {"DateLessThan": {"aws:CurrentTime": "tomorrow"}},
        {"Bool": {"aws:SecureTransport": "yes"}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}},
        {"BinaryEquals": {"s3:blob": "%"}},
        {"Null": {"aws:username": "maybe"}},
        {"StringIs": {}},
        {"IfExists": {"aws:username": "x"}},
        {":StringEquals": {"aws:username": "x"}},
        {"ForAnyValue::StringEquals": {"aws:username": "x"}},
        {"NumericEquals": {"s3:max-keys": "${s3:max-keys}"}},
        {"DateEquals": {"aws:CurrentTime": "${aws:CurrentTime}"}},
        {"IpAddress": {"aws:SourceIp": "${aws:SourceIp}"}},
        {"Null": {"aws:username": "${aws:username}"}},
        {"StringEquals": {"aws:username": "${aws:username"}},
        {"StringEquals": {"aws:username": "${}"}},
    ],
)
def test_what_is_not_understood_is_refused(block: Any) -> None:
    """An operator, value or form that means nothing is refused when the policy is saved."""
    with pytest.raises(InvalidCondition):
        read_conditions(block, knows_variables=True)


@given(st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=5), max_size=2)))
def test_no_request_breaks_a_condition(context: dict[str, list[str]]) -> None:
    """Whatever a request's values are, every operator says yes or no."""
    names = ("NumericLessThan", "DateEquals", "Bool", "BinaryEquals", "IpAddress", "ArnLike")
    values = ("1", "2026-01-01", "true", "AA==", "10.0.0.0/8", "arn:aws:iam::1:user/*")
    for name, value in zip(names, values, strict=True):
        for key, actual in context.items():
            if key:
                holds({name: {key: value}}, {key.lower(): actual})
