"""The root user: made at the first start, kept in step with the environment at every later one.

What the environment gives (name, password, access key) is applied whenever it differs; what was
generated is made once and never again. What an administrator disabled stays disabled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.contrib.auth.hashers import make_password
from django.db import transaction

from iam.errors import AccessKeyTaken, UsernameTaken
from iam.keyring import RoleName
from iam.models import AccessKey, User
from iam.services.audit import record_change
from iam.services.keys import (
    NewKey,
    create_key,
    delete_key,
    generate_password,
    seal_secret,
)
from iam.services.snapshot import load_keyring, load_secret
from iam.services.users import insert_user, keep_hash
from iam.services.writing import announce_change, arn, check_row

ENVIRONMENT_KEY_NAME: Final = "from the environment"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What a newcomer must be told; the generated secrets are in no other place.

    `created` says that the root user was made just now. A generated value is None when it was
    given, or made at an earlier start. `access_key` is "" when root has none.
    """

    created: bool
    username: str
    generated_password: str | None = field(repr=False)
    access_key: str
    generated_secret: str | None = field(repr=False)


def ensure_root(
    username: str = "root", password: str = "", access_key: str = "", secret_key: str = ""
) -> FirstStart:
    """Make the root user or bring it in step; an empty text means "not given".

    The caller lets one process in at a time. Raises SealingError before anything is written when
    the server key does not open the secrets of this database; else IdentityError.
    """
    load_keyring()
    root = User.objects.filter(is_root=True).first()
    if root is None:
        return _create(username, password, access_key, secret_key)
    if root.username != username:
        _rename(root, username)
    if password and not root.check_password(password):
        keep_hash(root.pk, make_password(password))
    if access_key:
        _apply_key(root, NewKey(access_key, secret_key))
    first_key = root.access_keys.filter(is_enabled=True).order_by("pk").first()
    shown = access_key or (first_key.access_key if first_key else "")
    return FirstStart(
        created=False,
        username=username,
        generated_password=None,
        access_key=shown,
        generated_secret=None,
    )


def _create(username: str, password: str, access_key: str, secret_key: str) -> FirstStart:
    """Make the root user and its first key together, so that neither exists without the other."""
    generated = None if password else generate_password()
    user = User(username=username, role_id=RoleName.SUPERUSER, is_root=True)
    user.password = make_password(password or generated)
    check_row(user)
    with transaction.atomic():
        insert_user(user)
        key = create_key(
            user.pk,
            access_key=access_key or None,
            secret_key=secret_key or None,
            name=ENVIRONMENT_KEY_NAME if access_key else "first key",
            from_environment=bool(access_key),
        )
    return FirstStart(
        created=True,
        username=username,
        generated_password=generated,
        access_key=key.access_key,
        generated_secret=None if secret_key else key.secret_key,
    )


def _rename(root: User, username: str) -> None:
    """Give the root user the name that the environment now says."""
    if User.objects.filter(username=username).exists():
        raise UsernameTaken(username)
    before, root.username = root.username, username
    check_row(root)
    with transaction.atomic():
        root.save(update_fields=["username"])
        record_change("iam:UpdateUser", arn(root), username={"old": before, "new": username})
        announce_change(root)


def _apply_key(root: User, given: NewKey) -> None:
    """Make the environment's key root's, and end the one the environment gave before."""
    with transaction.atomic():
        earlier = AccessKey.objects.filter(from_environment=True).exclude(
            access_key=given.access_key
        )
        for access_key in list(earlier.values_list("access_key", flat=True)):
            delete_key(access_key)
        row = AccessKey.objects.filter(access_key=given.access_key).first()
        if row is None:
            create_key(
                root.pk,
                access_key=given.access_key,
                secret_key=given.secret_key,
                name=ENVIRONMENT_KEY_NAME,
                from_environment=True,
            )
        elif row.user_id != root.pk:
            raise AccessKeyTaken(given.access_key)
        elif not row.from_environment or load_secret(row) != given.secret_key:
            row.sealed_secret, row.from_environment = seal_secret(given), True
            row.save(update_fields=["sealed_secret", "from_environment"])
            replaced = {"access_key": given.access_key, "secret_key": "replaced"}
            record_change("iam:UpdateAccessKey", arn(root), **replaced)
            announce_change(row)
