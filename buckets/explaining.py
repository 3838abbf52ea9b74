"""Explains who may do what as the store is now: finds the facts, and lets `iam.explanation` tell.

The command, the REST API and the console ask here. Reads SQL and the engine; writes nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from buckets import services
from iam import services as iam_services
from iam.actions import (
    ACTIONS,
    OF_BUCKET,
    OF_OBJECT,
    OF_SERVICE,
    is_condition_key,
)
from iam.errors import InvalidIdentity
from iam.explanation import Explanation, Thing, explain, refuse_all
from iam.hearing import ACCOUNT_KEYS, PRINCIPAL_KEYS, PRINCIPAL_TYPE, Hearing
from iam.resources import OBJECT_TAG
from storage_engine import IsDeleteMarker, NoSuchKey, NoSuchVersion
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buckets.registry import BucketState

    Context = Mapping[str, Sequence[str]]

ARN: Final = "arn:aws:s3:::"
EVERYTHING: Final = frozenset({"", "*"})
OF_NEW: Final = frozenset({"s3:CreateBucket"})  # whose bucket is not there yet
NOW: Final = "aws:currenttime"
EPOCH: Final = "aws:epochtime"
REQUEST_TAG: Final = "s3:requestobjecttag/"
REQUEST_TAG_KEYS: Final = "s3:requestobjecttagkeys"
VERSION: Final = "s3:versionid"
_FOLDED: Final = {action.lower(): action for action in ACTIONS}


def explain_access(  # noqa: PLR0913  # all that a request would say, and what is asked of it
    action: str,
    resource: str,
    *,
    username: str | None = None,
    access_key: str | None = None,
    context: Mapping[str, str | Sequence[str]] | None = None,
    is_new: bool = False,
    draft: str | None = None,
) -> Explanation:
    """Explain whether somebody may do `action`, such as "s3:GetObject", to `resource`.

    Who asks is a user, or an access key with its user, or with neither whoever does not sign.
    `resource` is BUCKET/KEY, BUCKET, or "*" for what concerns no bucket; or its ARN. `context` has
    what a request would say of itself by condition key ("aws:SourceIp", "s3:prefix" ...): it lacks
    what is not given, except the time. What it is done to is looked at as it is now; `is_new`: it
    comes along with the making of the bucket, which is nobody's yet. `draft` is a policy that is
    heard in the place of the bucket's own, "" for none: what would be, were it set.

    NoSuchUser, NoSuchAccessKey, NoSuchBucket; InvalidIdentity, whose `field` is action, resource,
    context or access_key, for what means nothing.
    """
    action = _action(action)
    given = _context(context or {})
    caller = iam_services.find_caller(username, access_key)
    keyring = iam_services.load_users()
    name, key = _place(action, resource)
    bucket = None
    if name is not None and not (is_new or action in OF_NEW):
        bucket = services.find_bucket(name)
        if draft is not None:
            configuration = msgspec.structs.replace(bucket.configuration, policy=draft or None)
            bucket = replace(bucket, configuration=configuration)
    hearing = Hearing(
        None if caller is None else keyring.principal(caller.canonical_id),
        None if caller is None else caller.narrowing,
        bucket,
        name,
        key,
        keyring,
        partial(_look_up, given),
    )
    if caller is not None and caller.refusal:
        return refuse_all(hearing, action, caller.refusal, caller.remedy)
    return explain(hearing, action, _thing(bucket, key, given))


def _action(text: str) -> str:
    """Find an action by its name, whose case means nothing."""
    found = _FOLDED.get(text.strip().lower())
    if found is None:
        raise InvalidIdentity("action", f"There is no action {text}: write it as s3:GetObject.")
    if found not in OF_SERVICE | OF_BUCKET | OF_OBJECT:
        raise InvalidIdentity("action", f"{found} is of a part of AWS that S4 does not have.")
    return found


def _place(action: str, resource: str) -> tuple[str | None, str | None]:
    """Split a resource into bucket and key, and make sure that the action is done to such a one."""
    if resource.encode(errors="ignore").decode() != resource:  # as bytes that are no UTF-8 are read
        raise InvalidIdentity("resource", "A name has only characters of UTF-8.")
    name, slash, key = resource.removeprefix(ARN).partition("/")
    if action in OF_SERVICE:
        if name not in EVERYTHING or slash:
            raise InvalidIdentity("resource", f"{action} concerns no bucket: write *.")
        return None, None
    if name in EVERYTHING:
        raise InvalidIdentity("resource", f"Name what {action} is done to: BUCKET or BUCKET/KEY.")
    if action in OF_OBJECT:
        if not key:
            raise InvalidIdentity("resource", f"{action} is done to an object: write BUCKET/KEY.")
        return name, key
    if slash:
        raise InvalidIdentity("resource", f"{action} is done to a bucket: write its name alone.")
    return name, None


def _context(context: Mapping[str, str | Sequence[str]]) -> Context:
    """Read what a request would say of itself, by condition keys in lower case."""
    given: dict[str, Sequence[str]] = {}
    sent: list[str] = []
    for name, value in context.items():
        key = name.lower()
        if not is_condition_key(key):
            raise InvalidIdentity("context", f"There is no condition key {name}.")
        if key in {*ACCOUNT_KEYS, *PRINCIPAL_KEYS, PRINCIPAL_TYPE} or key.startswith(OBJECT_TAG):
            raise InvalidIdentity("context", f"{name} follows from who asks, and for what.")
        given[key] = (value,) if isinstance(value, str) else tuple(value)
        if key.startswith(REQUEST_TAG):
            sent.append(name[len(REQUEST_TAG) :])
    now = time.time()
    moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    known = {NOW: (moment,), EPOCH: (str(int(now)),)}
    return known | ({REQUEST_TAG_KEYS: tuple(sent)} if sent else {}) | given


def _look_up(given: Context, key: str) -> Sequence[str] | None:
    return given.get(key)


def _thing(bucket: BucketState | None, key: str | None, given: Context) -> Thing | None:
    """Look at the object, in the version that is asked for; None: there is none."""
    if bucket is None or key is None:
        return None
    version_id = next(iter(given.get(VERSION, ())), None)
    try:
        info = get_engine().head_object(bucket.id, key, version_id)
    except (NoSuchKey, NoSuchVersion, IsDeleteMarker):
        return None
    return Thing(info.owner, info.attributes.tags, info.attributes.grants)
