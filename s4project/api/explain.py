"""Why somebody may, or may not, do something: over HTTP, the answer of `explain_access`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rest_framework import serializers

from buckets.explaining import ARN, explain_access
from buckets.services import NoSuchBucket
from iam.api.fields import Flag, Given, Text
from iam.api.permissions import SignedIn, asker
from iam.api.view import MISSING, View, endpoint
from iam.errors import NoSuchAccessKey, NoSuchUser
from s4project.api.s3 import known_buckets

if TYPE_CHECKING:
    from rest_framework.request import Request

    from iam.explanation import Explanation

RESOURCE_MAX: Final = 2048
KEYS_MAX: Final = 100


class ContextField(serializers.DictField):
    """What a request would say of itself: condition keys with a text, or a list of texts."""

    child = serializers.ListField(child=Text(allow_blank=True), max_length=KEYS_MAX)

    def to_internal_value(self, data: Any) -> Any:
        """Read it, a single text as a list of one; ValidationError."""
        if isinstance(data, dict):
            data = {key: [it] if isinstance(it, str) else it for key, it in data.items()}
        return super().to_internal_value(data)


class ExplainForm(Given):
    """A question: who, what, to which resource, in which circumstances."""

    action = Text(max_length=128, help_text="Such as s3:GetObject.")
    resource = Text(max_length=RESOURCE_MAX, help_text="BUCKET/KEY, BUCKET, or * ; or its ARN.")
    username = Text(required=False, max_length=150, help_text="Else yourself.")
    access_key = Text(required=False, max_length=128, help_text="Asks as this key and its user.")
    is_anonymous = Flag(required=False, default=False, help_text="Asks as who does not sign.")
    context = ContextField(  # type: ignore[assignment]  # the library's attribute stays
        required=False, help_text='Condition keys of the request: {"aws:SourceIp": ["10.0.0.1"]}.'
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse to ask as somebody and nobody at once."""
        if attrs["is_anonymous"] and {"username", "access_key"} & attrs.keys():
            raise serializers.ValidationError("Who does not sign has neither name nor key.")
        return attrs


class HeardRow(serializers.Serializer[Any]):
    """What one policy says."""

    source = serializers.CharField(  # type: ignore[assignment]  # as above
        help_text="Which policy it is."
    )
    effect = serializers.ChoiceField(["allow", "deny", "none"])
    statement = serializers.CharField(help_text="Its Sid, or its number.")
    lacking = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Statements that only conditions keep from allowing, with the keys of those.",
    )


class ExplanationRow(serializers.Serializer[Any]):
    """An answer, why, and what to change."""

    outcome = serializers.ChoiceField(["allowed", "denied", "depends"])
    why = serializers.CharField()
    advice = serializers.CharField(help_text="What to change; empty where nothing is to be.")
    who = serializers.CharField()
    action = serializers.CharField()
    resource = serializers.CharField()
    cause = serializers.CharField(help_text="Whose word decided.")
    source = serializers.CharField(  # type: ignore[assignment]  # as above
        help_text="The policy that decided, where one did."
    )
    statement = serializers.CharField(help_text="Its statement that did.")
    heard = HeardRow(many=True)


class Explain(View):
    """Why."""

    @endpoint("explain", who=SignedIn, body=ExplainForm, answer=ExplanationRow, refuses=MISSING)
    def post(self, request: Request, body: dict[str, Any]) -> Explanation:
        """Explain whether somebody may do something, by which statement, and what to change.

        The decision is that of requests, for the store as it is now. A SuperUser asks for everybody
        and everything; others ask for themselves, about buckets of their own.
        """
        me = asker(request)
        username, access_key = body.get("username"), body.get("access_key")
        if username is None and access_key is None and not body["is_anonymous"]:
            username = me.username
        if not me.is_superuser:
            if username not in {None, me.username}:
                raise NoSuchUser(username)
            if access_key is not None and not me.access_keys.filter(access_key=access_key).exists():
                raise NoSuchAccessKey(access_key)
            _refuse_foreign(request, body["resource"])
        return explain_access(
            body["action"],
            body["resource"],
            username=username,
            access_key=access_key,
            context=body.get("context"),
        )


def _refuse_foreign(request: Request, resource: str) -> None:
    """Tell nobody what the policies of others' buckets say, nor that those are there."""
    name = resource.removeprefix(ARN).partition("/")[0]
    bucket = known_buckets().find(name)
    if bucket is not None and bucket.owner_canonical_id != asker(request).canonical_id:
        raise NoSuchBucket(name)
