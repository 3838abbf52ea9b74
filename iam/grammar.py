"""What a policy must look like: read from its JSON whole, or refused in AWS's words.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html. S3 and IAM judge
alike and speak differently: S3 of the policies of buckets, IAM of those of users, groups and roles.
IAM's words are those recorded from it in github.com/getmoto/moto, tests/test_iam,
test_iam_policies.py; behind them stands what to change. Pure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam.actions import ACTIONS, OF_BUCKET, OF_OBJECT, OF_SERVICE, PREFIX, is_condition_key
from iam.conditions import InvalidCondition, Template, read_conditions
from iam.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iam.conditions import Condition

VERSIONS: Final = ("2008-10-17", "2012-10-17")
WITH_VARIABLES: Final = "2012-10-17"
EFFECTS: Final = ("Allow", "Deny")  # no set: what is held against them may be a list
ARN: Final = "arn:aws:s3:::"
ANYTHING: Final = "*"
PRINCIPAL_KINDS: Final = {"AWS", "CanonicalUser", "Federated", "Service"}
TOP_FIELDS: Final = {"Version", "Id", "Statement"}
PRINCIPAL_FIELDS: Final = {"Principal", "NotPrincipal"}
STATEMENT_FIELDS: Final = {
    *("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"),
    *PRINCIPAL_FIELDS,
}
SID: Final = re.compile(r"[A-Za-z0-9]*", re.ASCII)
ACTION: Final = re.compile(r"[A-Za-z0-9.-]+:[A-Za-z0-9_*?]+", re.ASCII)
VENDOR: Final = re.compile(r"[A-Za-z0-9.-]+|\*", re.ASCII)
PARTITIONS: Final = re.compile(r"aws(-[a-z]+)*|\*", re.ASCII)
ARN_COLONS: Final = 5

_SYNTAX: Final = "Syntax errors in policy."
_LEGACY: Final = "The policy failed legacy parsing."
_JSON: Final = "Policies must be valid JSON and the first byte must be '{'"


class MalformedPolicy(ValueError):  # noqa: N818  # AWS's name of the error
    """A policy that is refused; the text says why."""


class Document(NamedTuple):
    """A policy that was looked through: its statements as they stand."""

    statements: list[dict[str, Any]]
    knows_variables: bool

    def conditions(self, fields: dict[str, Any]) -> tuple[Condition, ...]:
        """Read the conditions of a statement; InvalidCondition."""
        block = fields.get("Condition", {})
        return read_conditions(block, knows_variables=self.knows_variables)


def texts(fields: dict[str, Any], name: str) -> list[Any]:
    """List what stands in an element, such as Action, or in its Not form."""
    return _listed(fields.get(name, fields.get(f"Not{name}", [])))


def _listed(found: Any) -> list[Any]:
    """Make a list of what may stand alone or in a list."""
    return found if isinstance(found, list) else [found]


def covered(action: str) -> set[str]:
    """List the actions of S3 that a pattern covers."""
    test = compile_pattern(action.lower())
    return {known for known in ACTIONS if test(known.lower())}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; one that says the same thing twice is refused."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise MalformedPolicy("Policies must not have duplicate fields.")
    return made


def _load(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        raise MalformedPolicy(_JSON)
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except MalformedPolicy:
        raise
    except (ValueError, RecursionError) as error:  # a number may have more digits than int takes
        raise MalformedPolicy(_JSON) from error
    assert isinstance(document, dict), "it begins as an object does"
    return document


def _document(loaded: dict[str, Any]) -> Document:
    version = loaded.get("Version", VERSIONS[0])
    return Document(_listed(loaded["Statement"]), version == WITH_VARIABLES)


# --- the policies of buckets, in the words of S3 -------------------------------------------------


def read_document(text: str) -> Document:
    """Read what any policy must be, of a bucket or of an identity; MalformedPolicy."""
    loaded = _load(text)
    if unknown := loaded.keys() - TOP_FIELDS:
        raise MalformedPolicy(f"Unknown field {min(unknown)}")
    if loaded.get("Version", VERSIONS[0]) not in VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    if not isinstance(loaded.get("Id", ""), str):
        raise MalformedPolicy("Invalid policy syntax.")
    statements = _listed(loaded.get("Statement"))
    if not statements or not all(isinstance(each, dict) for each in statements):
        raise MalformedPolicy("Missing required field Statement")
    if _repeated_sid(statements):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    for each in statements:
        _check_statement(each)
    document = _document(loaded)
    try:
        for each in statements:
            document.conditions(each)
            _check_variables(document, each)
    except InvalidCondition as error:
        raise MalformedPolicy(str(error)) from error
    except ValueError as error:
        raise MalformedPolicy("Policy has invalid resource") from error
    return document


def _repeated_sid(statements: list[dict[str, Any]]) -> bool:
    sids = [str(each["Sid"]) for each in statements if each.get("Sid")]
    return len(set(sids)) < len(sids)


def _check_variables(document: Document, fields: dict[str, Any]) -> None:
    """Read the resources with variables; ValueError."""
    if document.knows_variables:
        for text in texts(fields, "Resource"):
            Template(text)


def _check_statement(fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - STATEMENT_FIELDS:
        raise MalformedPolicy(f"Unknown field {min(unknown)}")
    sid = fields.get("Sid", "")
    if not isinstance(sid, str) or not SID.fullmatch(sid):
        raise MalformedPolicy("Statement IDs (SID) must be alpha-numeric.")
    if "Effect" not in fields:
        raise MalformedPolicy("Missing required field Effect")
    if fields["Effect"] not in EFFECTS:
        raise MalformedPolicy(f"Invalid effect: {fields['Effect']}")
    for name in ("Action", "Resource"):
        if name in fields and f"Not{name}" in fields:
            raise MalformedPolicy(f"{name} and Not{name} cannot stand in one statement.")
        if name not in fields and f"Not{name}" not in fields:
            raise MalformedPolicy(f"Missing required field {name}")
        found = texts(fields, name)
        if not found or not all(isinstance(text, str) and text for text in found):
            raise MalformedPolicy(f"Policy has invalid {name.lower()}")
    if not all(map(_is_action, texts(fields, "Action"))):
        raise MalformedPolicy("Policy has invalid action")


def _is_action(action: str) -> bool:
    """Whether there are such actions; those of other services are not known by name."""
    if action == ANYTHING:
        return True
    is_of_s3 = action.lower().startswith(PREFIX)
    return bool(ACTION.fullmatch(action)) and (not is_of_s3 or bool(covered(action)))


def read_bucket_document(text: str, bucket: str, is_known: Callable[[str, str], bool]) -> Document:
    """Read the policy of a bucket; `is_known`: whether a principal (kind, name) exists."""
    document = read_document(text)
    for fields in document.statements:
        if ("Principal" in fields) is ("NotPrincipal" in fields):
            raise MalformedPolicy("Missing required field Principal")
        for kind, name in principals(fields):
            if (kind, name) != ("AWS", ANYTHING) and not is_known(kind, name):
                raise MalformedPolicy("Invalid principal in policy")
        resources, own = texts(fields, "Resource"), ARN + bucket
        if any(each != own and not each.startswith(f"{own}/") for each in resources):
            raise MalformedPolicy("Policy has invalid resource")
        if "Action" in fields and "Resource" in fields:
            _check_applies(texts(fields, "Action"), resources)
        if not all(map(is_condition_key, _keys(document, fields))):
            raise MalformedPolicy("Policy has an invalid condition key")
    return document


def _keys(document: Document, fields: dict[str, Any]) -> set[str]:
    """Name the condition keys that a statement asks for."""
    found = set[str]().union(*(each.keys for each in document.conditions(fields)))
    if document.knows_variables:
        found = found.union(*(Template(text).keys for text in texts(fields, "Resource")))
    return found


def _check_applies(actions: Iterable[str], resources: Sequence[str]) -> None:
    """Refuse an action that can be done to none of the statement's resources."""
    has_object = any("/" in resource for resource in resources)
    has_bucket = any("/" not in resource for resource in resources)
    fitting = (OF_OBJECT if has_object else frozenset()) | (
        OF_BUCKET | OF_SERVICE if has_bucket else frozenset()
    )
    for action in actions:
        found = ACTIONS if action == ANYTHING else covered(action)
        if not found:
            raise MalformedPolicy("Policy has invalid action")
        if found.isdisjoint(fitting):
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def principals(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """List (kind, name) of a statement's principals; MalformedPolicy."""
    element = fields.get("Principal", fields.get("NotPrincipal"))
    if element == ANYTHING:
        return [("AWS", ANYTHING)]
    if not isinstance(element, dict) or not element or element.keys() - PRINCIPAL_KINDS:
        raise MalformedPolicy("Invalid principal in policy")
    found = [(kind, name) for kind, names in element.items() for name in _listed(names)]
    if not found or not all(isinstance(name, str) and name for _, name in found):
        raise MalformedPolicy("Invalid principal in policy")
    return found


# --- the policies of users, groups, roles and keys, in the words of IAM --------------------------


def read_identity_document(text: str) -> Document:
    """Read a policy of a user, group, role or access key; MalformedPolicy."""
    document = _framed(text)
    numbered = [
        (f"Statement {number}", fields) for number, fields in enumerate(document.statements, 1)
    ]
    for where, fields in numbered:
        _check_syntax(where, fields)
    if not document.knows_variables:
        raise MalformedPolicy("Policy document must be version 2012-10-17 or greater.")
    for where, fields in numbered:
        _check_meaning(document, where, fields)
    _check_whole(document.statements)
    for where, fields in numbered:
        for resource in sorted(texts(fields, "Resource")):
            _check_resource(where, resource)
        for action in texts(fields, "Action"):
            _check_action(action)
        _check_keys(where, _keys(document, fields))
    return document


def _framed(text: str) -> Document:
    """Read the document but for its statements."""
    try:
        loaded = _load(text)
    except MalformedPolicy as error:
        raise MalformedPolicy(f"{_SYNTAX} {error}") from error
    if unknown := loaded.keys() - TOP_FIELDS:
        raise MalformedPolicy(f"{_SYNTAX} There is no element {min(unknown)}.")
    if loaded.get("Version", VERSIONS[0]) not in VERSIONS:
        raise MalformedPolicy(f'{_SYNTAX} The Version must be "{WITH_VARIABLES}".')
    if not isinstance(loaded.get("Id", ""), str):
        raise MalformedPolicy(f"{_SYNTAX} The Id must be a text.")
    statements = _listed(loaded.get("Statement"))
    if not statements or not all(isinstance(each, dict) for each in statements):
        raise MalformedPolicy(f"{_SYNTAX} Statement must be one statement or a list of them.")
    return _document(loaded)


def _check_syntax(where: str, fields: dict[str, Any]) -> None:
    """Check the shape of a statement."""
    if unknown := fields.keys() - STATEMENT_FIELDS:
        raise MalformedPolicy(f"{_SYNTAX} {where} has an unknown element {min(unknown)}.")
    if not fields.keys().isdisjoint(PRINCIPAL_FIELDS):
        raise MalformedPolicy("Policy document should not specify a principal.")
    if not isinstance(fields.get("Sid", ""), str):
        raise MalformedPolicy(f"{_SYNTAX} {where} has a Sid that is no text.")
    effect = fields.get("Effect")
    if not isinstance(effect, str) or effect.capitalize() not in EFFECTS:
        raise MalformedPolicy(f"{_SYNTAX} {where} must have the Effect Allow or Deny.")
    for name in ("Action", "Resource"):
        if name in fields and f"Not{name}" in fields:
            raise MalformedPolicy(f"{_SYNTAX} {where} has both {name} and Not{name}.")
        if not all(isinstance(text, str) for text in texts(fields, name)):
            raise MalformedPolicy(f"{_SYNTAX} {where}: {name} must be a text or a list of texts.")


def _check_meaning(document: Document, where: str, fields: dict[str, Any]) -> None:
    """Check what IAM reads in a second step: the effect's spelling, Sid, conditions, variables."""
    if fields["Effect"] not in EFFECTS:
        raise MalformedPolicy(f"{_LEGACY} {where} must have the Effect Allow or Deny.")
    if not SID.fullmatch(fields.get("Sid", "")):
        raise MalformedPolicy(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
            "regular expression [0-9A-Za-z]*"
        )
    try:
        document.conditions(fields)
    except InvalidCondition as error:
        words = _LEGACY if error.is_value else _SYNTAX
        raise MalformedPolicy(f"{words} {where}: {error}") from error
    try:
        _check_variables(document, fields)
    except ValueError as error:
        raise MalformedPolicy(f"{_LEGACY} {where} has a broken variable: {error}") from error


def _check_whole(statements: list[dict[str, Any]]) -> None:
    if _repeated_sid(statements):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    for name, words in (("Action", "actions"), ("Resource", "resources")):
        if not all(texts(fields, name) for fields in statements):
            raise MalformedPolicy(f"Policy statement must contain {words}.")


def _check_resource(where: str, resource: str) -> None:
    if resource == ANYTHING:
        return
    first, *parts = resource.split(":", ARN_COLONS)
    if not parts:
        raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')
    if not PARTITIONS.fullmatch(parts[0]):
        whole = ":".join(parts + ["*"] * (ARN_COLONS - len(parts)))
        raise MalformedPolicy(f'Partition "{parts[0]}" is not valid for resource "arn:{whole}".')
    if first != "arn":
        raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')
    if len(parts) == 1 or re.search(r"[*?$]", parts[1]):
        raise MalformedPolicy("Resource vendor must be fully qualified and cannot contain regexes.")
    if not parts[1] or ("::" in resource and len(parts) < ARN_COLONS):
        raise MalformedPolicy(f"{_LEGACY} {where}: {resource} has too few parts.")
    if parts[1] == "s3" and len(parts) == ARN_COLONS:
        for found, what in ((parts[2], "region"), (parts[3], "account")):
            if found not in {"", ANYTHING}:
                raise MalformedPolicy(f"Resource {resource} can not contain {what} information.")


def _check_action(action: str) -> None:
    vendor, colon, name = action.partition(":")
    if not colon and action != ANYTHING:
        raise MalformedPolicy(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        )
    if ":" in name:
        raise MalformedPolicy("Actions/Condition can contain only one colon.")
    if not VENDOR.fullmatch(vendor):
        raise MalformedPolicy(f"Vendor {vendor} is not valid")
    if not _is_action(action):  # IAM takes it, and lets it mean nothing
        raise MalformedPolicy(f"The action {action} does not exist.")


def _check_keys(where: str, keys: Iterable[str]) -> None:
    for key in sorted(keys):
        if ":" not in key:
            raise MalformedPolicy(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. "
                f"{where} has the condition key {key}."
            )
        if not is_condition_key(key):  # as for actions
            raise MalformedPolicy(f"The condition key {key} does not exist.")
