"""Lifecycle rules as S3's document has them, both ways, and what is refused of them.

For S3, REST and the console alike. A document comes and goes as a dict of AWS's member names, of
which its schema was checked. Knows no Django and no wire form.

Codes and sentences are those that S3 was recorded to give: github.com/localstack/localstack,
tests/aws/services/s3/test_s3.snapshot.json (test_put_bucket_lifecycle_conf_exc), and answers that
people quoted, named where they stand; elements and bounds: API_LifecycleRule and those it names.
"""

from __future__ import annotations

import hashlib
import uuid
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from buckets.configuration import ALL_SIZES, Lifecycle
from storage_engine import DAY_MS, LifecycleRule

if TYPE_CHECKING:
    from collections.abc import Sequence

Document = Mapping[str, Any]

RULES_MAX: Final = 1000
ID_UNITS_MAX: Final = 255  # of UTF-16, in which S3 counts
PREFIX_BYTES_MAX: Final = 1024  # of a key
TAGS_MAX: Final = 10  # of an object
TAG_KEY_UNITS_MAX: Final = 128
TAG_VALUE_UNITS_MAX: Final = 256
SIZE_MAX: Final = 1_099_511_627_776_000
NEWER_MAX: Final = 100  # API_NoncurrentVersionExpiration
TOLD_BYTES_MAX: Final = 64 * 1024  # in an entry, as JSON: as much as rules of CORS may be
STATUSES: Final = {True: "Enabled", False: "Disabled"}
MALFORMED: Final = "MalformedXML"
ARGUMENT: Final = "InvalidArgument"
REQUEST: Final = "InvalidRequest"
PREDICATES: Final = {"Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And"}


class LifecycleRefused(Exception):  # noqa: N818  # it is a refusal, of S3's code
    """A configuration cannot be; `code` and `message` are S3's, None: the code's usual message.

    As text it says to a person what is wrong, and with which rule.
    """

    def __init__(self, code: str, reason: str, message: str | None = None, **detail: str) -> None:
        super().__init__(reason)
        self.code = code
        self.message = message
        self.detail = detail


def _refused(code: str, message: str, **detail: str) -> LifecycleRefused:
    """Refuse with a sentence that S3 and people are told alike."""
    reason = message if message.endswith(".") else f"{message}."
    return LifecycleRefused(code, reason, message, **detail)


def _malformed(reason: str) -> LifecycleRefused:
    """Refuse what S3 only calls malformed; people are told why."""
    return LifecycleRefused(MALFORMED, reason)


# --- reading ------------------------------------------------------------------------------------


class _Read(NamedTuple):
    """A rule of a document, and how it was put."""

    rule: LifecycleRule
    is_bare: bool
    is_blank: bool
    is_idle: bool


def read_lifecycle(document: Document, minimum_size: str = ALL_SIZES) -> Lifecycle:
    """Make rules of a LifecycleConfiguration; whoever has no id gets one. LifecycleRefused."""
    rules = document["Rules"]
    _check_count(rules)
    is_v2 = "Filter" in rules[0]
    read = [_read_rule(rule, is_v2=is_v2) for rule in rules]
    _refuse_transitions(rules)
    lifecycle = Lifecycle(
        rules=tuple(one.rule for one in read),
        bare=frozenset(one.rule.id for one in read if one.is_bare),
        blank=frozenset(one.rule.id for one in read if one.is_blank),
        idle=frozenset(one.rule.id for one in read if one.is_idle),
        minimum_size=minimum_size,
    )
    check_lifecycle(lifecycle)
    return lifecycle


def new_rule_id() -> str:
    """Make an id, in the form of S3's own (aws-sdk-go-v2 issue 3165)."""
    return b64encode(str(uuid.uuid4()).encode()).decode()


def _read_rule(rule: Document, *, is_v2: bool) -> _Read:
    """Read one rule; `is_v2`: the first of all has a Filter, and then all have."""
    prefix, chosen = _scope(rule, is_v2=is_v2)
    expiration = rule.get("Expiration")
    noncurrent = rule.get("NoncurrentVersionExpiration")
    made = LifecycleRule(
        id=rule.get("ID") or new_rule_id(),
        is_enabled=rule["Status"] == STATUSES[True],
        prefix=prefix or "",
        tags=_tags(chosen),
        size_above=chosen.get("ObjectSizeGreaterThan"),
        size_below=chosen.get("ObjectSizeLessThan"),
        **_read_expiration(expiration),
        **_read_noncurrent(noncurrent, is_v2=is_v2),
        **_read_abort(rule.get("AbortIncompleteMultipartUpload")),
    )
    return _Read(
        made,
        is_bare="Filter" not in rule,
        is_blank="Filter" in rule and prefix == "",
        is_idle=(expiration or {}).get("ExpiredObjectDeleteMarker") is False,
    )


def _scope(rule: Document, *, is_v2: bool) -> tuple[str | None, Document]:
    """Find a rule's prefix, and its Filter, or the And in it.

    Both forms in one configuration are refused: ansible/ansible issue 53751,
    hashicorp/terraform-provider-aws issue 23299.
    """
    has_filter, is_bare = "Filter" in rule, "Prefix" in rule
    if has_filter is is_bare:
        raise _malformed("A rule needs a Filter or a Prefix, and not both.")
    if has_filter and not is_v2:
        raise _refused(REQUEST, "Filter element can only be used in Lifecycle V2.")
    if is_bare and is_v2:
        raise _refused(
            REQUEST,
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the "
            "Filter.",
        )
    if is_bare:
        return rule["Prefix"], {}
    chosen: Document = rule["Filter"]
    if len(PREDICATES & chosen.keys()) > 1:
        raise _malformed("A Filter has one condition at most: several stand in an And.")
    if "And" in chosen:
        chosen = chosen["And"]
        if len(chosen) - ("Tags" in chosen) + len(chosen.get("Tags", ())) < 2:  # noqa: PLR2004  # to join
            raise _malformed("An And joins two conditions at least.")
    return chosen.get("Prefix"), chosen


def _tags(chosen: Document) -> dict[str, str]:
    """Read the tags that an object must have."""
    rows = [chosen["Tag"]] if "Tag" in chosen else chosen.get("Tags", ())
    tags = {row["Key"]: row["Value"] for row in rows}
    if len(tags) < len(rows):
        raise _refused(REQUEST, "Duplicate Tag Keys are not allowed.")
    return tags


def _read_expiration(expiration: Document | None) -> dict[str, Any]:
    if expiration is None:
        return {}
    if len(expiration) != 1:
        raise _malformed(
            "An Expiration says one of Days, Date and ExpiredObjectDeleteMarker, and only one."
        )
    if "Days" in expiration:
        return {"expire_days": _positive(expiration["Days"], "Days", "Expiration")}
    if "Date" in expiration:
        return {"expire_at_ms": _midnight(expiration["Date"])}
    return {"expires_markers": expiration["ExpiredObjectDeleteMarker"]}


def _read_noncurrent(noncurrent: Document | None, *, is_v2: bool) -> dict[str, Any]:
    """Read what becomes of older versions: S3 wants the days (scality/Arsenal pull 2075)."""
    if noncurrent is None:
        return {}
    if "NewerNoncurrentVersions" in noncurrent and not is_v2:  # terraform-provider-aws 23228
        message = "NewerNoncurrentVersions element can only be used in Lifecycle V2."
        raise _refused(REQUEST, message)
    if "NoncurrentDays" not in noncurrent:
        raise _malformed("A NoncurrentVersionExpiration needs NoncurrentDays.")
    action = "NoncurrentVersionExpiration"
    kept = noncurrent.get("NewerNoncurrentVersions", 0)
    if "NewerNoncurrentVersions" in noncurrent:
        _positive(kept, "NewerNoncurrentVersions", action)
    days = _positive(noncurrent["NoncurrentDays"], "NoncurrentDays", action)
    return {"noncurrent_days": days, "noncurrent_kept": kept}


def _read_abort(abort: Document | None) -> dict[str, Any]:
    if abort is None:
        return {}
    if "DaysAfterInitiation" not in abort:
        raise _malformed("An AbortIncompleteMultipartUpload needs DaysAfterInitiation.")
    days = abort["DaysAfterInitiation"]
    return {"abort_days": _positive(days, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")}


def _positive(number: int, element: str, action: str) -> int:
    if number < 1:
        raise _refused(ARGUMENT, f"'{element}' for {action} action must be a positive integer")
    return number


def _midnight(moment_ms: int) -> int:
    """Check a Date: S3 shows the wrong one, in a zone of its own."""
    if moment_ms % DAY_MS:
        shown = datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat()
        message = "'Date' must be at midnight GMT"
        raise _refused(ARGUMENT, message, ArgumentName="Date", ArgumentValue=shown)
    if moment_ms <= 0:  # S4's own bound: 0 is no date
        raise _refused(ARGUMENT, "'Date' must be later than 1970-01-01", ArgumentName="Date")
    return moment_ms


def _refuse_transitions(rules: Sequence[Document]) -> None:
    """Refuse to move objects to another storage class, once all the rest can be: S4 has one."""
    for rule in rules:
        for transition in rule.get("Transitions", ()):
            if "StorageClass" not in transition or ("Days" in transition) is ("Date" in transition):
                raise _malformed("A Transition needs a StorageClass, and Days or a Date.")
            if "Date" in transition:
                _midnight(transition["Date"])
    if any("Transitions" in rule or "NoncurrentVersionTransitions" in rule for rule in rules):
        message = "Transitions are not implemented: S4 keeps every object in the class STANDARD."
        raise _refused("NotImplemented", message)


# --- checking -----------------------------------------------------------------------------------


def check_lifecycle(lifecycle: Lifecycle) -> None:
    """Refuse rules that cannot be, whoever made them; LifecycleRefused."""
    _check_count(lifecycle.rules)
    seen = set()
    for rule in lifecycle.rules:
        is_idle = rule.id in lifecycle.idle
        _check_texts(rule)
        _check_sizes(rule)
        _check_numbers(rule)
        _check_pairs(rule, names_markers=rule.expires_markers or is_idle)
        if not is_idle and not _has_action(rule):
            raise _refused(REQUEST, "At least one action needs to be specified in a rule")
        if rule.id in seen:
            message = "Rule ID must be unique. Found same ID for more than one rule"
            raise _refused(ARGUMENT, message)
        seen.add(rule.id)


def _check_count(rules: Sequence[Any]) -> None:
    """Refuse none, and too many: REF ErrorResponses, "List of error codes"."""
    if not rules:
        raise _malformed("At least one rule is needed.")
    if len(rules) > RULES_MAX:
        message = f"Number of lifecycle rules should not exceed allowed limit of {RULES_MAX} rules."
        raise _refused(REQUEST, message)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _check_texts(rule: LifecycleRule) -> None:
    """Refuse texts that are too long, or that no key and no tag can hold."""
    if not rule.id or _units(rule.id) > ID_UNITS_MAX:
        raise _refused(ARGUMENT, f"ID length should not exceed allowed limit of {ID_UNITS_MAX}")
    texts = (rule.id, rule.prefix, *rule.tags, *rule.tags.values())
    if any("\0" in text or not _is_text(text) for text in texts):
        raise _refused(ARGUMENT, "A rule cannot hold this character")
    if len(rule.prefix.encode()) > PREFIX_BYTES_MAX:
        raise _refused(REQUEST, f"The maximum size of a prefix is {PREFIX_BYTES_MAX}.")
    if len(rule.tags) > TAGS_MAX:
        raise _refused(REQUEST, f"A rule can name {TAGS_MAX} tags, as many as an object has.")
    for key, value in rule.tags.items():
        if not 0 < _units(key) <= TAG_KEY_UNITS_MAX:
            raise _refused("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if _units(value) > TAG_VALUE_UNITS_MAX:
            message = "The TagValue you have provided is invalid"
            raise _refused("InvalidTag", message, TagKey=key, TagValue=value)


def _is_text(text: str) -> bool:
    """Whether there are no halves of characters in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_sizes(rule: LifecycleRule) -> None:
    """Check the bounds of sizes: hashicorp/terraform-provider-aws issue 41521."""
    above, below = rule.size_above, rule.size_below
    if above is not None and not 0 <= above <= SIZE_MAX:
        raise _refused(REQUEST, f"'ObjectSizeGreaterThan' should be between 0 and {SIZE_MAX}.")
    if below is not None and not 1 <= below <= SIZE_MAX:
        raise _refused(REQUEST, f"'ObjectSizeLessThan' should be between 1 and {SIZE_MAX}.")
    if above is not None and below is not None and below <= above:
        message = "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        raise _refused(REQUEST, message)


def _check_numbers(rule: LifecycleRule) -> None:
    days = (rule.expire_days, rule.noncurrent_days, rule.abort_days)
    if min(days) < 0:
        raise _refused(ARGUMENT, "Days must be positive integers")
    if rule.expire_at_ms:
        _midnight(rule.expire_at_ms)
    if not 0 <= rule.noncurrent_kept <= NEWER_MAX:
        message = (
            "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be between 1 "
            f"and {NEWER_MAX}"
        )
        raise _refused(ARGUMENT, message)
    if rule.noncurrent_kept and not rule.noncurrent_days:
        raise _malformed("Versions are only kept by a rule that removes others, after some days.")


def _check_pairs(rule: LifecycleRule, *, names_markers: bool) -> None:
    """Refuse what cannot stand in one rule.

    terraform-aws-modules/terraform-aws-s3-bucket issues 109 and 376 quote S3 on abortions and
    markers; of markers and tags API_LifecycleExpiration says it.
    """
    if bool(rule.expire_days) + bool(rule.expire_at_ms) + rule.expires_markers > 1:
        raise _malformed("Objects expire after days, or from a date on, or only markers do.")
    for action, is_there in (
        ("ExpiredObjectDeleteMarker", names_markers),
        ("AbortIncompleteMultipartUpload", bool(rule.abort_days)),
    ):
        if is_there and rule.tags:
            raise _refused(REQUEST, f"{action} cannot be specified with Tags.")
        if is_there and (rule.size_above, rule.size_below) != (None, None):
            raise _refused(REQUEST, f"{action} cannot be specified with Object Size.")


def _has_action(rule: LifecycleRule) -> bool:
    days = rule.expire_days or rule.expire_at_ms or rule.noncurrent_days or rule.abort_days
    return bool(days or rule.expires_markers)


# --- writing ------------------------------------------------------------------------------------


def write_lifecycle(lifecycle: Lifecycle) -> dict[str, Any]:
    """Write rules as they were put: the members of a LifecycleConfiguration."""
    return {"Rules": [_write_rule(rule, lifecycle) for rule in lifecycle.rules]}


def _write_rule(rule: LifecycleRule, lifecycle: Lifecycle) -> dict[str, Any]:
    written: dict[str, Any] = {"ID": rule.id, "Status": STATUSES[rule.is_enabled]}
    if rule.id in lifecycle.bare:
        written["Prefix"] = rule.prefix
    else:
        written["Filter"] = _write_filter(rule, is_blank=rule.id in lifecycle.blank)
    if rule.expire_days:
        written["Expiration"] = {"Days": rule.expire_days}
    elif rule.expire_at_ms:
        written["Expiration"] = {"Date": rule.expire_at_ms}
    elif rule.expires_markers or rule.id in lifecycle.idle:
        written["Expiration"] = {"ExpiredObjectDeleteMarker": rule.expires_markers}
    if rule.noncurrent_days:
        noncurrent = {"NoncurrentDays": rule.noncurrent_days}
        if rule.noncurrent_kept:
            noncurrent["NewerNoncurrentVersions"] = rule.noncurrent_kept
        written["NoncurrentVersionExpiration"] = noncurrent
    if rule.abort_days:
        written["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule.abort_days}
    return written


def _write_filter(rule: LifecycleRule, *, is_blank: bool) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if rule.prefix or is_blank:
        chosen["Prefix"] = rule.prefix
    if rule.size_above is not None:
        chosen["ObjectSizeGreaterThan"] = rule.size_above
    if rule.size_below is not None:
        chosen["ObjectSizeLessThan"] = rule.size_below
    tags = [{"Key": key, "Value": value} for key, value in rule.tags.items()]
    if len(chosen) + len(tags) > 1:
        return {"And": chosen | ({"Tags": tags} if tags else {})}
    return {"Tag": tags[0]} if tags else chosen


def told(lifecycle: Lifecycle | None) -> dict[str, Any] | None:
    """Show rules in an entry of the audit log: of each what it says, by field.

    A thousand rules may be megabytes, and an entry of them would be in everybody's way: of so much
    it tells how many, and a sum by which they are known.
    """
    if lifecycle is None:
        return None
    rules = []
    for rule in lifecycle.rules:
        usual = msgspec.structs.asdict(LifecycleRule(id=rule.id))
        fields = msgspec.structs.asdict(rule)
        rules.append(
            {name: value for name, value in fields.items() if name == "id" or value != usual[name]}
        )
    written = msgspec.json.encode(rules)
    if len(written) > TOLD_BYTES_MAX:
        summary = {"count": len(rules), "sha256": hashlib.sha256(written).hexdigest()}
        return summary | {"minimum_size": lifecycle.minimum_size}
    return {"rules": rules, "minimum_size": lifecycle.minimum_size}
