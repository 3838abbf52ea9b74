"""The audit log over HTTP: searched by SuperUsers, written by nobody here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from iam.api.fields import Given, Text
from iam.api.paging import Page, read_number, write_token
from iam.api.view import View, endpoint
from iam.audit.acting import Via
from iam.audit.notes import Outcome
from iam.services.audit import PAGE_ENTRIES_MAX, Wanted, search_entries

if TYPE_CHECKING:
    from rest_framework.request import Request

PAGE_DEFAULT = 100
TEXT_MAX = 1200


class AuditQuery(Given):
    """Which entries are wanted."""

    since = serializers.DateTimeField(required=False, help_text="The first moment.")
    until = serializers.DateTimeField(required=False, help_text="The first moment no more.")
    actor = Text(
        required=False, max_length=TEXT_MAX, help_text="A user's name, canonical id or access key."
    )
    action = Text(required=False, max_length=TEXT_MAX, help_text="How it begins.")
    resource = Text(required=False, max_length=TEXT_MAX, help_text="How it begins.")
    outcome = serializers.ChoiceField([each.value for each in Outcome], required=False)
    via = serializers.ChoiceField([each.value for each in Via], required=False)
    text = Text(required=False, max_length=TEXT_MAX, help_text="Stands anywhere in an entry.")
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=PAGE_ENTRIES_MAX, default=PAGE_DEFAULT
    )
    token = Text(required=False, max_length=64, help_text="`next_token` of the page before.")


class EntryRow(serializers.Serializer[Any]):
    """Who did what to what, when, from where, and how it went."""

    id = serializers.IntegerField()
    time = serializers.DateTimeField()
    actor = serializers.CharField(help_text="A user's name; empty: nobody.")
    actor_id = serializers.CharField(help_text="Canonical id.")
    credential = serializers.CharField(help_text="An access key, a mark of a session or token.")
    address = serializers.CharField()
    via = serializers.CharField()
    action = serializers.CharField()
    resource = serializers.CharField()
    outcome = serializers.CharField()
    request_id = serializers.CharField()
    detail = serializers.DictField()


class AuditPage(Page):
    """A page of entries, newest first."""

    entries = EntryRow(many=True)


class AuditLog(View):
    """The audit log."""

    @endpoint("search_audit", query=AuditQuery, answer=AuditPage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """Search the audit log, newest first."""
        del request
        limit, before = query.pop("limit"), read_number(query.pop("token", None))
        page = search_entries(Wanted(**query), before=before, limit=limit)
        token = None if page.before is None else write_token(str(page.before))
        return {"entries": page.entries, "next_token": token}
