import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import iam.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "username",
                    models.CharField(
                        max_length=150,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9._@+-]+\\Z",
                                "A user name has only letters, digits and . @ + - _",
                            )
                        ],
                    ),
                ),
                ("display_name", models.CharField(blank=True, max_length=150)),
                ("email", models.EmailField(blank=True, max_length=254)),
                (
                    "canonical_id",
                    models.CharField(
                        default=iam.models.random_canonical_id,
                        editable=False,
                        help_text="How S3 names this user as the owner of buckets and objects.",
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[0-9a-f]{64}\\Z",
                                "A canonical id has 64 digits, each one of 0-9 and a-f.",
                            )
                        ],
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("Reader", "Reader"),
                            ("Writer", "Writer"),
                            ("SuperUser", "SuperUser"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "is_root",
                    models.BooleanField(default=False, editable=False, verbose_name="root"),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("token_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "ordering": ["username"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["Reader", "Writer", "SuperUser"])),
                        name="iam_user_role",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_root", True)),
                        fields=("is_root",),
                        name="iam_user_one_root",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AccessKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "access_key",
                    models.CharField(
                        max_length=128,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9._+=@-]{3,128}\\Z",
                                "An access key has 3 to 128 letters, digits or . _ + = @ -",
                            )
                        ],
                        verbose_name="access key",
                    ),
                ),
                ("sealed_secret", models.BinaryField()),
                (
                    "name",
                    models.CharField(blank=True, help_text="What the key is for.", max_length=100),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="enabled")),
                ("from_environment", models.BooleanField(default=False, editable=False)),
                (
                    "expires_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Empty: the key does not expire.",
                        null=True,
                        verbose_name="expires",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="access_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["user__username", "access_key"],
            },
        ),
    ]
