"""Every call of the REST API and who may make it: the table that the API is held against.

Of a call's path `{user_id}` is who asks, and `{bucket}` his own, `{locked}` his with Object Lock;
one that is for SuperUsers is about others. The foreign Writer and the SuperUser ask for what is the
Writer's.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

DOCUMENT: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
BUCKET_POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteBucket",
            "Resource": "arn:aws:s3:::{bucket}",
        }
    ],
}
PASSWORD: Final = "correct horse"
ANOTHER: Final = "battery staple 7"
CALLERS: Final = ("nobody", "Reader", "Writer", "foreign Writer", "SuperUser", "expired token")


class Who(Enum):
    """Who may make a call: statuses of the six callers, 0 where the call succeeds."""

    ANYBODY = (0, 0, 0, 0, 0, 0)
    SIGNED_IN = (401, 0, 0, 0, 0, 401)
    SUPERUSERS = (401, 403, 403, 403, 0, 401)
    SIGNED_IN_OR_SENT_THERE = (302, 0, 0, 0, 0, 401)
    # Others are not told that there is such a user or bucket.
    WHOSE_IT_IS = (401, 0, 0, 404, 0, 401)
    WHO_MAY_WRITE_IT = (401, 403, 0, 404, 0, 401)
    WHO_MAY_MAKE_BUCKETS = (401, 403, 0, 0, 0, 401)


class Call(NamedTuple):
    """A call: method and path below /api, who may make it, what it answers, what it is sent."""

    method: str
    path: str
    who: Who
    status: int = 200
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def statuses(self) -> tuple[int, ...]:
        """Answer the status that each caller gets."""
        return tuple(status or self.status for status in self.who.value)


def get(path: str, who: Who) -> Call:
    """Make the row of a GET."""
    return Call("GET", path, who)


def post(path: str, who: Who, status: int = 200, body: Any = None) -> Call:
    """Make the row of a POST."""
    return Call("POST", path, who, status, body)


def put(path: str, who: Who, body: Any, status: int = 200) -> Call:
    """Make the row of a PUT."""
    return Call("PUT", path, who, status, body)


def delete(path: str, who: Who) -> Call:
    """Make the row of a DELETE."""
    return Call("DELETE", path, who, 204)


def of_bucket(path: str, body: Any) -> tuple[Call, Call, Call]:
    """Make the rows of what can be set on a bucket."""
    path = f"/admin/buckets/{{bucket}}/{path}"
    return (
        get(path, Who.WHOSE_IT_IS),
        put(path, Who.WHO_MAY_WRITE_IT, body, 204),
        delete(path, Who.WHO_MAY_WRITE_IT),
    )


def of_holder(path: str, who: Who) -> tuple[Call, ...]:
    """Make the rows of the inline policies that something holds."""
    one = f"{path}/policies/inline"
    return (
        get(f"{path}/policies", who),
        get(one, who),
        put(one, Who.SUPERUSERS, {"document": DOCUMENT}),
        delete(one, Who.SUPERUSERS),
    )


USER: Final = "/admin/users/{user_id}"
KEY: Final = f"{USER}/keys/{{access_key}}"
BUCKET: Final = "/admin/buckets/{bucket}"
LOCKED: Final = "/admin/buckets/{locked}"
RETENTION: Final = {"mode": "GOVERNANCE", "retain_until": "2100-01-01T00:00:00Z"}
RULE: Final = {"allowed_origins": ["*"], "allowed_methods": ["GET"]}
CALLS: Final = (
    post("/admin/login", Who.ANYBODY, body={"username": "{username}", "password": PASSWORD}),
    post("/admin/logout", Who.SIGNED_IN, 204),
    get("/admin/me", Who.SIGNED_IN),
    put(
        "/admin/me/password",
        Who.SIGNED_IN,
        {"current_password": PASSWORD, "new_password": ANOTHER},
        204,
    ),
    get("/admin/users", Who.SIGNED_IN),
    post("/admin/users", Who.SUPERUSERS, 201, {"username": "{new}", "role": "Reader"}),
    get(USER, Who.WHOSE_IT_IS),
    put(USER, Who.SUPERUSERS, {"display_name": "Another"}),
    delete("/admin/users/{doomed}", Who.SUPERUSERS),
    post(f"{USER}/credentials", Who.WHOSE_IT_IS, 201),
    delete(f"{USER}/credentials", Who.WHOSE_IT_IS),
    get(f"{USER}/keys", Who.WHOSE_IT_IS),
    post(f"{USER}/keys", Who.WHOSE_IT_IS, 201, {"name": "{new}"}),
    get(KEY, Who.WHOSE_IT_IS),
    put(KEY, Who.WHOSE_IT_IS, {"name": "another"}),
    delete(KEY, Who.WHOSE_IT_IS),
    get(f"{KEY}/rate-limit", Who.WHOSE_IT_IS),
    put(f"{KEY}/rate-limit", Who.SUPERUSERS, {"requests_per_second": 1000}, 204),
    delete(f"{KEY}/rate-limit", Who.SUPERUSERS),
    *of_holder(USER, Who.WHOSE_IT_IS),
    get(f"{USER}/rights", Who.WHOSE_IT_IS),
    get(f"{USER}/quota", Who.WHOSE_IT_IS),
    put(f"{USER}/quota", Who.SUPERUSERS, {"bytes": 1000}, 204),
    delete(f"{USER}/quota", Who.SUPERUSERS),
    get("/admin/groups", Who.SUPERUSERS),
    post("/admin/groups", Who.SUPERUSERS, 201, {"name": "{new}"}),
    get("/admin/groups/{team}", Who.SUPERUSERS),
    put("/admin/groups/{team}", Who.SUPERUSERS, {"description": "Another."}),
    delete("/admin/groups/{team}", Who.SUPERUSERS),
    *of_holder("/admin/groups/{team}", Who.SUPERUSERS),
    get("/admin/roles", Who.SUPERUSERS),
    post("/admin/roles", Who.SUPERUSERS, 201, {"name": "{new}"}),
    get("/admin/roles/{auditor}", Who.SUPERUSERS),
    put("/admin/roles/{auditor}", Who.SUPERUSERS, {"description": "Another."}),
    delete("/admin/roles/{auditor}", Who.SUPERUSERS),
    *of_holder("/admin/roles/{auditor}", Who.SUPERUSERS),
    get("/admin/policies", Who.SUPERUSERS),
    post("/admin/policies", Who.SUPERUSERS, 201, {"name": "{new}", "document": DOCUMENT}),
    get("/admin/policies/{reading}", Who.SUPERUSERS),
    put("/admin/policies/{reading}", Who.SUPERUSERS, {"description": "Another."}),
    delete("/admin/policies/{reading}", Who.SUPERUSERS),
    get("/admin/audit", Who.SUPERUSERS),
    post(
        "/admin/explain",
        Who.WHOSE_IT_IS,
        body={"action": "s3:GetObject", "resource": "{bucket}/k"},
    ),
    post("/admin/compaction/run", Who.SUPERUSERS),
    post("/admin/scrubber/run", Who.SUPERUSERS),
    get("/admin/scrubber/status", Who.SUPERUSERS),
    post("/admin/lifecycle/run", Who.SUPERUSERS),
    get("/admin/jobs", Who.SUPERUSERS),
    get("/admin/bucket-stats", Who.SIGNED_IN),
    get(BUCKET, Who.WHOSE_IT_IS),
    put("/admin/buckets/{fresh}", Who.WHO_MAY_MAKE_BUCKETS, {}, 201),
    delete(BUCKET, Who.WHO_MAY_WRITE_IT),
    get(f"{BUCKET}/objects", Who.WHOSE_IT_IS),
    *of_bucket("acl", {"canned": "private"})[:2],
    get(f"{BUCKET}/quota", Who.WHOSE_IT_IS),
    put(f"{BUCKET}/quota", Who.SUPERUSERS, {"objects": 1000}, 204),
    delete(f"{BUCKET}/quota", Who.SUPERUSERS),
    get(f"{BUCKET}/rate-limit", Who.WHOSE_IT_IS),
    put(f"{BUCKET}/rate-limit", Who.SUPERUSERS, {"requests_per_second": 1000}, 204),
    delete(f"{BUCKET}/rate-limit", Who.SUPERUSERS),
    get("/admin/usage/buckets", Who.SIGNED_IN),
    get("/admin/usage/users", Who.SIGNED_IN),
    get("/admin/usage/alerts", Who.SUPERUSERS),
    post(f"{BUCKET}/presign", Who.SIGNED_IN, 200, {"key": "k"}),
    *of_bucket("versioning", {"status": "Enabled"})[:2],
    *of_bucket("policy", {"policy": BUCKET_POLICY}),
    *of_bucket("cors", {"rules": [RULE]}),
    *of_bucket("tags", {"tags": {"a": "b"}}),
    *of_bucket("ownership", {"ownership": "ObjectWriter"}),
    *of_bucket("public-access-block", {"block_public_acls": True}),
    *of_bucket("lifecycle", {"rules": [{"expire_days": 30}]}),
    get(f"{BUCKET}/lifecycle/status", Who.WHOSE_IT_IS),
    post(f"{BUCKET}/lifecycle/preview", Who.WHOSE_IT_IS, body={}),
    get(f"{LOCKED}/object-lock", Who.WHOSE_IT_IS),
    put(f"{LOCKED}/object-lock", Who.WHO_MAY_WRITE_IT, {}, 204),
    get(f"{LOCKED}/retention?key=k", Who.WHOSE_IT_IS),
    put(f"{LOCKED}/retention?key=k", Who.WHO_MAY_WRITE_IT, RETENTION, 204),
    delete(f"{LOCKED}/retention?key=k&bypass_governance=true", Who.WHO_MAY_WRITE_IT),
    get(f"{LOCKED}/legal-hold?key=k", Who.WHOSE_IT_IS),
    put(f"{LOCKED}/legal-hold?key=k", Who.WHO_MAY_WRITE_IT, {"status": "ON"}, 204),
    get("/stats", Who.SIGNED_IN),
    get("/schema", Who.SIGNED_IN),
    get("/docs", Who.SIGNED_IN_OR_SENT_THERE),
)
