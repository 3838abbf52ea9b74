"""The addresses of the REST API: those of S4 Core's admin API, and ours beside them."""

from __future__ import annotations

from typing import Final

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter

from iam.api import keys, session, users
from s4project.api import buckets, docs, refusals, store


class IdConverter(StringConverter):
    """The id of a row."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:  # type: ignore[override]  # Django asks for no more
        """Read it."""
        return int(value)


class KeyConverter(StringConverter):
    """An access key."""

    regex = r"[A-Za-z0-9._+=@-]{3,128}"


register_converter(IdConverter, "id")
register_converter(KeyConverter, "access_key")

ADMIN: Final = [
    path("login", session.Login.as_view()),
    path("logout", session.Logout.as_view()),
    path("me", session.Me.as_view()),
    path("me/password", session.MyPassword.as_view()),
    path("users", users.Users.as_view()),
    path("users/<id:user_id>", users.OneUser.as_view()),
    path("users/<id:user_id>/credentials", users.UserCredentials.as_view()),
    path("users/<id:user_id>/keys", keys.Keys.as_view()),
    path("users/<id:user_id>/keys/<access_key:access_key>", keys.OneKey.as_view()),
    path("compaction/run", store.RunCompaction.as_view()),
    path("scrubber/run", store.RunScrub.as_view()),
    path("scrubber/status", store.ScrubProgress.as_view()),
    path("jobs", store.JobList.as_view()),
    path("bucket-stats", buckets.BucketStats.as_view()),
    path("buckets/<str:name>", buckets.OneBucket.as_view()),
    path("buckets/<str:name>/objects", buckets.BucketObjects.as_view()),
]


urlpatterns: Final = [
    path("admin/", include(ADMIN)),
    path("stats", store.Stats.as_view()),
    path("schema", docs.SchemaView.as_view(), name="api-schema"),
    path("docs", docs.DocsView.as_view(), name="api-docs"),
    re_path("", refusals.not_found),
]
