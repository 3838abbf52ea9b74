from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("iam", "0003_policies")]

    operations = [
        migrations.CreateModel(
            name="AuditCursor",
            fields=[
                ("sink", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("last_id", models.BigIntegerField(default=0)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("time", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "actor",
                    models.CharField(
                        blank=True, help_text="A user's name; empty: nobody.", max_length=150
                    ),
                ),
                (
                    "actor_id",
                    models.CharField(blank=True, max_length=64, verbose_name="canonical id"),
                ),
                (
                    "credential",
                    models.CharField(
                        blank=True,
                        help_text="An access key, a session's or token's mark, a command.",
                        max_length=150,
                    ),
                ),
                (
                    "address",
                    models.CharField(blank=True, max_length=64, verbose_name="source address"),
                ),
                (
                    "via",
                    models.CharField(
                        choices=[
                            ("console", "console"),
                            ("rest", "rest"),
                            ("s3", "s3"),
                            ("command", "command"),
                            ("jobs", "jobs"),
                        ],
                        max_length=8,
                    ),
                ),
                ("action", models.CharField(db_index=True, max_length=128)),
                ("resource", models.CharField(blank=True, db_index=True, max_length=1200)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("allowed", "allowed"),
                            ("denied", "denied"),
                            ("failed", "failed"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "request_id",
                    models.CharField(blank=True, max_length=64, verbose_name="request id"),
                ),
                ("detail", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit log",
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["time"], name="iam_audit_time"),
                    models.Index(fields=["actor", "id"], name="iam_audit_actor"),
                    models.Index(fields=["credential", "id"], name="iam_audit_credential"),
                ],
            },
        ),
    ]
