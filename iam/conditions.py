"""The condition block of a policy: operators, set forms, IfExists, variables. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
and .../reference_policies_multi-value-conditions.html, .../reference_policies_variables.html
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam.patterns import WILD, as_itself, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Context = Mapping[str, Sequence[str]]
    Test = Callable[[str, Any], bool]

VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
SYMBOLS: Final = {"*": "*", "?": "?", "$": "$"}  # ${*}: the character, not the wildcard
NUMBER: Final = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)
BOOLEANS: Final = {"true": True, "false": False}


class Unresolved(LookupError):  # noqa: N818  # a state of the request, no fault
    """A variable names what the request does not have."""


class InvalidCondition(ValueError):  # noqa: N818  # AWS says so
    """A condition that means nothing; the text says why."""


def resolve(text: str, context: Context, *, quote: Callable[[str], str] = str) -> str:
    """Put a request's values in the place of `${...}`; Unresolved.

    `quote` makes a value safe from being read as a pattern.
    """

    def value(match: re.Match[str]) -> str:
        name, _, rest = match[1].partition(",")
        if name in SYMBOLS:
            return quote(SYMBOLS[name])
        values = context.get(name.strip().lower())
        if values is not None and len(values) == 1:
            return quote(values[0])
        default = rest.strip()
        if len(default) > 1 and default[0] == default[-1] == "'":
            return quote(default[1:-1])
        raise Unresolved(name)

    return VARIABLE.sub(value, text)


def variables(texts: Iterable[str]) -> set[str]:
    """Name the keys that stand in texts as variables, in lower case."""
    found = (match.partition(",")[0].strip() for text in texts for match in VARIABLE.findall(text))
    return {name.lower() for name in found if name not in SYMBOLS}


# --- operators -----------------------------------------------------------------------------------


def _same(actual: str, wanted: str) -> bool:
    return actual == wanted


def _same_folded(actual: str, wanted: str) -> bool:
    return actual.casefold() == wanted.casefold()


def _like(actual: str, wanted: str) -> bool:
    return bool(compile_pattern(wanted)(actual))


def _arn_like(actual: str, wanted: str) -> bool:
    """Compare ARNs part by part: no `*` reaches over one of the first five colons."""
    parts, patterns = actual.split(":", 5), wanted.split(":", 5)
    return len(parts) == len(patterns) and all(map(_like, parts, patterns))


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _moment(text: str) -> float:
    """Read ISO 8601, or seconds since 1970."""
    if NUMBER.fullmatch(text) and not re.fullmatch(r"\d{4}", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _boolean(text: str) -> bool:
    try:
        return BOOLEANS[text.lower()]
    except KeyError as error:
        raise ValueError(text) from error


def _binary(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def _in_network(actual: str, wanted: str) -> bool:
    address, network = ipaddress.ip_address(actual), _network(wanted)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address) in network


def _is_narrow(network: str) -> bool:
    """Tell whether a network is less than the public: S3 draws the line at /8 and at /32."""
    found = _network(network)
    return found.prefixlen >= (8 if found.version == IPV4 else 32)


def _comparing(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Test:
    return lambda actual, wanted: compare(read(actual), read(wanted))


class Operator(NamedTuple):
    """How one actual value is held against one of the policy."""

    test: Test
    read: Callable[[str], Any]  # raises ValueError for what the operator cannot take
    is_negated: bool = False
    takes_patterns: bool = False


def _pair(name: str, other: str, operator: Operator) -> dict[str, Operator]:
    return {name: operator, other: operator._replace(is_negated=True)}


def _ordered(name: str, read: Callable[[str], Any]) -> dict[str, Operator]:
    def made(compare: Callable[[Any, Any], bool]) -> Operator:
        return Operator(_comparing(read, compare), read)

    return _pair(f"{name}Equals", f"{name}NotEquals", made(lambda a, b: a == b)) | {
        f"{name}LessThan": made(lambda a, b: a < b),
        f"{name}LessThanEquals": made(lambda a, b: a <= b),
        f"{name}GreaterThan": made(lambda a, b: a > b),
        f"{name}GreaterThanEquals": made(lambda a, b: a >= b),
    }


_ARN: Final = Operator(_arn_like, str, takes_patterns=True)
OPERATORS: Final[dict[str, Operator]] = {
    **_pair("StringEquals", "StringNotEquals", Operator(_same, str)),
    **_pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", Operator(_same_folded, str)),
    **_pair("StringLike", "StringNotLike", Operator(_like, str, takes_patterns=True)),
    **_pair("ArnEquals", "ArnNotEquals", _ARN),
    **_pair("ArnLike", "ArnNotLike", _ARN),
    **_pair("IpAddress", "NotIpAddress", Operator(_in_network, _network)),
    **_ordered("Numeric", _number),
    **_ordered("Date", _moment),
    "Bool": Operator(_comparing(_boolean, lambda a, b: a == b), _boolean),
    "BinaryEquals": Operator(_comparing(_binary, lambda a, b: a == b), _binary),
}
NULL: Final = "Null"
FOR_ALL: Final = "ForAllValues"
FOR_ANY: Final = "ForAnyValue"
IF_EXISTS: Final = "IfExists"
IPV4: Final = 4


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a condition block with its operator and values."""

    key: str  # lower case
    operator: Operator | None  # None: Null
    values: tuple[str, ...]
    quantifier: str = ""  # "" | ForAllValues | ForAnyValue
    if_exists: bool = False
    has_variables: bool = False

    def holds(self, context: Context) -> bool:
        """Tell whether the request fulfils it; Unresolved."""
        actual = context.get(self.key)
        operator = self.operator
        if operator is None:
            return any(_boolean(value) is (not actual) for value in self.values)
        if not actual:
            if self.quantifier:
                return self.quantifier == FOR_ALL
            return self.if_exists or operator.is_negated
        wanted = self._wanted(context, operator)
        if self.has_variables and operator.takes_patterns:
            actual = [as_itself(value) for value in actual]
        met = (self._meets(operator, value, wanted) for value in actual)
        return all(met) if self.quantifier == FOR_ALL else any(met)

    def fixes(self, keys: frozenset[str]) -> bool:
        """Tell whether it holds one of `keys` to values that are written out, and not too wide."""
        operator = self.operator
        if self.key not in keys or operator is None or operator.is_negated or self.if_exists:
            return False
        if self.has_variables or self.quantifier == FOR_ALL:
            return False
        if operator.test is _in_network:
            return all(_is_narrow(value) for value in self.values)
        return not any(WILD.search(value) for value in self.values)

    def _wanted(self, context: Context, operator: Operator) -> Sequence[str]:
        if not self.has_variables:
            return self.values
        quote = as_itself if operator.takes_patterns else str
        return [resolve(value, context, quote=quote) for value in self.values]

    def _meets(self, operator: Operator, actual: str, wanted: Iterable[str]) -> bool:
        """Hold one actual value against all wanted: any of them, or none where negated."""
        return any(_is_met(operator.test, actual, value) for value in wanted) is not (
            operator.is_negated
        )


def _is_met(test: Test, actual: str, wanted: str) -> bool:
    try:
        return test(actual, wanted)
    except ValueError:  # the request's value is none that the operator can take
        return False


# --- reading -------------------------------------------------------------------------------------


def read_conditions(block: object, *, knows_variables: bool) -> tuple[Condition, ...]:
    """Read a condition block; InvalidCondition for anything that is not understood."""
    if not isinstance(block, dict):
        raise InvalidCondition("Condition must be an object.")
    found = []
    for name, keys in block.items():
        if not isinstance(keys, dict):
            raise InvalidCondition(f"The condition {name} must be an object of keys and values.")
        for key, values in keys.items():
            found.append(_read(name, key, values, knows_variables=knows_variables))
    return tuple(found)


def _read(name: str, key: str, values: object, *, knows_variables: bool) -> Condition:
    quantifier, _, rest = name.rpartition(":")
    if quantifier not in {"", FOR_ALL, FOR_ANY}:
        raise InvalidCondition(f"Invalid Condition type : {name}")
    if_exists = rest.endswith(IF_EXISTS) and rest != NULL + IF_EXISTS
    word = rest.removesuffix(IF_EXISTS) if if_exists else rest
    operator = OPERATORS.get(word)
    if operator is None and (word != NULL or quantifier):
        raise InvalidCondition(f"Invalid Condition type : {name}")
    texts = tuple(_text(name, value) for value in _listed(values))
    if not key or not texts:
        raise InvalidCondition(f"The condition {name} has a key without a name or without values.")
    has_variables = knows_variables and any("${" in text for text in texts)
    _check_values(name, operator.read if operator else _boolean, texts, has_variables=has_variables)
    return Condition(key.lower(), operator, texts, quantifier, if_exists, has_variables)


def _check_values(
    name: str, read: Callable[[str], Any], texts: Iterable[str], *, has_variables: bool
) -> None:
    for text in texts:
        if has_variables and "${" in text:
            continue  # known only with a request
        try:
            read(text)
        except (ValueError, binascii.Error) as error:
            raise InvalidCondition(
                f"The condition {name} cannot take the value {text!r}."
            ) from error


def _listed(values: object) -> list[object]:
    return values if isinstance(values, list) else [values]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidCondition(f"The condition {name} has a value that is neither text nor number.")
