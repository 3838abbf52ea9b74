"""The condition block of a policy: operators, set forms, IfExists, variables. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
and .../reference_policies_multi-value-conditions.html, .../reference_policies_variables.html
"""

from __future__ import annotations

import base64
import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam.patterns import WILD, as_itself, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Context = Mapping[str, Sequence[str]]

VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
SYMBOLS: Final = {"*": "*", "?": "?", "$": "$"}  # ${*}: the character, not the wildcard
NUMBER: Final = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)
YEAR: Final = re.compile(r"(\d{4})(-\d{2})?", re.ASCII)  # or year and month: W3C's NOTE-datetime
BOOLEANS: Final = {"true": True, "false": False}
ARN_PARTS: Final = 6


class InvalidCondition(ValueError):  # noqa: N818  # AWS says so
    """A condition that means nothing; the text says why.

    `is_value`: for a value that is none of its operator's kind, all else being as it should.
    """

    def __init__(self, reason: str, *, is_value: bool = False) -> None:
        super().__init__(reason)
        self.is_value = is_value


# --- variables -----------------------------------------------------------------------------------


class Template:
    """A text with variables, read once; ValueError where one has no end or no name."""

    __slots__ = ("_texts", "_variables", "keys", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._texts: list[str] = []  # with gaps, in which the variables stand
        self._variables: list[tuple[int, str, str | None]] = []  # of a gap, key and default
        if VARIABLE.sub("", text).count("${") or "${}" in text:
            raise ValueError(text)
        at = 0
        for match in VARIABLE.finditer(text):
            name, _, rest = match[1].partition(",")
            default, key = rest.strip(), name.strip().lower()
            is_quoted = len(default) > 1 and default[0] == default[-1] == "'"
            self._texts += (text[at : match.start()], "")
            gap = len(self._texts) - 1
            if name in SYMBOLS:
                self._variables.append((gap, "", SYMBOLS[name]))
            else:
                self._variables.append((gap, key, default[1:-1] if is_quoted else None))
            at = match.end()
        self._texts.append(text[at:])
        self.keys = {key for _, key, _ in self._variables} - {""}

    def fill(self, context: Context, quote: Callable[[str], str] = str) -> str | None:
        """Put a request's values in the place of the variables; None: it has not all of them.

        `quote` makes a value safe from being read as a pattern. A key with several values is none
        that may stand for one: reference_policies_variables.html.
        """
        made = self._texts.copy()
        for gap, key, default in self._variables:
            values = context.get(key, ())
            value = values[0] if len(values) == 1 else default
            if value is None:
                return None
            made[gap] = quote(value)
        return "".join(made)


# --- operators -----------------------------------------------------------------------------------


def _same(actual: str, wanted: str) -> bool:
    return actual == wanted


def _arn(text: str) -> list[str]:
    """Split an ARN; no `*` reaches over one of its first five colons."""
    return text.split(":", ARN_PARTS - 1)


def _arn_pattern(text: str) -> list[Callable[[str], bool]]:
    return [compile_pattern(part) for part in _arn(text)]


def _fits(actual: str, test: Callable[[str], bool]) -> bool:
    return bool(test(actual))


def _all_fit(actual: list[str], tests: list[Callable[[str], bool]]) -> bool:
    return len(actual) == len(tests) and all(map(_fits, actual, tests))


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _moment(text: str) -> float:
    """Read ISO 8601, or seconds since 1970."""
    if found := YEAR.fullmatch(text):
        text = f"{found[1]}{found[2] or '-01'}-01"
    elif NUMBER.fullmatch(text):
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


def _network(text: str) -> tuple[int, int, int]:
    """Read a network as its version, its bits, and those that it holds addresses to."""
    network = ipaddress.ip_network(text, strict=False)
    return network.version, int(network.network_address), int(network.netmask)


@lru_cache(maxsize=1024)
def _address(text: str) -> tuple[int, int]:
    """Read an address as its version and bits; one of IPv4 in IPv6's clothes is one of IPv4."""
    address = ipaddress.ip_address(text)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.version, int(address)


def _is_in(address: tuple[int, int], network: tuple[int, int, int]) -> bool:
    version, bits, mask = network
    return address[0] == version and address[1] & mask == bits


def _is_narrow(network: str) -> bool:
    """Tell whether a network is less than the public: S3 draws the line at /8 and at /32."""
    found = ipaddress.ip_network(network, strict=False)
    return found.prefixlen >= (8 if found.version == IPV4 else 32)


class Operator(NamedTuple):
    """How one actual value is held against one of the policy: both are read, then compared.

    What reads raises ValueError for a value that the operator cannot take.
    """

    read: Callable[[str], Any]  # a request's value
    read_wanted: Callable[[str], Any]  # a policy's
    test: Callable[[Any, Any], bool]
    is_negated: bool = False
    takes_patterns: bool = False
    takes_variables: bool = False  # reference_policies_variables.html, "Where you can use"


def _pair(name: str, other: str, operator: Operator) -> dict[str, Operator]:
    return {name: operator, other: operator._replace(is_negated=True)}


def _ordered(name: str, read: Callable[[str], Any]) -> dict[str, Operator]:
    def made(compare: Callable[[Any, Any], bool]) -> Operator:
        return Operator(read, read, compare)

    return _pair(f"{name}Equals", f"{name}NotEquals", made(eq)) | {
        f"{name}LessThan": made(lt),
        f"{name}LessThanEquals": made(le),
        f"{name}GreaterThan": made(gt),
        f"{name}GreaterThanEquals": made(ge),
    }


_STRING: Final = Operator(str, str, _same, takes_variables=True)
_FOLDED: Final = Operator(str.casefold, str.casefold, _same, takes_variables=True)
_LIKE: Final = Operator(str, compile_pattern, _fits, takes_patterns=True, takes_variables=True)
_ARN: Final = Operator(_arn, _arn_pattern, _all_fit, takes_patterns=True, takes_variables=True)
_IP: Final = Operator(_address, _network, _is_in)
OPERATORS: Final[dict[str, Operator]] = {
    **_pair("StringEquals", "StringNotEquals", _STRING),
    **_pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _FOLDED),
    **_pair("StringLike", "StringNotLike", _LIKE),
    **_pair("ArnEquals", "ArnNotEquals", _ARN),
    **_pair("ArnLike", "ArnNotLike", _ARN),
    **_pair("IpAddress", "NotIpAddress", _IP),
    **_ordered("Numeric", _number),
    **_ordered("Date", _moment),
    "Bool": Operator(_boolean, _boolean, eq, takes_variables=True),
    "BinaryEquals": Operator(_binary, _binary, eq),
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
    fixed: tuple[Any, ...] = ()  # the values without variables, as the operator reads them
    templates: tuple[Template, ...] = ()  # the others
    name: str = ""  # as the policy calls the operator with all that belongs to it

    def holds(self, context: Context) -> bool:
        """Tell whether the request fulfils it."""
        actual = context.get(self.key)
        operator = self.operator
        if operator is None:
            return any(wanted is (not actual) for wanted in self.fixed)
        # Nothing, or nothing but empty texts, is what AWS calls a null data set:
        # reference_policies_condition-single-vs-multi-valued-context-keys.html.
        if not actual or (self.quantifier and not any(actual)):
            if self.if_exists and not actual:
                return True
            return self.quantifier == FOR_ALL if self.quantifier else operator.is_negated
        wanted: Sequence[Any] = self.fixed
        if self.templates:
            wanted = self._filled(context, operator)
            if operator.takes_patterns:
                actual = [as_itself(value) for value in actual]
        is_for_all = self.quantifier == FOR_ALL
        for value in actual:  # a loop, and another below: generators would cost as much again
            if _meets(operator, value, wanted) is not is_for_all:
                return not is_for_all
        return is_for_all

    def fixes(self, keys: frozenset[str]) -> bool:
        """Tell whether it holds one of `keys` to values that are written out, and not too wide."""
        operator = self.operator
        if self.key not in keys or operator is None or operator.is_negated or self.if_exists:
            return False
        if self.templates or self.quantifier == FOR_ALL:
            return False
        if operator.read_wanted is _network:
            return all(_is_narrow(value) for value in self.values)
        return not any(WILD.search(value) for value in self.values)

    @property
    def keys(self) -> set[str]:
        """Name the keys that stand in it, in lower case."""
        return {self.key}.union(*(template.keys for template in self.templates))

    def _filled(self, context: Context, operator: Operator) -> list[Any]:
        """Read the values for a request; one with a variable that it lacks is met by nothing."""
        quote = as_itself if operator.takes_patterns else str
        made = list(self.fixed)
        for template in self.templates:
            text = template.fill(context, quote)
            if text is not None:
                with suppress(ValueError):
                    made.append(operator.read_wanted(text))
        return made


def _meets(operator: Operator, actual: str, wanted: Iterable[Any]) -> bool:
    """Hold one actual value against all wanted: any of them, or none where negated."""
    try:
        value = operator.read(actual)
    except ValueError:  # none that the operator can take
        return operator.is_negated
    test = operator.test
    for each in wanted:
        if test(value, each):
            return not operator.is_negated
    return operator.is_negated


# --- reading -------------------------------------------------------------------------------------


def read_conditions(block: object, *, knows_variables: bool) -> tuple[Condition, ...]:
    """Read a condition block; InvalidCondition for anything that is not understood."""
    if not isinstance(block, dict):
        raise InvalidCondition("Condition must be an object.")
    found = []
    for name, keys in block.items():
        operator, quantifier = _operator(name)
        if not isinstance(keys, dict):
            raise InvalidCondition(f"The condition {name} must be an object of keys and values.")
        for key, values in keys.items():
            texts = tuple(_text(name, value) for value in _listed(values))
            if not key or not texts:
                raise InvalidCondition(
                    f"The condition {name} has a key without a name or without values."
                )
            made = Condition(key.lower(), operator, texts, quantifier, name.endswith(IF_EXISTS))
            found.append(_ready(made, name, knows_variables=knows_variables))
    return tuple(found)


def _operator(name: str) -> tuple[Operator | None, str]:
    """Find an operator, None for Null, and its quantifier."""
    quantifier, _, rest = name.rpartition(":")
    if rest == NULL and not quantifier:
        return None, ""
    operator = OPERATORS.get(rest.removesuffix(IF_EXISTS))
    if operator is None or quantifier not in {"", FOR_ALL, FOR_ANY} or name.startswith(":"):
        raise InvalidCondition(f"Invalid Condition type : {name}")
    return operator, quantifier


def _ready(condition: Condition, name: str, *, knows_variables: bool) -> Condition:
    """Read the values of a condition once for all requests."""
    operator = condition.operator
    read = operator.read_wanted if operator is not None else _boolean
    fixed: list[Any] = []
    templates: list[Template] = []
    for text in condition.values:
        is_template = knows_variables and "${" in text
        if is_template and (operator is None or not operator.takes_variables):
            raise InvalidCondition(f"The condition {name} cannot take a variable: {text}")
        try:
            if is_template:
                templates.append(Template(text))
            else:
                fixed.append(read(text))
        except ValueError as error:
            raise InvalidCondition(
                f"The condition {name} cannot take the value {text!r}.", is_value=True
            ) from error
    return replace(condition, fixed=tuple(fixed), templates=tuple(templates), name=name)


def _listed(values: object) -> list[object]:
    return values if isinstance(values, list) else [values]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidCondition(f"The condition {name} has a value that is neither text nor number.")
