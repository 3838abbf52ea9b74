"""Policies put into words, for people who write and read them.

Where a document that was refused is wrong, and what each statement of one that was saved says.
Pure: knows no Django and no request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam.grammar import WITH_VARIABLES, MalformedPolicy, read_identity_document

if TYPE_CHECKING:
    from iam.documents import Policy


class Sentence(NamedTuple):
    """One statement, part by part, as it was written."""

    sid: str  # by its place from 1 on, when it has none
    is_allow: bool
    actions: list[str]
    resources: list[str]
    conditions: list[str]  # "aws:SourceIp IpAddress 10.0.0.0/8, 10.1.0.0/16"
    all_but_actions: bool = False
    all_but_resources: bool = False


# What `load_policy` makes of a document that this version does not understand.
UNREADABLE: Final = Sentence(
    sid="1",
    is_allow=False,
    actions=["*"],
    resources=["*"],
    conditions=["always: it is not understood any more, save it anew"],
)


def sentences(policy: Policy) -> list[Sentence]:
    """Put a policy into words."""
    if not policy.text:
        return [UNREADABLE]
    statements = _listed(json.loads(policy.text)["Statement"])
    return [_sentence(number, fields) for number, fields in enumerate(statements, 1)]


def _sentence(number: int, fields: dict[str, Any]) -> Sentence:
    return Sentence(
        sid=fields.get("Sid") or str(number),
        is_allow=fields["Effect"] == "Allow",
        actions=_listed(fields.get("Action", fields.get("NotAction"))),
        all_but_actions="NotAction" in fields,
        resources=_listed(fields.get("Resource", fields.get("NotResource"))),
        all_but_resources="NotResource" in fields,
        conditions=[
            f"{key} {operator} {', '.join(map(_plain, _listed(values)))}"
            for operator, keys in fields.get("Condition", {}).items()
            for key, values in keys.items()
        ],
    )


def statement_text(text: str, sid: str) -> str:
    """Find a statement of a saved document by its Sid, or by its place from 1 on; in JSON."""
    for number, fields in enumerate(_listed(json.loads(text)["Statement"]), 1):
        if (fields.get("Sid") or str(number)) == sid:
            return json.dumps(fields, indent=2, ensure_ascii=False)
    return ""


def place_of_error(text: str) -> str:
    """Say where a refused document is wrong, by line or statement; "" when it is no one place."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError):  # a number of too many digits, too deep a nesting
        return ""
    if not isinstance(document, dict):
        return ""
    for number, fields in enumerate(_listed(document.get("Statement")), 1):
        if isinstance(fields, dict) and _is_wrong(fields):
            sid = fields.get("Sid")
            return f'statement {number}, "{sid}"' if sid else f"statement {number}"
    return ""


def _is_wrong(fields: dict[str, Any]) -> bool:
    """Whether a statement would be refused alone."""
    try:
        read_identity_document(json.dumps({"Version": WITH_VARIABLES, "Statement": [fields]}))
    except MalformedPolicy:
        return True
    return False


def _plain(value: object) -> str:
    """Write a value of a condition as JSON does, a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _listed(found: Any) -> list[Any]:
    """Make a list of what may stand alone or in a list."""
    return found if isinstance(found, list) else [found]
