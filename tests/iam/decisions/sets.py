"""ForAllValues and ForAnyValue: keys that have several values, one, or none."""

from __future__ import annotations

from tests.iam.decisions.cases import EXPLICIT, IAM, Case, allow, conditions, deny, document

SETS = IAM + "reference_policies_condition-single-vs-multi-valued-context-keys.html"
EXAMPLES = IAM + "reference_policies_condition_examples-multi-valued-context-keys.html"
KEYS, TAG = "s3:RequestObjectTagKeys", "s3:RequestObjectTag/team"
ALL, ANY = "ForAllValues:", "ForAnyValue:"

ROWS = [
    (ALL + "StringEquals", KEYS, ["a", "b"], ["a", "b"], True, "each is listed"),
    (ALL + "StringEquals", KEYS, ["a", "b"], ["a"], True, "fewer are there than listed"),
    (ALL + "StringEquals", KEYS, ["a", "b"], ["a", "c"], False, "one is not listed"),
    (ALL + "StringEquals", KEYS, ["a", "b"], ["c"], False, "none is listed"),
    (ALL + "StringEquals", KEYS, "a", ["a", "a"], True, "twice the same"),
    (ALL + "StringEquals", KEYS, ["a"], [], True, "nothing is there"),
    (ALL + "StringEquals", KEYS, ["a"], None, True, "not even the key"),
    (ALL + "StringEquals", KEYS, ["a"], [""], True, "an empty text is a null data set"),
    (ALL + "StringEquals", KEYS, ["a"], ["A"], False, "case counts"),
    (ALL + "StringEqualsIgnoreCase", KEYS, ["a"], ["A"], True, "case does not count"),
    (ALL + "StringLike", KEYS, ["te*", "cost"], ["team", "cost"], True, "patterns"),
    (ALL + "StringLike", KEYS, ["te*"], ["team", "cost"], False, "one fits no pattern"),
    (ALL + "StringNotEquals", KEYS, ["a"], ["b", "c"], True, "none is the one listed"),
    (ALL + "StringNotEquals", KEYS, ["a"], ["a", "b"], False, "one is the one listed"),
    (ALL + "StringNotEquals", KEYS, ["a", "b"], ["c"], True, "none of those listed: NOR"),
    (ALL + "StringNotEquals", KEYS, ["a"], None, True, "not there"),
    (ALL + "StringNotLike", KEYS, ["secret-*"], ["team"], True, "none fits"),
    (ALL + "StringNotLike", KEYS, ["secret-*"], ["team", "secret-1"], False, "one fits"),
    (ALL + "NumericLessThan", "s3:max-keys", "10", ["1", "9"], True, "all numbers"),
    (ALL + "NumericLessThan", "s3:max-keys", "10", ["1", "11"], False, "not all numbers"),
    (ALL + "ArnLike", "aws:SourceArn", "arn:aws:s3:::*", ["arn:aws:s3:::a"], True, "ARNs"),
    (ALL + "Bool", "aws:SecureTransport", "true", ["true"], True, "one value is a set too"),
    (ALL + "Bool", "aws:MultiFactorAuthPresent", "true", None, True, "lacking"),
    (ANY + "StringEquals", KEYS, ["a", "b"], ["b", "c"], True, "one is listed"),
    (ANY + "StringEquals", KEYS, ["a", "b"], ["a", "b"], True, "both are"),
    (ANY + "StringEquals", KEYS, ["a", "b"], ["c"], False, "none is"),
    (ANY + "StringEquals", KEYS, ["a"], [], False, "nothing is there"),
    (ANY + "StringEquals", KEYS, ["a"], None, False, "not even the key"),
    (ANY + "StringEquals", KEYS, ["", "a"], [""], False, "an empty text is a null data set"),
    (ANY + "StringLike", KEYS, ["te*"], ["cost", "team"], True, "one fits"),
    (ANY + "StringLike", KEYS, ["te*"], ["cost"], False, "none fits"),
    (ANY + "StringNotEquals", KEYS, ["a"], ["a", "b"], True, "one is another"),
    (ANY + "StringNotEquals", KEYS, ["a"], ["a"], False, "none is another"),
    (ANY + "StringNotEquals", KEYS, ["a", "b"], ["a", "b"], False, "each is listed: NOR"),
    (ANY + "StringNotEquals", KEYS, ["a", "b"], ["a", "c"], True, "one is not listed: NOR"),
    (ANY + "StringNotEquals", KEYS, ["a"], None, False, "not there"),
    (ANY + "StringNotLike", KEYS, ["te*"], ["team", "cost"], True, "one does not fit"),
    (ANY + "NumericGreaterThan", "s3:max-keys", "10", ["1", "11"], True, "one number"),
    (ANY + "IpAddress", "aws:SourceIp", "10.0.0.0/8", ["192.0.2.1", "10.0.0.1"], True, "one address"),
    (ANY + "StringEqualsIfExists", KEYS, ["a"], ["a"], True, "with IfExists, there"),
    (ANY + "StringEqualsIfExists", KEYS, ["a"], ["b"], False, "with IfExists, another"),
    (ALL + "StringEqualsIfExists", KEYS, ["a"], None, True, "with IfExists, not there"),
    (ANY + "StringEqualsIfExists", KEYS, ["a"], None, True, "with IfExists, not there"),
]
NOT_EMPTY = {
    "ForAllValues:StringEquals": {KEYS: ["team", "cost"]},
    "Null": {KEYS: "false"},
}
FORBIDDEN = {"ForAnyValue:StringEquals": {KEYS: ["ID", "PostDateTime"]}}

CASES = [
    *conditions(SETS, ROWS),
    *(
        Case(
            f"all of these and at least one: {sent}",
            EXAMPLES,
            "allow" if holds else "implicit deny",
            "s3:PutObject",
            identity=(document(allow("s3:PutObject", Condition=NOT_EMPTY)),),
            context={} if sent is None else {KEYS: sent},
        )
        for sent, holds in (
            (["team"], True),
            (["team", "cost"], True),
            (["team", "size"], False),
            (None, False),
        )
    ),
    *(
        Case(
            f"any of these is denied: {sent}",
            EXAMPLES,
            EXPLICIT if denied else "allow",
            "s3:PutObject",
            identity=(
                document(allow("s3:PutObject"), deny("s3:PutObject", Condition=FORBIDDEN)),
            ),
            context={} if sent is None else {KEYS: sent},
        )
        for sent, denied in (
            (["PostDateTime", "Message"], True),
            (["UserName"], False),
            (None, False),
        )
    ),
    Case(
        "a tag by its key has one value",
        SETS,
        "allow",
        "s3:PutObject",
        identity=(document(allow("s3:PutObject", Condition={"StringEquals": {TAG: "red"}})),),
        context={TAG: "red"},
    ),
]
