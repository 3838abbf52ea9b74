"""A second evaluator of policies, slow and plain, written from AWS's prose alone.

It shares nothing with S4's: documents are walked as they stand, for each request anew. Sources, of
docs.aws.amazon.com/IAM/latest/UserGuide: reference_policies_evaluation-logic,
reference_policies_elements_condition_operators, reference_policies_variables,
reference_policies_condition-single-vs-multi-valued-context-keys, reference_policies_elements_*.
"""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

STAR, QUESTION = ("star",), ("question",)


@dataclass
class Request:
    """What is asked: the keys of `context` in lower case, each with its values."""

    action: str
    resource: str
    names: set[str] = field(default_factory=set)  # of who asks
    context: dict[str, list[str]] = field(default_factory=dict)


def decide(
    identity: list[dict[str, Any]],
    bucket: dict[str, Any] | None,
    key: dict[str, Any] | None,
    request: Request,
) -> str:
    """Decide within an account: "If an explicit deny is found ... the final decision is Deny"."""
    sides = [effects(policy, request) for policy in identity]
    sides.append(effects(bucket, request) if bucket else set())
    narrowed = effects(key, request) if key else {"Allow"}
    if any("Deny" in side for side in [*sides, narrowed]):
        return "explicit deny"
    if any("Allow" in side for side in sides) and "Allow" in narrowed:
        return "allow"
    return "implicit deny"


def effects(policy: dict[str, Any], request: Request) -> set[str]:
    """List the effects of all statements that speak of a request."""
    has_variables = policy.get("Version") == "2012-10-17"
    return {
        each["Effect"]
        for each in listed(policy["Statement"])
        if speaks(each, request, has_variables=has_variables)
    }


def speaks(statement: dict[str, Any], request: Request, *, has_variables: bool) -> bool:
    """Tell whether principal, action, resource and all conditions of a statement fit."""

    def fits(element: str, test: Any) -> bool:
        if f"Not{element}" in statement:
            return not any(map(test, listed(statement[f"Not{element}"])))
        return any(map(test, listed(statement[element])))

    def is_action(pattern: str) -> bool:
        return matches(tokens(pattern.lower(), {}, has_variables=False), request.action.lower())

    def is_resource(pattern: str) -> bool:
        return matches(
            tokens(pattern, request.context, has_variables=has_variables), request.resource
        )

    if not (fits("Action", is_action) and fits("Resource", is_resource)):
        return False
    if "Principal" in statement or "NotPrincipal" in statement:
        element = statement.get("Principal", statement.get("NotPrincipal"))
        named = (
            ["*"]
            if element == "*"
            else [name for each in element.values() for name in listed(each)]
        )
        is_named = "*" in named or bool(request.names & set(named))
        if is_named is ("NotPrincipal" in statement):
            return False
    return all(
        holds(operator, name.lower(), listed(wanted), request.context, has_variables=has_variables)
        for operator, keys in statement.get("Condition", {}).items()
        for name, wanted in keys.items()
    )


def listed(found: Any) -> list[Any]:
    """Make a list of what may stand alone."""
    return found if isinstance(found, list) else [found]


# --- texts ---------------------------------------------------------------------------------------


def tokens(text: str, context: dict[str, list[str]], *, has_variables: bool) -> list[Any] | None:
    """Split a pattern into characters and wildcards; None: a variable has no value."""
    made: list[Any] = []
    while text:
        if has_variables and text.startswith("${") and "}" in text:
            inside, text = text[2:].split("}", 1)
            value = variable(inside, context)
            if value is None:
                return None
            made += value
            continue
        made.append({"*": STAR, "?": QUESTION}.get(text[0], text[0]))
        text = text[1:]
    return made


def variable(inside: str, context: dict[str, list[str]]) -> str | None:
    """Say what stands for a variable: a character, the value of a key, or its default."""
    if inside in {"*", "?", "$"}:
        return inside
    name, _, default = inside.partition(",")
    values = context.get(name.strip().lower(), [])
    if len(values) == 1:
        return values[0]
    default = default.strip()
    return default[1:-1] if default.startswith("'") else None


def matches(pattern: list[Any] | None, text: str) -> bool:
    """Hold a text against a pattern, place by place."""
    if pattern is None:
        return False
    reached = {0}
    for token in pattern:
        if token is STAR:
            reached = set(range(min(reached), len(text) + 1)) if reached else set()
        else:
            reached = {
                at + 1
                for at in reached
                if at < len(text) and (token is QUESTION or token == text[at])
            }
    return len(text) in reached


# --- conditions ----------------------------------------------------------------------------------


def holds(
    operator: str,
    key: str,
    wanted: list[Any],
    context: dict[str, list[str]],
    *,
    has_variables: bool,
) -> bool:
    """Tell whether one key of a condition block holds."""
    values = context.get(key, [])
    wanted = [str(each).lower() if isinstance(each, bool) else str(each) for each in wanted]
    if operator == "Null":
        return any((each.lower() == "true") is (not values) for each in wanted)
    quantifier, _, word = operator.rpartition(":")
    if word.endswith("IfExists"):
        word = word.removesuffix("IfExists")
        if not values:
            return True
    is_negated = "Not" in word
    if quantifier and not any(values):
        return quantifier == "ForAllValues"
    if not values:
        return is_negated
    met = [
        any(
            compares(word.replace("Not", ""), value, each, context, has_variables)
            for each in wanted
        )
        is not is_negated
        for value in values
    ]
    return all(met) if quantifier == "ForAllValues" else any(met)


def compares(
    word: str, value: str, wanted: str, context: dict[str, list[str]], has_variables: bool
) -> bool:
    """Hold one value of the request against one of the policy."""
    try:
        if word == "StringLike":
            return matches(tokens(wanted, context, has_variables=has_variables), value)
        if word in {"ArnLike", "ArnEquals"}:
            return arns(wanted, value, context, has_variables=has_variables)
        if word == "IpAddress":
            address = ipaddress.ip_address(value)
            address = getattr(address, "ipv4_mapped", None) or address
            return address in ipaddress.ip_network(wanted, strict=False)
        if word in {"StringEquals", "StringEqualsIgnoreCase"}:
            plain = tokens(wanted, context, has_variables=has_variables)
            if plain is None:
                return False
            text = "".join({STAR: "*", QUESTION: "?"}.get(each, each) for each in plain)
            return text == value or (word != "StringEquals" and text.lower() == value.lower())
        if word == "Bool" and has_variables and "${" in wanted:
            wanted = variable(wanted[2:-1], context) or ""
        return ordered(word, value, wanted)
    except ValueError:
        return False


def arns(wanted: str, value: str, context: dict[str, list[str]], *, has_variables: bool) -> bool:
    """Compare "each of the six colon-delimited components" by itself."""
    pattern = tokens(wanted, context, has_variables=has_variables)
    parts: list[list[Any]] = [[]]
    for token in pattern or []:
        if token == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(token)
    values = value.split(":", 5)
    return pattern is not None and len(parts) == len(values) and all(map(matches, parts, values))


def ordered(word: str, value: str, wanted: str) -> bool:
    """Compare numbers, dates, booleans and bytes."""
    kind, read = next(
        (name, reader)
        for name, reader in (
            ("Numeric", float),
            ("Date", moment),
            ("Bool", boolean),
            ("Binary", lambda text: base64.b64decode(text, validate=True)),
        )
        if word.startswith(name)
    )
    one, other = read(value), read(wanted)
    return {
        "": one == other,
        "Equals": one == other,
        "LessThan": one < other,
        "LessThanEquals": one <= other,
        "GreaterThan": one > other,
        "GreaterThanEquals": one >= other,
    }[word.removeprefix(kind)]


def moment(text: str) -> float:
    """Read a date or seconds since 1970."""
    if text.lstrip("-").replace(".", "", 1).isdigit() and not (text.isdigit() and len(text) == 4):
        return float(text)
    text += {4: "-01-01", 7: "-01"}.get(len(text), "")  # a year, a month
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def boolean(text: str) -> bool:
    """Read true or false."""
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"
