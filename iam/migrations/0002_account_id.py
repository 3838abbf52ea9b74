from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.validators import RegexValidator
from django.db import migrations, models

import iam.models

if TYPE_CHECKING:
    from django.apps.registry import Apps as StateApps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def give_each_user_an_account_id(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    for user in apps.get_model("iam", "User").objects.using(editor.connection.alias):
        user.account_id = iam.models.random_account_id()
        user.save(update_fields=["account_id"])


class Migration(migrations.Migration):
    dependencies = [("iam", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="account_id",
            field=models.CharField(max_length=12, null=True, editable=False),
        ),
        migrations.RunPython(give_each_user_an_account_id, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="user",
            name="account_id",
            field=models.CharField(
                default=iam.models.random_account_id,
                editable=False,
                help_text="How policies name this user: arn:aws:iam::ACCOUNT:user/NAME.",
                max_length=12,
                unique=True,
                validators=[RegexValidator("\\A[0-9]{12}\\Z", "An account id has 12 digits.")],
            ),
        ),
    ]
