"""The addresses of the REST API: those of S4 Core's admin API, and ours beside them."""

from __future__ import annotations

from typing import Final

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter

from iam.api import audit, groups, keys, policies, rights, session, users
from s4project.api import (
    bucket_settings,
    buckets,
    docs,
    explain,
    lifecycle,
    object_lock,
    presign,
    quotas,
    refusals,
    store,
)


class IdConverter(StringConverter):
    """The id of a row."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:  # type: ignore[override]  # Django asks for no more
        """Read it."""
        return int(value)


class KeyConverter(StringConverter):
    """An access key."""

    regex = r"[A-Za-z0-9._+=@-]{3,128}"


class NameConverter(StringConverter):
    """A name of a policy, group or role."""

    regex = r"[A-Za-z0-9_+=,.@-]{1,128}"


register_converter(NameConverter, "name")
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
    path("users/<id:user_id>/keys/<access_key:access_key>/rate-limit", keys.KeyRate.as_view()),
    path("users/<id:user_id>/policies", policies.UserPolicies.as_view()),
    path("users/<id:user_id>/policies/<name:name>", policies.UserPolicy.as_view()),
    path("users/<id:user_id>/quota", quotas.UserQuota.as_view()),
    path("users/<id:user_id>/rights", rights.UserRights.as_view()),
    path("groups", groups.Groups.as_view()),
    path("groups/<name:group>", groups.OneGroup.as_view()),
    path("groups/<name:group>/policies", policies.GroupPolicies.as_view()),
    path("groups/<name:group>/policies/<name:name>", policies.GroupPolicy.as_view()),
    path("roles", groups.Roles.as_view()),
    path("roles/<name:role>", groups.OneRole.as_view()),
    path("roles/<name:role>/policies", policies.RolePolicies.as_view()),
    path("roles/<name:role>/policies/<name:name>", policies.RolePolicy.as_view()),
    path("policies", policies.Policies.as_view()),
    path("policies/<name:name>", policies.OnePolicy.as_view()),
    path("audit", audit.AuditLog.as_view()),
    path("explain", explain.Explain.as_view()),
    path("compaction/run", store.RunCompaction.as_view()),
    path("scrubber/run", store.RunScrub.as_view()),
    path("scrubber/status", store.ScrubProgress.as_view()),
    path("lifecycle/run", lifecycle.RunLifecycle.as_view()),
    path("jobs", store.JobList.as_view()),
    path("bucket-stats", buckets.BucketStats.as_view()),
    path("buckets/<str:name>", buckets.OneBucket.as_view()),
    path("buckets/<str:name>/objects", buckets.BucketObjects.as_view()),
    path("buckets/<str:bucket>/acl", bucket_settings.BucketAcl.as_view()),
    path("buckets/<str:bucket>/presign", presign.Presign.as_view()),
    path("buckets/<str:bucket>/lifecycle/status", lifecycle.LifecycleState.as_view()),
    path("buckets/<str:bucket>/lifecycle/preview", lifecycle.PreviewLifecycle.as_view()),
    path("buckets/<str:bucket>/retention", object_lock.Retention.as_view()),
    path("buckets/<str:bucket>/legal-hold", object_lock.LegalHold.as_view()),
    path("buckets/<str:bucket>/quota", quotas.BucketQuota.as_view()),
    path("buckets/<str:bucket>/rate-limit", quotas.BucketRate.as_view()),
    path("usage/buckets", quotas.BucketUsage.as_view()),
    path("usage/users", quotas.UserUsage.as_view()),
    path("usage/alerts", quotas.QuotaAlerts.as_view()),
    *(
        path(f"buckets/<str:bucket>/{setting.path}", bucket_settings.address(setting).as_view())
        for setting in bucket_settings.SETTINGS
    ),
]


urlpatterns: Final = [
    path("admin/", include(ADMIN)),
    path("stats", store.Stats.as_view()),
    path("schema", docs.SchemaView.as_view(), name="api-schema"),
    path("docs", docs.DocsView.as_view(), name="api-docs"),
    re_path("", refusals.not_found),
]
