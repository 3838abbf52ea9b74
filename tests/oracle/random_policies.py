"""Random policies and requests that meet one another more often than chance would have it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ADA = {"arn:aws:iam::1:user/ada", "arn:aws:iam::1:root", "1", "a" * 64}
BOB = {"arn:aws:iam::2:user/bob", "arn:aws:iam::2:root", "2", "b" * 64}
ASKED = ["s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "s3:DeleteObject"]
ACTIONS = [*ASKED, "s3:Get*", "s3:*", "*", "s3:?etObject", "s3:*Object", "S3:getobject", "s3:*Acl"]
KEYS = ["a", "ab", "a/b", "ada/x", "bob/x", "*", "a*", "?", "team/red/x", "A", "x:y:z", "all"]
PATHS = [
    *("*", "a*", "a?", "?", "*/x", "a/b", "ada/*", "${aws:username}/*", "${aws:username}/?"),
    *("${*}", "a${*}", "${?}", "team/${aws:PrincipalTag/team}/*", "*${aws:username}*", "x:*"),
    *("${aws:PrincipalTag/team, 'all'}", "${s3:RequestObjectTagKeys}", "${$}", "A", "*a*b*"),
]
NAMES = sorted(ADA | BOB)
TEXTS = ["", "a", "A", "ab", "a*", "ada", "red", "home/ada/x", "home/", "*", "true", "10"]
PATTERNS = [*TEXTS, "a?", "home/*", "${aws:username}", "home/${aws:username}/*", "a${*}", "?*"]
PATTERNS += ["${aws:PrincipalTag/team}", "${aws:PrincipalTag/team, 'red'}", "*a*"]
NUMBERS = ["1", "10", "10.0", "-3", "9.5", "100"]
DATES = ["2026-11-25T12:00:00Z", "2026-11-25T13:00:00+01:00", "2026-11-26", "2026", "1795608000"]
ADDRESSES = ["10.1.2.3", "192.0.2.7", "::1", "::ffff:10.1.2.3", "2001:db8::9", "nowhere"]
NETWORKS = ["10.0.0.0/8", "192.0.2.7", "::/0", "0.0.0.0/0", "2001:db8::/32", "10.1.2.0/24"]
ARNS = ["arn:aws:s3:::b", "arn:aws:iam::1:user/ada", "arn:aws:sns:r:1:t:u", "arn:aws", "x"]
ARN_PATTERNS = ["arn:aws:iam::*:user/*", "arn:aws:*:*:*:*", "arn:aws:s3:::?", "arn:*", "*"]
ARN_PATTERNS += ["arn:aws:iam::1:user/${aws:username}", *ARNS]
BLOBS = ["AAE=", "AAI=", ""]
# a kind of operator: its names, a policy's values, a request's
KINDS: list[tuple[list[str], list[str], list[str]]] = [
    (["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"], PATTERNS, TEXTS),
    (["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"], PATTERNS, TEXTS),
    (["NumericEquals", "NumericNotEquals", "NumericLessThan"], NUMBERS, [*NUMBERS, "x"]),
    (["NumericLessThanEquals", "NumericGreaterThan"], NUMBERS, [*NUMBERS, "x"]),
    (
        ["DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThanEquals"],
        DATES,
        [*DATES, "x"],
    ),
    (["Bool"], ["true", "false", "TRUE"], ["true", "false", "yes"]),
    (["BinaryEquals"], BLOBS, BLOBS),
    (["IpAddress", "NotIpAddress"], NETWORKS, ADDRESSES),
    (["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"], ARN_PATTERNS, ARNS),
    (["Null"], ["true", "false"], TEXTS),
]
CONTEXT_KEYS = ["s3:prefix", "s3:RequestObjectTagKeys", "aws:SourceIp", "aws:PrincipalTag/team"]


def few(values: list[str], most: int = 3) -> st.SearchStrategy[Any]:
    """Draw one value or a list of a few."""
    one = st.sampled_from(values)
    return one | st.lists(one, min_size=1, max_size=most)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a condition block, most often an empty one."""
    block: dict[str, Any] = {}
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        names, wanted, _ = draw(st.sampled_from(KINDS))
        name = draw(st.sampled_from(names))
        if name != "Null":
            name = draw(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"])) + name
            name += draw(st.sampled_from(["", "", "IfExists"]))
        keys = block.setdefault(name, {})
        keys[draw(st.sampled_from(CONTEXT_KEYS))] = draw(few(wanted))
    return block


@st.composite
def statements(draw: st.DrawFn, *, is_bucket: bool, effect: str | None = None) -> dict[str, Any]:
    """Draw a statement of an identity's policy, or of the policy of the bucket b."""
    made: dict[str, Any] = {"Effect": effect or draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    made[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(few(ACTIONS))
    paths = st.sampled_from([f"arn:aws:s3:::b/{path}" for path in PATHS])
    if not is_bucket:
        paths |= st.sampled_from(["*", "arn:aws:s3:::*", "arn:aws:s3:*:*:b/a*", "arn:aws:s3:::c/*"])
    element = draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))
    made[element] = draw(paths | st.lists(paths, min_size=1, max_size=3))
    if is_bucket:
        named = st.just("*") | few([*NAMES, "*"]).map(lambda names: {"AWS": names})
        made[draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))] = draw(named)
    if block := draw(conditions()):
        made["Condition"] = block
    return made


def policies(*, is_bucket: bool = False, effect: str | None = None) -> st.SearchStrategy[Any]:
    """Draw a policy."""
    version = st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"])
    return st.fixed_dictionaries(
        {
            "Version": version if is_bucket else st.just("2012-10-17"),
            "Statement": st.lists(
                statements(is_bucket=is_bucket, effect=effect), min_size=1, max_size=3
            ),
        }
    )


@st.composite
def contexts(draw: st.DrawFn) -> dict[str, list[str]]:
    """Draw what a request brings along: keys with one value, some, none."""
    found: dict[str, list[str]] = {}
    for key in CONTEXT_KEYS:
        if draw(st.booleans()):
            _, _, values = draw(st.sampled_from(KINDS))
            sizes = (0, 3) if key.endswith("Keys") else (1, 1)
            pool = st.sampled_from([*values, *ADDRESSES, *TEXTS])
            found[key.lower()] = draw(st.lists(pool, min_size=sizes[0], max_size=sizes[1]))
    if draw(st.booleans()):
        found["aws:username"] = [draw(st.sampled_from(["ada", "bob", "*", "a?"]))]
    return found


callers = st.sampled_from([frozenset(ADA), frozenset(BOB), frozenset[str]()])
resources = st.sampled_from([f"arn:aws:s3:::b/{key}" for key in KEYS])
asked = st.sampled_from(ASKED)
