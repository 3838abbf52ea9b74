"""What the next request costs after one change, counted: queries, and the rows that they read.

It costs by what changed, however many users, keys and buckets there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from buckets import services as buckets
from buckets.models import Bucket
from iam import services
from iam.keyring import RoleName
from iam.models import AccessKey, User
from iam.services.keys import NewKey, seal_secret
from tests.readings import Worker
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

MANY = 1000
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:%s","Resource":"*"}}'


@pytest.fixture(params=[10, MANY])
def people(
    request: pytest.FixtureRequest,
    settings: SettingsWrapper,
    tmp_path: Path,
    transactional_db: None,
) -> Iterator[None]:
    """Make users with a key and a bucket each, and one who has a policy of each kind."""
    count: int = request.param
    with opened(settings, tmp_path):
        User.objects.bulk_create(
            User(username=f"user-{number}", role_id=RoleName.WRITER) for number in range(count)
        )
        with transaction.atomic():
            AccessKey.objects.bulk_create(
                AccessKey(user=user, access_key=key, sealed_secret=seal_secret(NewKey(key, key)))
                for user in User.objects.all()
                for key in [f"KEY-{user.username}"]
            )
        Bucket.objects.bulk_create(
            Bucket(name=f"bucket-{user.pk}", owner=user) for user in User.objects.all()
        )
        services.create_policy("plain", DOCUMENT % "GetObject")
        services.create_group("team", policies=["plain"])
        services.create_user("one", RoleName.READER, groups=["team"], policies=["plain"])
        services.create_key(services.find_user("one").pk, access_key="ONE")
        yield


def one() -> int:
    """Find the user's key."""
    return services.find_user("one").pk


def change_policy() -> None:
    """Have the policy say something else."""
    services.update_policy(services.find_policy("plain").pk, document=DOCUMENT % "PutObject")


def change_bucket() -> None:
    """Change a bucket."""
    bucket = Bucket.objects.get(name=f"bucket-{services.find_user('user-1').pk}")
    buckets.configure_bucket(bucket.pk, tags={"a": "b"})


# What is changed, and how many queries and rows that may cost: two queries tell what it was.
CHANGES: dict[str, tuple[Callable[[], object], int, int]] = {
    "nothing": (lambda: None, 2, 2),
    "a key": (lambda: services.set_key_enabled("ONE", enabled=False), 3, 3),
    "a policy": (change_policy, 3, 4),
    "a bucket": (change_bucket, 3, 4),
    "a user": (lambda: services.set_active(one(), active=False), 6, 6),
    "a group": (lambda: services.delete_group(services.find_group("team").pk), 5, 3),
}


@pytest.mark.usefixtures("people")
def test_a_change_costs_by_what_changed() -> None:
    """However many users there are, the same few queries read the same few rows."""
    worker = Worker()
    services.set_key_rate("ONE", 7)
    worker.keeps_up()
    for name, (make, queries_max, rows_max) in CHANGES.items():
        make()
        with CaptureQueriesContext(connection) as captured:
            worker.read()
        texts = [each["sql"] for each in captured if " FROM " in each["sql"]]
        assert len(texts) <= queries_max, (name, texts)
        assert rows_of(texts) <= rows_max, (name, texts)


def rows_of(texts: list[str]) -> int:
    """Count the rows that queries read, by asking again."""
    rows = 0
    with connection.cursor() as cursor:
        for text in texts:
            cursor.execute(text)
            rows += len(cursor.fetchall())
    return rows
