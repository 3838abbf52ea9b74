from __future__ import annotations

from typing import TYPE_CHECKING

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

if TYPE_CHECKING:
    from django.apps.registry import Apps as StateApps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_builtin_roles(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Make the rows that users' roles are about to refer to; what they hold comes after."""
    roles = apps.get_model("iam", "Role").objects.using(editor.connection.alias)
    for name in ("Reader", "Writer", "SuperUser"):
        roles.create(name=name, is_builtin=True)


class Migration(migrations.Migration):
    dependencies = [
        ("iam", "0002_account_id"),
    ]

    operations = [
        migrations.CreateModel(
            name="Group",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=128,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9_+=,.@-]+\\Z",
                                "A name has only letters, digits and _ + = , . @ -",
                            )
                        ],
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=1000)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="InlinePolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=128,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9_+=,.@-]+\\Z",
                                "A name has only letters, digits and _ + = , . @ -",
                            )
                        ],
                    ),
                ),
                ("document", models.TextField(help_text="AWS's JSON, without principals.")),
            ],
            options={
                "verbose_name": "inline policy",
                "verbose_name_plural": "inline policies",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Policy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=128,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9_+=,.@-]+\\Z",
                                "A name has only letters, digits and _ + = , . @ -",
                            )
                        ],
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=1000)),
                ("document", models.TextField(help_text="AWS's JSON, without principals.")),
                (
                    "is_builtin",
                    models.BooleanField(default=False, editable=False, verbose_name="built in"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="updated"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "policies",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Role",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=128,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9_+=,.@-]+\\Z",
                                "A name has only letters, digits and _ + = , . @ -",
                            )
                        ],
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=1000)),
                (
                    "is_builtin",
                    models.BooleanField(default=False, editable=False, verbose_name="built in"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
            ],
            options={
                "ordering": ["-is_builtin", "name"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="user",
            name="iam_user_role",
        ),
        migrations.AddField(
            model_name="accesskey",
            name="last_used_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="last used"
            ),
        ),
        migrations.AddField(
            model_name="accesskey",
            name="policy",
            field=models.TextField(
                blank=True,
                help_text="What the key may do of all that its user may: AWS's JSON. Empty: all of it.",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="groups",
            field=models.ManyToManyField(blank=True, related_name="members", to="iam.group"),
        ),
        migrations.AddField(
            model_name="inlinepolicy",
            name="group",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="inline_policies",
                to="iam.group",
            ),
        ),
        migrations.AddField(
            model_name="inlinepolicy",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="inline_policies",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="group",
            name="policies",
            field=models.ManyToManyField(blank=True, related_name="groups", to="iam.policy"),
        ),
        migrations.AddField(
            model_name="user",
            name="policies",
            field=models.ManyToManyField(blank=True, related_name="users", to="iam.policy"),
        ),
        migrations.AddField(
            model_name="role",
            name="includes",
            field=models.ManyToManyField(
                blank=True,
                help_text="Roles of which this one has everything too.",
                related_name="included_by",
                to="iam.role",
            ),
        ),
        migrations.AddField(
            model_name="role",
            name="policies",
            field=models.ManyToManyField(blank=True, related_name="roles", to="iam.policy"),
        ),
        migrations.AddField(
            model_name="inlinepolicy",
            name="role",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="inline_policies",
                to="iam.role",
            ),
        ),
        migrations.RunPython(name_builtin_roles, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="user",
            name="role",
            field=models.ForeignKey(
                blank=True,
                db_column="role",
                help_text="What the user may do in general; policies add to it.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="users",
                to="iam.role",
                to_field="name",
            ),
        ),
        migrations.AddConstraint(
            model_name="inlinepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("group__isnull", True), ("role__isnull", True), ("user__isnull", False)
                    ),
                    models.Q(
                        ("group__isnull", False), ("role__isnull", True), ("user__isnull", True)
                    ),
                    models.Q(
                        ("group__isnull", True), ("role__isnull", False), ("user__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="iam_inline_policy_one_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="inlinepolicy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("user__isnull", False)),
                fields=("user", "name"),
                name="iam_inline_policy_of_user",
            ),
        ),
        migrations.AddConstraint(
            model_name="inlinepolicy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("group__isnull", False)),
                fields=("group", "name"),
                name="iam_inline_policy_of_group",
            ),
        ),
        migrations.AddConstraint(
            model_name="inlinepolicy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("role__isnull", False)),
                fields=("role", "name"),
                name="iam_inline_policy_of_role",
            ),
        ),
    ]
