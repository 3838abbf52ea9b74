"""Users: made, changed, disabled, deleted; S4 is never left without an active SuperUser."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, ProtectedError, Q
from django.utils import timezone

from iam.audit.acting import current_actor
from iam.errors import (
    AccountIdTaken,
    CanonicalIdTaken,
    LastSuperUser,
    NoSuchRole,
    NoSuchUser,
    OwnRightsKept,
    RootUserKept,
    UsernameTaken,
    UserOwnsBuckets,
)
from iam.keyring import RoleName
from iam.models import Role, User, random_account_id, random_canonical_id
from iam.services.audit import record_change, record_difference
from iam.services.groups import hold_groups
from iam.services.policies import hold_policies
from iam.services.quotas import settle_user
from iam.services.writing import announce_change, arn, check_row, names_of, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTED_FIELDS: Final = ("canonical_id", "role_id", "display_name", "email", "is_root")
ACTIVE_SUPERUSER: Final = Q(role_id=RoleName.SUPERUSER, is_active=True)


def create_user(  # noqa: PLR0913  # what a user is
    username: str,
    role: str | None,
    *,
    password: str | None = None,
    encoded: str | None = None,
    display_name: str = "",
    email: str = "",
    canonical_id: str | None = None,
    account_id: str | None = None,
    groups: Iterable[str] = (),
    policies: Iterable[str] = (),
) -> User:
    """Make a user; without a password he has only access keys and no way into the console.

    `encoded` is the hash of a password that was found good enough, for who is in a transaction:
    it is slow to make on purpose.
    `canonical_id` is 64 lower-case hex digits, `account_id` 12 digits, each random when None.
    `role` is the name of one, None: he has only what policies and groups give him. Raises
    InvalidIdentity, NoSuchRole, UsernameTaken, CanonicalIdTaken, AccountIdTaken; and for groups and
    policies as `set_groups` and `set_policies` do.
    """
    user = User(
        username=username,
        role_id=role,
        display_name=display_name,
        email=email,
        canonical_id=canonical_id or random_canonical_id(),
        account_id=account_id or random_account_id(),
    )
    if password is not None:
        check_password_rules(password, user)
    user.password = encoded or make_password(password)  # slow on purpose, so before the transaction
    check_row(user)
    with transaction.atomic():
        insert_user(user)
        if groups:
            set_groups(user.pk, groups)
        if policies:
            set_policies(user.pk, policies)
    return user


def insert_user(user: User) -> None:
    """Write a new row; UsernameTaken, CanonicalIdTaken or AccountIdTaken if there is such a one.

    NoSuchRole when its role is not there.
    """
    try:
        with transaction.atomic():
            _hold_role(user.role_id)
            user.save(force_insert=True)
            shown = {name: getattr(user, name) for name in NOTED_FIELDS}
            shown["has_password"] = user.has_usable_password()
            record_change("iam:CreateUser", arn(user), **shown)
            announce_change(user)
    except IntegrityError as error:
        if User.objects.filter(username=user.username).exists():
            raise UsernameTaken(user.username) from error
        if User.objects.filter(canonical_id=user.canonical_id).exists():
            raise CanonicalIdTaken(user.canonical_id) from error
        if User.objects.filter(account_id=user.account_id).exists():
            raise AccountIdTaken(user.account_id) from error
        raise


def check_password_rules(password: str, user: User) -> None:
    """Raise InvalidIdentity when a password is too weak for `user`."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise refusal(error, "password") from error


def set_password(user_id: int, password: str) -> None:
    """Give a user another password; ends his sessions and tokens. NoSuchUser, InvalidIdentity."""
    keep_hash(user_id, hash_password(user_id, password))


def hash_password(user_id: int, password: str) -> str:
    """Hash a password that is to be a user's. NoSuchUser, InvalidIdentity.

    Slow on purpose: not for a transaction, in which it would hold the lock of all writers.
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NoSuchUser(user_id)
    check_password_rules(password, user)
    return make_password(password)


def keep_hash(user_id: int, encoded: str) -> None:
    """Write the hash of another password; ends sessions and tokens. NoSuchUser."""
    with transaction.atomic():
        user = _lock(user_id)
        User.objects.filter(pk=user_id).update(
            password=encoded, token_version=F("token_version") + 1, updated_at=timezone.now()
        )
        record_password(user)
        announce_change(user)


def record_password(user: User) -> None:
    """Note, in the transaction of the change, that a user has another password.

    AWS tells those who change their own from administrators, and so does the log.
    """
    is_own = current_actor().user_id == user.canonical_id
    record_change("iam:ChangePassword" if is_own else "iam:UpdateLoginProfile", arn(user))


def end_tokens(user_id: int) -> None:
    """End every token of the REST API that a user has; NoSuchUser.

    No snapshot is read anew: only the API knows tokens, and it reads the row at each request.
    """
    with transaction.atomic():
        user = _lock(user_id)
        User.objects.filter(pk=user_id).update(token_version=F("token_version") + 1)
        record_change("s4:EndTokens", arn(user))


def set_role(user_id: int, role: str | None) -> None:
    """Give a user another role, or None; ends his tokens.

    NoSuchUser, NoSuchRole, LastSuperUser, RootUserKept, OwnRightsKept.
    """
    with transaction.atomic():
        user = _lock(user_id, is_leaving=role != RoleName.SUPERUSER)
        if user.is_root and role != RoleName.SUPERUSER:
            raise RootUserKept
        _hold_role(role)
        if user.role_id != role:
            _keep_own(user)
            User.objects.filter(pk=user_id).update(
                role_id=role, token_version=F("token_version") + 1, updated_at=timezone.now()
            )
            record_change("s4:SetUserRole", arn(user), role={"old": user.role_id, "new": role})
        announce_change(user)


def set_groups(user_id: int, names: Iterable[str]) -> None:
    """Make a user a member of these groups and no others. NoSuchUser, NoSuchGroup."""
    with transaction.atomic():
        user = _lock(user_id)
        before = names_of(user.groups)
        user.groups.set(hold_groups(names))
        _touch(user)
        after = names_of(user.groups)
        record_difference("s4:SetUserGroups", arn(user), {"groups": before}, {"groups": after})
        announce_change(user)


def set_policies(user_id: int, names: Iterable[str]) -> None:
    """Attach these managed policies and no others to a user.

    NoSuchUser, NoSuchPolicy, LimitExceeded, BuiltinKept.
    """
    with transaction.atomic():
        user = _lock(user_id)
        before = names_of(user.policies)
        user.policies.set(hold_policies(names))
        _touch(user)
        after = names_of(user.policies)
        record_difference(
            "s4:SetUserPolicies", arn(user), {"policies": before}, {"policies": after}
        )
        announce_change(user)


def set_active(user_id: int, *, active: bool) -> None:
    """Enable or disable a user with all his keys. NoSuchUser, LastSuperUser, OwnRightsKept."""
    with transaction.atomic():
        user = _lock(user_id, is_leaving=not active)
        if user.is_active != active:
            _keep_own(user)
            User.objects.filter(pk=user_id).update(
                is_active=active, token_version=F("token_version") + 1, updated_at=timezone.now()
            )
            record_change("s4:EnableUser" if active else "s4:DisableUser", arn(user))
        announce_change(user)


def update_profile(
    user_id: int, *, display_name: str | None = None, email: str | None = None
) -> None:
    """Change what is not None of how a user is shown. NoSuchUser, InvalidIdentity."""
    with transaction.atomic():
        user = _lock(user_id)
        before = {"display_name": user.display_name, "email": user.email}
        user.display_name = user.display_name if display_name is None else display_name
        user.email = user.email if email is None else email
        after = {"display_name": user.display_name, "email": user.email}
        check_row(user)
        user.save(update_fields=["display_name", "email"])
        _touch(user)
        record_difference("iam:UpdateUser", arn(user), before, after)
        announce_change(user)


def delete_user(user_id: int) -> None:
    """Delete a user with his keys.

    NoSuchUser, LastSuperUser, OwnRightsKept, RootUserKept, UserOwnsBuckets.
    """
    with transaction.atomic():
        user = _lock(user_id, is_leaving=True)
        _keep_own(user)
        if user.is_root:
            # The next start would make it anew: it belongs to the environment, not to a person.
            raise RootUserKept
        keys = list(user.access_keys.values_list("access_key", flat=True))
        record_change("iam:DeleteUser", arn(user), role_id=user.role_id, access_keys=keys)
        announce_change(user)
        try:
            user.delete()
        except ProtectedError as error:
            raise UserOwnsBuckets(user.username) from error
        if user.quota is not None:
            transaction.on_commit(partial(settle_user, user_id))


def is_last_superuser(user_id: int) -> bool:
    """Whether S4 would have no active SuperUser without this one; true only at this moment."""
    supers = set(User.objects.filter(ACTIVE_SUPERUSER).values_list("pk", flat=True))
    return supers == {user_id}


def find_user(username: str) -> User:
    """Find a user by name; NoSuchUser."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise NoSuchUser(username)
    return user


def list_users() -> Sequence[User]:
    """List every user in order of name."""
    return list(User.objects.order_by("username"))


def lock_owner(canonical_id: str) -> User:
    """Hold a user's row to the end of the transaction: he is not deleted meanwhile. NoSuchUser.

    For rows of other rooms that are about to refer to him.
    """
    user = User.objects.select_for_update().filter(canonical_id=canonical_id).first()
    if user is None:
        raise NoSuchUser(canonical_id)
    return user


def _touch(user: User) -> None:
    """Note when a user was last changed."""
    User.objects.filter(pk=user.pk).update(updated_at=timezone.now())


def _keep_own(user: User) -> None:
    """Raise OwnRightsKept when the user himself is about to take what he is."""
    if current_actor().user_id == user.canonical_id:
        raise OwnRightsKept


def _hold_role(name: str | None) -> None:
    """Hold a role to the end of the transaction, to be given; NoSuchRole."""
    if name is not None and not Role.objects.select_for_update().filter(name=name).exists():
        raise NoSuchRole(name)


def _lock(user_id: int, *, is_leaving: bool = False) -> User:
    """Hold a user's row to the end of the transaction; NoSuchUser, LastSuperUser.

    `is_leaving` says that he will not be an active SuperUser afterwards. Then the rows of all
    active SuperUsers are held too, in one order: of two callers who would each remove one of the
    last two, the second waits and then sees what the first left (PostgreSQL evaluates the filter
    again after waiting; on SQLite the transaction holds the only write lock from its beginning).
    """
    rows = User.objects.select_for_update().order_by("pk")
    wanted = Q(pk=user_id) | ACTIVE_SUPERUSER if is_leaving else Q(pk=user_id)
    held = {user.pk: user for user in rows.filter(wanted)}
    user = held.get(user_id)
    if user is None:
        raise NoSuchUser(user_id)
    others = [row for row in held.values() if row.pk != user_id and row.is_superuser]
    if is_leaving and user.is_superuser and not others:
        raise LastSuperUser
    return user
