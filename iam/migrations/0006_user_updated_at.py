"""Users know when they were last changed; of those that are there it is when they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django.utils.timezone
from django.db import migrations, models

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def begin(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    users = apps.get_model("iam", "User").objects.using(editor.connection.alias)
    users.update(updated_at=models.F("created_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("iam", "0005_sign_ins"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="updated_at",
            field=models.DateTimeField(
                default=django.utils.timezone.now, editable=False, verbose_name="updated"
            ),
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
