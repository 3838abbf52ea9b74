"""The policy of a browser's form: what its signer allows the browser to send.

A pure decision over the form's fields; the signature has been verified before. The document is
judged whole before any condition is, then its expiry, its conditions in their order, and last
whether each field is named by one of them.

REF is docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html. Words of the
refusals: S3's own, as recorded by localstack (TestS3PresignedPost in its test_s3.py) and, where
named, in issues of clients; what S3 is not known to say, follows versitygw's s3err/post-object.go.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from s3api.errors import S3Error
from s3api.http import dates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

# REF "Conditions": what no condition has to name.
_FREE: Final = frozenset({"awsaccesskeyid", "signature", "x-amz-signature", "policy", "file"})
_FREE_PREFIX: Final = "x-ignore-"
_RANGE: Final = "content-length-range"
_OPERATIONS: Final = frozenset({"eq", "starts-with", _RANGE})
_OPERANDS: Final = 2
_SIZE_MAX: Final = 2**63 - 1
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class Condition(NamedTuple):
    """One condition: its operation in lower case, its operands, and how the policy spells it."""

    operation: str
    first: Any
    second: Any
    spelled: list[Any]


def check_policy(
    policy: str, fields: Mapping[str, str], bucket: str, now: float
) -> tuple[int, int]:
    """Judge a form by its policy; answer the least and the greatest size of its file.

    `fields` are by lower-case name, `${filename}` in them filled in. Raises S3Error
    InvalidPolicyDocument, AccessDenied.
    """
    expiration, conditions = _read(policy)
    if now > expiration:
        _refuse("Policy expired.")
    values = {**fields, "bucket": bucket}
    least, most = 0, _SIZE_MAX
    named = set()
    for condition in conditions:
        if condition.operation == _RANGE:
            low, high = _size(condition.first), _size(condition.second)
            if low is None or high is None:
                _refuse_condition(condition)
            least, most = max(least, low), min(most, high)
        else:
            named.add(_check_field(condition, values))
    # Named by S3 in lower case, the first of several (aws-sdk-ruby issue 257, vue-dropzone 471);
    # the bucket is a field that each form has (aws-sdk-php 3292).
    for name in values:
        if name not in named and name not in _FREE and not name.startswith(_FREE_PREFIX):
            _refuse(f"Extra input fields: {name}")
    return least, most


# --- the document -------------------------------------------------------------------------------


def _read(policy: str) -> tuple[float, list[Condition]]:
    document = _decode(policy)
    for name in document:
        if name not in {"expiration", "conditions"}:
            _malformed(f"Unexpected: '{_shown(name.lower())}'")
    for name in ("expiration", "conditions"):
        if name not in document:
            _malformed(f"Policy missing {name}.")
    expiration, conditions = document["expiration"], document["conditions"]
    moment = dates.parse_iso(expiration) if isinstance(expiration, str) else None
    if moment is None:  # carrierwave_direct issue 2, pull 189
        _malformed(f"Invalid 'expiration' value: '{_shown(str(expiration))}'")
    if not isinstance(conditions, list):
        _malformed("Invalid 'conditions' value: must be a List.")
    return moment, [_condition(condition) for condition in conditions]


def _decode(policy: str) -> dict[str, Any]:
    """Decode a policy; as S3 does, it takes neither fractions nor null (carrierwave_direct 230)."""
    try:
        raw = b64decode("".join(policy.split()), validate=True)
    except ValueError:
        _malformed("invalid Base64 encoding.")
    try:
        document = json.loads(raw.decode(), parse_float=_no_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        _malformed("Invalid JSON.")
    return document


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _condition(raw: Any) -> Condition:
    if isinstance(raw, dict):
        return _simple_condition(raw)
    if not isinstance(raw, list):
        _malformed("Invalid condition test: must be a List or Object.")
    if not raw:
        _malformed("Invalid Condition: missing operation identifier.")
    operation, *operands = raw
    if not isinstance(operation, str):
        _malformed("Invalid JSON.")
    name = operation.lower()
    if name not in _OPERATIONS:
        _malformed(f"Invalid Condition: unknown operation '{_shown(operation)}'.")
    if len(operands) != _OPERANDS:
        _malformed(f"Invalid {name}: wrong number of arguments.")
    for operand in operands:
        _check_operand(name, operand)
    first, second = operands
    return Condition(name, first, second, raw)


def _check_operand(operation: str, operand: Any) -> None:
    if operation == _RANGE and type(operand) is int:  # a truth value is an int to Python
        if operand < 0:
            _malformed(f"Invalid {_RANGE}: sizes must not be negative.")
    elif not isinstance(operand, str):
        _malformed("Invalid JSON.")


def _simple_condition(raw: dict[str, Any]) -> Condition:
    if len(raw) != 1:
        _malformed(
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
        )
    ((name, value),) = raw.items()
    if value is None:
        _malformed("Invalid JSON.")
    if not isinstance(value, str):
        _malformed("Invalid Simple-Condition: value must be a string.")
    return Condition("eq", f"${name}", value, ["eq", f"${name}", value])


def _malformed(reason: str) -> NoReturn:
    raise S3Error("InvalidPolicyDocument", f"Invalid Policy: {reason}")


# --- the conditions -----------------------------------------------------------------------------


def _check_field(condition: Condition, values: Mapping[str, str]) -> str:
    """Hold a condition against the field it names, and answer that field's name.

    A field that did not come meets none, not even an empty prefix (s3_direct_upload issue 29).
    """
    name: str = condition.first.removeprefix("$").lower()
    value = values.get(name)
    if value is None or not condition.first.startswith("$"):
        _refuse_condition(condition)
    if condition.operation == "eq":
        is_met = value == condition.second
    elif name == "content-type":  # REF "Matching Content-Types in a Comma-Separated List"
        is_met = all(one.strip().startswith(condition.second) for one in value.split(","))
    else:
        is_met = value.startswith(condition.second)
    if not is_met:
        _refuse_condition(condition)
    return name


def _size(operand: int | str) -> int | None:
    """Read a size, which S3 also takes as text; None: it is no number."""
    if isinstance(operand, int):
        return operand
    return int(operand) if _DIGITS.fullmatch(operand) else None


def _refuse_condition(condition: Condition) -> NoReturn:
    _refuse(f"Policy Condition failed: {_shown(json.dumps(condition.spelled, ensure_ascii=False))}")


def _refuse(reason: str) -> NoReturn:
    raise S3Error("AccessDenied", f"Invalid according to Policy: {reason}")


def _shown(text: str) -> str:
    """Make text printable: JSON can spell halves of characters that no encoding has."""
    return text.encode(errors="replace").decode()
