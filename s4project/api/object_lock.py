"""Object Lock over HTTP: a bucket's, and what is laid on one version of an object.

The operations of S3 do it, with their rules and their refusals; where S3 has an error for what
never was, here stands null.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from rest_framework import serializers

from iam.api.fields import Flag, Given, Line, QueryFlag, Text, Whole
from iam.api.permissions import SignedIn
from iam.api.view import MISSING, View, endpoint
from s3api.errors import S3Error
from s3api.http.target import KEY_BYTES_MAX
from s3api.operations.new_lock import MODES
from s3api.operations.object_lock import DAYS_MAX, YEARS_MAX
from s4project.api.s3 import perform

if TYPE_CHECKING:
    from rest_framework.request import Request

NEVER: Final = "NoSuchObjectLockConfiguration"
MS: Final = 1000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


# --- of a bucket --------------------------------------------------------------------------------


class DefaultRetentionForm(Given):
    """How long new versions are retained: days, or years of 365 days."""

    mode = serializers.ChoiceField(list(MODES))
    days = Whole(required=False, min_value=1, max_value=DAYS_MAX)
    years = Whole(required=False, min_value=1, max_value=YEARS_MAX)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both at once, and neither."""
        if ("days" in attrs) == ("years" in attrs):
            raise serializers.ValidationError("Give either `days` or `years`.")
        return attrs


class ObjectLockForm(Given):
    """Object Lock, which is on for good once it is set."""

    default_retention = DefaultRetentionForm(required=False, allow_null=True, default=None)


class DefaultRetentionRow(serializers.Serializer[Any]):
    """How long new versions are retained."""

    mode = serializers.CharField()
    days = serializers.IntegerField(allow_null=True)
    years = serializers.IntegerField(allow_null=True)


class ObjectLockRow(serializers.Serializer[Any]):
    """Whether Object Lock is on, and what new versions get; null: nothing."""

    is_enabled = serializers.BooleanField()
    default_retention = DefaultRetentionRow(allow_null=True)


def write_lock(form: dict[str, Any]) -> dict[str, Any]:
    """Write what is asked for as S3 takes it."""
    document: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
    default = form["default_retention"]
    if default is not None:
        retention = {name.title(): value for name, value in default.items()}
        document["Rule"] = {"DefaultRetention": retention}
    return {"ObjectLockConfiguration": document}


def show_lock(output: dict[str, Any]) -> dict[str, Any]:
    """Show what S3 tells."""
    rule = output["ObjectLockConfiguration"].get("Rule")
    default = None
    if rule is not None:
        default = {name.lower(): value for name, value in rule["DefaultRetention"].items()}
    return {"is_enabled": True, "default_retention": default}


# --- of a version -------------------------------------------------------------------------------


class VersionQuery(Given):
    """Which version of which object."""

    key = Text(max_length=KEY_BYTES_MAX)
    version_id = Line(required=False, max_length=64, help_text="Else the current one.")


class ReleaseQuery(VersionQuery):
    """Which version, and whether governance gives way."""

    bypass_governance = QueryFlag(
        required=False, default=False, help_text="Needs `s3:BypassGovernanceRetention`."
    )


class RetentionForm(Given):
    """Until when a version is retained."""

    mode = serializers.ChoiceField(list(MODES))
    retain_until = serializers.DateTimeField(default_timezone=UTC)
    bypass_governance = Flag(
        required=False, default=False, help_text="Needs `s3:BypassGovernanceRetention`."
    )


class RetentionRow(serializers.Serializer[Any]):
    """Until when a version is retained; null: it never was."""

    mode = serializers.CharField(allow_null=True)
    retain_until = serializers.DateTimeField(allow_null=True)


class HoldForm(Given):
    """Whether a legal hold is on."""

    status = serializers.ChoiceField(["ON", "OFF"])


class HoldRow(serializers.Serializer[Any]):
    """Whether a legal hold is on; null: there never was one."""

    status = serializers.CharField(allow_null=True)


class Retention(View):
    """A version's retention."""

    tag = "Buckets"

    @endpoint(
        "get_retention", who=SignedIn, query=VersionQuery, answer=RetentionRow, refuses=MISSING
    )
    def get(self, request: Request, bucket: str, query: dict[str, Any]) -> dict[str, Any]:
        """Tell until when a version is retained, or was."""
        found = _perform_or_none(request, "GetObjectRetention", bucket, query)
        if found is None:
            return {"mode": None, "retain_until": None}
        retention = found["Retention"]
        until = EPOCH + timedelta(milliseconds=retention["RetainUntilDate"])  # a float is not exact
        return {"mode": retention["Mode"], "retain_until": until}

    @endpoint(
        "put_retention", who=SignedIn, query=VersionQuery, body=RetentionForm, refuses=MISSING
    )
    def put(
        self, request: Request, bucket: str, query: dict[str, Any], body: dict[str, Any]
    ) -> None:
        """Retain a version.

        A retention that binds can be extended; under governance it can be shortened by who may.
        """
        until = body["retain_until"]
        until_ms = int(until.timestamp()) * MS + until.microsecond // MS
        retention = {"Mode": body["mode"], "RetainUntilDate": until_ms}
        _retain(request, bucket, query, retention, bypass=body["bypass_governance"])

    @endpoint("delete_retention", who=SignedIn, query=ReleaseQuery, refuses=MISSING)
    def delete(self, request: Request, bucket: str, query: dict[str, Any]) -> None:
        """Take a version's retention off: one that has expired, or governance by who may."""
        _retain(request, bucket, query, {}, bypass=query["bypass_governance"])


class LegalHold(View):
    """A version's legal hold."""

    tag = "Buckets"

    @endpoint("get_legal_hold", who=SignedIn, query=VersionQuery, answer=HoldRow, refuses=MISSING)
    def get(self, request: Request, bucket: str, query: dict[str, Any]) -> dict[str, Any]:
        """Tell whether a legal hold is on."""
        found = _perform_or_none(request, "GetObjectLegalHold", bucket, query)
        return {"status": None if found is None else found["LegalHold"]["Status"]}

    @endpoint("put_legal_hold", who=SignedIn, query=VersionQuery, body=HoldForm, refuses=MISSING)
    def put(
        self, request: Request, bucket: str, query: dict[str, Any], body: dict[str, Any]
    ) -> None:
        """Lay a legal hold on a version, or take it off; its retention stays as it is."""
        hold = {"LegalHold": {"Status": body["status"]}}
        _perform(request, "PutObjectLegalHold", bucket, query, hold)


def _retain(
    request: Request, bucket: str, query: dict[str, Any], retention: dict[str, Any], *, bypass: bool
) -> None:
    arguments = {"Retention": retention, "BypassGovernanceRetention": bypass}
    _perform(request, "PutObjectRetention", bucket, query, arguments)


def _perform_or_none(
    request: Request, operation: str, bucket: str, query: dict[str, Any]
) -> dict[str, Any] | None:
    """Do what reads a lock; None where there never was one."""
    try:
        return _perform(request, operation, bucket, query, {})
    except S3Error as error:
        if error.code != NEVER:
            raise
        return None


def _perform(
    request: Request,
    operation: str,
    bucket: str,
    query: dict[str, Any],
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """Do an operation of S3 on the version that is named."""
    version_id = query.get("version_id")
    if version_id is None:
        return perform(request, operation, bucket, key=query["key"], arguments=arguments)
    return perform(
        request,
        operation,
        bucket,
        key=query["key"],
        arguments=arguments | {"VersionId": version_id},
        query={"versionId": version_id},
    )
