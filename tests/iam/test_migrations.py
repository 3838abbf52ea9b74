"""The migrations say what the models say."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from iam.models import User


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    """Making migrations would make none."""
    call_command(
        "makemigrations", "iam", "buckets", "s4project", check=True, dry_run=True, verbosity=0
    )


@pytest.mark.django_db(transaction=True)
def test_users_from_before_account_ids_get_one_each() -> None:
    """Every user of an older store has an account id of his own after the upgrade."""
    executor = MigrationExecutor(connection)
    before = [("iam", "0001_initial"), ("buckets", "0001_initial")]
    old = executor.migrate(before).apps.get_model("iam", "User")
    try:
        for number in range(3):
            old.objects.create(username=f"u{number}", canonical_id=f"{number:064}", role="Writer")
    finally:
        executor.loader.build_graph()
        executor.migrate(executor.loader.graph.leaf_nodes())
    ids = set(User.objects.values_list("account_id", flat=True))
    assert len(ids) == 3
    assert all(len(each) == 12 for each in ids)
