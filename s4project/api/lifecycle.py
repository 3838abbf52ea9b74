"""Lifecycle over HTTP: a bucket's rules, what they would do, what they did, and doing it now.

The rules themselves are set as other settings of buckets are (`bucket_settings`); what is refused
of them is told in the words of `buckets.lifecycle`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rest_framework import serializers

from buckets.configuration import Lifecycle
from buckets.lifecycle import (
    ID_UNITS_MAX,
    NEWER_MAX,
    PREFIX_BYTES_MAX,
    RULES_MAX,
    SIZE_MAX,
    check_lifecycle,
    new_rule_id,
    read_lifecycle,
    write_lifecycle,
)
from iam.api.fields import Flag, Given, Line, Text, Whole
from iam.api.paging import TOKEN_CHARACTERS_MAX, Page, read_token, write_token
from iam.api.permissions import SignedIn
from iam.api.view import CONFLICT, MISSING, View, endpoint
from s4project.api.s3 import admitted
from s4project.lifecycle import Diary
from storage_engine import LifecycleCounts, LifecycleRule
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.request import Request

    from storage_engine import LifecycleDeed

DAYS_MAX: Final = 2**31 - 1
KEYS_MAX: Final = 1000
SECONDS_MAX: Final = 25  # below what a worker that ends waits for its requests
MS_NS: Final = 1_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


# --- rules --------------------------------------------------------------------------------------


class LifecycleRuleForm(Given):
    """One rule: which objects it is about, and what becomes of them."""

    id = Line(required=False, max_length=ID_UNITS_MAX)
    is_enabled = Flag(required=False)
    prefix = Text(required=False, allow_blank=True, max_length=PREFIX_BYTES_MAX)
    tags = serializers.DictField(
        child=Text(allow_blank=True), required=False, help_text="An object must have all of them."
    )
    size_above = Whole(required=False, min_value=0, max_value=SIZE_MAX)
    size_below = Whole(required=False, min_value=1, max_value=SIZE_MAX)
    expire_days = Whole(required=False, min_value=1, max_value=DAYS_MAX)
    expire_at = serializers.DateField(required=False, help_text="From this day on, UTC.")
    expires_markers = Flag(
        required=False, help_text="A delete marker goes when nothing is left behind it."
    )
    noncurrent_days = Whole(required=False, min_value=1, max_value=DAYS_MAX)
    noncurrent_kept = Whole(required=False, min_value=1, max_value=NEWER_MAX)
    abort_days = Whole(required=False, min_value=1, max_value=DAYS_MAX)


class LifecycleForm(Given):
    """The rules."""

    rules = serializers.ListField(child=LifecycleRuleForm(), min_length=1, max_length=RULES_MAX)


class LifecycleRuleRow(serializers.Serializer[Any]):
    """One rule; null: it does not ask for that."""

    id = serializers.CharField()
    is_enabled = serializers.BooleanField()
    prefix = serializers.CharField()
    tags = serializers.DictField(child=serializers.CharField())
    size_above = serializers.IntegerField(allow_null=True)
    size_below = serializers.IntegerField(allow_null=True)
    expire_days = serializers.IntegerField(allow_null=True)
    expire_at = serializers.DateField(allow_null=True)
    expires_markers = serializers.BooleanField()
    noncurrent_days = serializers.IntegerField(allow_null=True)
    noncurrent_kept = serializers.IntegerField(allow_null=True)
    abort_days = serializers.IntegerField(allow_null=True)


class LifecycleRow(serializers.Serializer[Any]):
    """The rules."""

    rules = LifecycleRuleRow(many=True)


def write_rules(form: Mapping[str, Any]) -> dict[str, Any]:
    """Write rules as S3's operation takes them; LifecycleRefused."""
    return {"LifecycleConfiguration": write_lifecycle(Lifecycle(rules=_rules(form)))}


def show_rules(output: Mapping[str, Any]) -> dict[str, Any]:
    """Show what S3's operation answers."""
    return {"rules": [_shown(rule) for rule in read_lifecycle(output).rules]}


def _rules(form: Mapping[str, Any]) -> tuple[LifecycleRule, ...]:
    """Make rules of what was given; LifecycleRefused."""
    rules = []
    for given in form["rules"]:
        fields = {"id": new_rule_id(), **given}
        if (day := fields.pop("expire_at", None)) is not None:
            at_midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            fields["expire_at_ms"] = int((at_midnight - EPOCH).total_seconds()) * 1000
        rules.append(LifecycleRule(**fields))
    check_lifecycle(Lifecycle(rules=tuple(rules)))
    return tuple(rules)


def _shown(rule: LifecycleRule) -> dict[str, Any]:
    fields = msgspec.structs.asdict(rule)
    for name in ("expire_days", "noncurrent_days", "noncurrent_kept", "abort_days"):
        fields[name] = fields[name] or None
    moment = fields.pop("expire_at_ms")
    day = datetime.fromtimestamp(moment // 1000, UTC).date() if moment else None
    return fields | {"expire_at": day}


# --- what they would do -------------------------------------------------------------------------


class PreviewForm(Given):
    """What is to be tried: the rules that are set unless others are given, at some time."""

    rules = serializers.ListField(
        child=LifecycleRuleForm(), required=False, min_length=1, max_length=RULES_MAX
    )
    at = serializers.DateTimeField(required=False, help_text="As if it were then; else now.")
    limit = Whole(
        required=False,
        min_value=1,
        max_value=KEYS_MAX,
        default=KEYS_MAX,
        help_text="How many keys are looked at, at most; what they hold may be more, or nothing.",
    )
    token = Text(required=False, max_length=TOKEN_CHARACTERS_MAX)


class DeedRow(serializers.Serializer[Any]):
    """What a rule would do to one version or upload."""

    rule_id = serializers.CharField()
    action = serializers.CharField(
        help_text="`expire`, `expire-marker`, `expire-noncurrent` or `abort-upload`."
    )
    key = serializers.CharField()
    id = serializers.CharField(help_text="Of the version, or of the upload.")
    size = serializers.IntegerField(help_text="Bytes that go for good.")
    due_at = serializers.IntegerField(help_text="Since when; nanoseconds since 1970.")
    is_kept = serializers.BooleanField(help_text="Retention or a legal hold keeps it.")


class Preview(Page):
    """What rules would do to some keys; the next page may hold more, be this one empty."""

    deeds = DeedRow(many=True)
    keys = serializers.IntegerField(help_text="That were looked at.")


class PreviewLifecycle(View):
    """What lifecycle would do."""

    tag = "Buckets"

    @endpoint(
        "preview_bucket_lifecycle",
        who=SignedIn,
        body=PreviewForm,
        answer=Preview,
        refuses=MISSING | CONFLICT,
    )
    def post(self, request: Request, bucket: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell what rules would do, by now or by some time: nothing is changed.

        For those who may read the bucket's rules and list its versions; to try others, one must be
        allowed to set them, for they can ask about tags.
        """
        admitted(request, "GetBucketLifecycleConfiguration", bucket)
        if "rules" in body:
            admitted(request, "PutBucketLifecycleConfiguration", bucket)
        state = admitted(request, "ListObjectVersions", bucket).bucket
        at = body.get("at")
        page = get_engine().preview_lifecycle(
            state.id,
            _rules(body) if "rules" in body else None,
            versioning=state.configuration.versioning,
            at_ms=None if at is None else max(0, int(at.timestamp() * 1000)),
            after_key=read_token(body.get("token")),
            limit=body["limit"],
        )
        return {
            "deeds": [_deed(deed) for deed in page.deeds],
            "keys": page.keys,
            "next_token": write_token(page.next_key) if page.is_truncated else None,
        }


def _deed(deed: LifecycleDeed) -> dict[str, Any]:
    row = deed._asdict()
    return row | {"due_at": row.pop("due_ms") * MS_NS}


# --- what they did ------------------------------------------------------------------------------


class CountsRow(serializers.Serializer[Any]):
    """What one rule did since it was first set."""

    id = serializers.CharField()
    is_enabled = serializers.BooleanField()
    expired = serializers.IntegerField()
    expired_markers = serializers.IntegerField()
    expired_noncurrent = serializers.IntegerField()
    aborted_uploads = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="That went for good.")
    kept = serializers.IntegerField(help_text="Times that a lock kept a version.")
    last_at = serializers.IntegerField(
        allow_null=True, help_text="When it last did anything; nanoseconds since 1970."
    )


class StatusRow(serializers.Serializer[Any]):
    """How lifecycle stands in a bucket."""

    rules = CountsRow(many=True)
    next_at = serializers.IntegerField(
        allow_null=True, help_text="When a key is looked at next; nanoseconds since 1970."
    )
    is_catching_up = serializers.BooleanField(
        help_text="The rules are new, and not every key was looked at since."
    )


class LifecycleState(View):
    """How lifecycle stands."""

    tag = "Buckets"

    @endpoint("get_bucket_lifecycle_status", who=SignedIn, answer=StatusRow, refuses=MISSING)
    def get(self, request: Request, bucket: str) -> dict[str, Any]:
        """Tell what each rule did, and when there is something to look at next."""
        state = admitted(request, "GetBucketLifecycleConfiguration", bucket).bucket
        status = get_engine().lifecycle(state.id)
        return {
            "rules": [
                _counts(rule, status.counts.get(rule.id) or LifecycleCounts())
                for rule in status.rules
            ],
            "next_at": None if status.next_ms is None else status.next_ms * MS_NS,
            "is_catching_up": status.is_catching_up,
        }


def _counts(rule: LifecycleRule, counts: LifecycleCounts) -> dict[str, Any]:
    fields = msgspec.structs.asdict(counts)
    last_ms = fields.pop("last_ms")
    last_at = last_ms * MS_NS or None
    return {"id": rule.id, "is_enabled": rule.is_enabled, "last_at": last_at, **fields}


# --- doing it now -------------------------------------------------------------------------------


class RunQuery(Given):
    """For how long."""

    seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=SECONDS_MAX, default=SECONDS_MAX
    )


class RunResult(serializers.Serializer[Any]):
    """What was done, in all buckets."""

    keys = serializers.IntegerField(help_text="That were looked at.")
    expired = serializers.IntegerField()
    expired_markers = serializers.IntegerField()
    expired_noncurrent = serializers.IntegerField()
    aborted_uploads = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="That went for good.")
    kept = serializers.IntegerField(help_text="Versions that a lock kept.")
    failed = serializers.IntegerField(help_text="Keys of which something is damaged.")
    is_complete = serializers.BooleanField(help_text="False: call again to go on.")


class RunLifecycle(View):
    """Lifecycle."""

    tag = "Store"

    @endpoint("run_lifecycle", query=RunQuery, answer=RunResult, refuses=CONFLICT)
    def post(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """Carry out what is due in all buckets, for some seconds; a job does it by itself.

        What is not finished then is gone on with by the next call, or by the job.
        """
        del request
        end = time.monotonic() + query["seconds"]
        report = Diary().run(is_slice_over=lambda: time.monotonic() > end)
        deeds = {action.value: count for action, count in report.deeds.items()}
        return {
            "keys": report.looks,
            "expired": deeds.get("expire", 0),
            "expired_markers": deeds.get("expire-marker", 0),
            "expired_noncurrent": deeds.get("expire-noncurrent", 0),
            "aborted_uploads": deeds.get("abort-upload", 0),
            "bytes": report.bytes,
            "kept": report.kept,
            "failed": report.failed,
            "is_complete": report.is_complete,
        }
