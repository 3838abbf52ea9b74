"""Reading what changed: it is all that reading everything would tell, and costs as little."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from django.core.management.color import no_style
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buckets import services as buckets
from buckets.configuration import Lifecycle
from buckets.models import Bucket
from iam import services
from iam.errors import IdentityError
from iam.keyring import RoleName
from iam.models import AccessKey, Change, Group, Policy, Role, User
from iam.quotas import Quota
from iam.services import changes
from storage_engine import LifecycleRule
from tests.readings import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage_engine import StorageEngine

NAMES = ["ada", "bob", "eve"]
OF_KIND = {"user": User, "group": Group, "role": Role}


def document(resource: str) -> str:
    """Write a policy that allows reading one bucket."""
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{resource}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def user(name: str) -> User:
    """Find a user."""
    return services.find_user(name)


def key_of(name: str) -> str:
    """Find the newest key of a user."""
    return AccessKey.objects.filter(user__username=name).latest("pk").access_key


def bucket_of(name: str) -> int:
    """Find one of a user's buckets."""
    return Bucket.objects.filter(owner__username=name).latest("pk").pk


def holder(name: str, other: str) -> User | Group | Role:
    """Find a user, a group or a role that was made: which, is given by another name."""
    kind = dict(zip(NAMES, OF_KIND.values(), strict=True))[other]
    return kind.objects.get(**{"username" if kind is User else "name": name})


STEPS: dict[str, Callable[[str, str], object]] = {
    "make user": lambda name, _: services.create_user(name, RoleName.WRITER),
    "make user with all": lambda name, other: services.create_user(
        name, other, groups=[other], policies=[other], email="a@example.org"
    ),
    "delete user": lambda name, _: services.delete_user(user(name).pk),
    "disable user": lambda name, _: services.set_active(user(name).pk, active=False),
    "enable user": lambda name, _: services.set_active(user(name).pk, active=True),
    "built-in role": lambda name, _: services.set_role(user(name).pk, RoleName.READER),
    "role": lambda name, other: services.set_role(user(name).pk, other),
    "no role": lambda name, _: services.set_role(user(name).pk, None),
    "show": lambda name, other: services.update_profile(user(name).pk, display_name=other),
    "bound user": lambda name, _: services.set_user_quota(user(name).pk, Quota(bytes=9)),
    "make key": lambda name, _: services.create_key(user(name).pk),
    "make named key": lambda name, _: services.create_key(user(name).pk, access_key="SHARED"),
    "delete named key": lambda _, __: services.delete_key("SHARED"),
    "end key": lambda name, _: services.update_key(key_of(name), expires_at=timezone.now()),
    "narrow key": lambda name, other: services.update_key(key_of(name), policy=document(other)),
    "limit key": lambda name, _: services.set_key_rate(key_of(name), 5),
    "disable key": lambda name, _: services.set_key_enabled(key_of(name), enabled=False),
    "enable key": lambda name, _: services.set_key_enabled(key_of(name), enabled=True),
    "delete key": lambda name, _: services.delete_key(key_of(name)),
    "rotate": lambda name, _: services.rotate_credentials(user(name).pk),
    "join": lambda name, other: services.set_groups(user(name).pk, [other]),
    "leave": lambda name, _: services.set_groups(user(name).pk, []),
    "make policy": lambda name, _: services.create_policy(name, document(name)),
    "change policy": lambda name, other: services.update_policy(
        services.find_policy(name).pk, document=document(other)
    ),
    "delete policy": lambda name, _: services.delete_policy(services.find_policy(name).pk),
    "attach": lambda name, other: services.attach_policy(holder(name, other), other),
    "detach": lambda name, other: services.detach_policy(holder(name, other), other),
    "write inline": lambda name, other: services.put_inline_policy(
        holder(name, other), other, document(other)
    ),
    "drop inline": lambda name, other: services.delete_inline_policy(holder(name, other), other),
    "make group": lambda name, _: services.create_group(name),
    "fill group": lambda name, other: services.update_group(
        services.find_group(name).pk, policies=[other]
    ),
    "delete group": lambda name, _: services.delete_group(services.find_group(name).pk),
    "make role": lambda name, other: services.create_role(name, policies=[other]),
    "include": lambda name, other: services.update_role(
        services.find_role(name).pk, includes=[other]
    ),
    "delete role": lambda name, _: services.delete_role(services.find_role(name).pk),
    "make bucket": lambda name, other: buckets.create_bucket(
        f"{name}-{other}", user(name).canonical_id
    ),
    "tag bucket": lambda name, other: buckets.configure_bucket(bucket_of(name), tags={other: name}),
    "rule bucket": lambda name, other: buckets.configure_bucket(
        bucket_of(name), lifecycle=Lifecycle(rules=(LifecycleRule(id=other, expire_days=1),))
    ),
    "bound bucket": lambda name, _: buckets.set_quota(bucket_of(name), Quota(objects=9)),
    "delete bucket": lambda name, other: buckets.delete_bucket(f"{name}-{other}"),
    "other server key": lambda _, __: services.replace_server_key(lambda _done, _of: None),
}
# What wants no transaction around it, and what moves files.
ALONE = {"delete bucket", "other server key"}
REFUSALS = (
    *(IdentityError, buckets.BucketError, AccessKey.DoesNotExist, Bucket.DoesNotExist),
    *(User.DoesNotExist, Group.DoesNotExist, Role.DoesNotExist),
)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    readings=st.lists(
        st.tuples(
            st.lists(
                st.tuples(
                    st.sampled_from(sorted(STEPS)), st.sampled_from(NAMES), st.sampled_from(NAMES)
                ),
                min_size=1,
                max_size=8,
            ),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_what_is_read_after_changes_is_all_there_is(
    store: StorageEngine, readings: list[tuple[list[tuple[str, str, str]], bool]]
) -> None:
    """Whatever was changed by all services, together or in turn, and perhaps taken back."""
    furnish()
    worker = Worker()
    for steps, is_taken_back in readings:
        if is_taken_back:
            with transaction.atomic():
                for step in steps:
                    if step[0] not in ALONE:
                        take(*step)
                transaction.set_rollback(True)
        else:
            for step in steps:
                take(*step)
        worker.keeps_up()


def furnish() -> None:
    """Begin with users who hold policies in every way there is."""
    for kind in (Bucket, User, Group):
        kind.objects.all().delete()
    Role.objects.filter(is_builtin=False).delete()
    Policy.objects.filter(is_builtin=False).delete()
    for name in NAMES:
        services.create_policy(name, document(name))
        services.create_group(name, policies=[name])
    for name, included in zip(NAMES, [[], NAMES[:1], NAMES[1:2]], strict=True):
        services.create_role(name, policies=[name], includes=included)
    for name, role, groups in (("ada", None, ["bob"]), ("bob", "eve", []), ("eve", "bob", ["ada"])):
        services.create_user(name, role, groups=groups, policies=[name])
        services.create_key(user(name).pk)


def take(step: str, name: str, other: str) -> None:
    """Take one step, if it can be taken."""
    with suppress(*REFUSALS):
        STEPS[step](name, other)


def test_what_is_included_reaches_who_has_it_by_other_roles(store: StorageEngine) -> None:
    """A change deep below a user's role is his too: of a role that it includes, and of a policy."""
    furnish()
    worker = Worker()
    for step in (("change policy", "ada", "bob"), ("write inline", "ada", "eve")):
        before = worker.reading.keyring.find(key_of("bob"))
        STEPS[step[0]](*step[1:])
        worker.keeps_up()
        assert worker.reading.keyring.find(key_of("bob")) is not before


def test_what_a_change_does_not_touch_is_the_same_object(store: StorageEngine) -> None:
    """A change costs the making of what it changes, whatever else there is."""
    for name in NAMES:
        services.create_user(name, RoleName.WRITER)
        services.create_key(user(name).pk, access_key=f"KEY-{name}")
        buckets.create_bucket(f"of-{name}", user(name).canonical_id)
    worker = Worker()
    before = worker.reading
    services.update_profile(user("bob").pk, display_name="Bob")
    worker.keeps_up()
    after = worker.reading
    keys = [after.keyring.find(f"KEY-{n}") is before.keyring.find(f"KEY-{n}") for n in NAMES]
    places = [after.registry.find(f"of-{n}") is before.registry.find(f"of-{n}") for n in NAMES]
    assert keys == places == [True, False, True]


def test_a_database_put_back_is_read_whole(store: StorageEngine) -> None:
    """A backup restored under a running worker counts with the next change, whatever that is of."""
    services.create_user("ada", RoleName.WRITER)
    services.create_user("bob", RoleName.WRITER)
    services.create_key(user("ada").pk, access_key="KEPT")
    worker, newest = Worker(), newest_change()
    services.set_key_enabled("KEPT", enabled=False)
    worker.keeps_up()
    assert worker.reading.keyring.find("KEPT") is None
    AccessKey.objects.update(is_enabled=True)  # as it was before, and nobody knows of it
    Change.objects.filter(pk__gt=newest).delete()
    with connection.cursor() as cursor:  # so that numbers are given out again, as they would be
        for statement in connection.ops.sequence_reset_by_name_sql(
            no_style(), [{"table": Change._meta.db_table, "column": "id"}]
        ):
            cursor.execute(statement)
    services.set_active(user("bob").pk, active=False)
    assert newest_change() == newest + 1 or connection.vendor == "postgresql"
    worker.keeps_up()
    assert worker.reading.keyring.find("KEPT") is not None
    services.set_active(user("bob").pk, active=True)
    with CaptureQueriesContext(connection) as captured:
        worker.read()
    assert not [each for each in captured if "iam_policy" in each["sql"]]  # it knows again


def newest_change() -> int:
    """Find the key of the newest row of changes."""
    return Change.objects.latest("pk").pk


def test_who_has_not_read_for_long_reads_everything(store: StorageEngine) -> None:
    """Rows of changes that are deleted, or too many, cost a reading and no certainty."""
    services.create_user("ada", RoleName.WRITER)
    worker = Worker()
    for number in range(3):
        services.create_key(user("ada").pk, access_key=f"KEY-{number}")
    Change.objects.all().delete()
    services.update_profile(user("ada").pk, display_name="Ada")
    worker.keeps_up()
    note_changes(changes.CHANGES_MAX)
    services.update_profile(user("ada").pk, display_name="Countess")
    worker.keeps_up()


def note_changes(count: int) -> None:
    """Write down so many changes of somebody who is not there."""
    Change.objects.bulk_create(
        [Change(generation=0, kind="user", number=10**9) for _ in range(count)]
    )


def test_old_changes_are_forgotten(store: StorageEngine) -> None:
    """The table keeps the last changes, and no more."""
    note_changes(changes.CHANGES_KEPT + 10)
    newest = newest_change()
    assert services.forget_changes() >= 10
    assert Change.objects.count() == changes.CHANGES_KEPT
    assert newest_change() == newest
