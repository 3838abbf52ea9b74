"""What every writer of identity does: validate a row, and announce a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from iam.errors import InvalidIdentity
from iam.models import AccessKey, Group, Policy, Role, User
from iam.models.changes import Kind
from iam.services.changes import announce

if TYPE_CHECKING:
    from django.db.models import Manager, Model


KINDS: Final = {User: "user", Group: "group", Role: "role", Policy: "policy"}


def announce_change(row: User | AccessKey | Group | Role | Policy) -> None:
    """Have every worker read a row anew, once the surrounding transaction is committed.

    What a user, group or role holds is read with it: its policies, groups and roles, but not keys.
    """
    announce(Kind.KEY if isinstance(row, AccessKey) else Kind(KINDS[row.__class__]), row.pk)


def arn(row: User | Group | Role | Policy) -> str:
    """Name a row in AWS's form; what belongs to the store and to no user has no account."""
    account, name = (row.account_id, row.username) if isinstance(row, User) else ("", row.name)
    kind = KINDS[row.__class__]  # a session's user is a proxy, of the class that it stands for
    return f"arn:aws:iam::{account}:{kind}/{name}"


def names_of(rows: Manager[Any]) -> list[str]:
    """List the names of a row's groups, policies or roles, in order."""
    return list(rows.order_by("name").values_list("name", flat=True))


def check_row(row: Model) -> None:
    """Raise InvalidIdentity for the first field whose value its validators refuse."""
    try:
        row.clean_fields()
    except ValidationError as error:
        raise refusal(error) from error


def refusal(error: ValidationError, field: str = "") -> InvalidIdentity:
    """Turn Django's ValidationError into one that names one field and one reason."""
    if not hasattr(error, "error_dict"):
        return InvalidIdentity(field, " ".join(error.messages))
    name, messages = next(iter(error.message_dict.items()))
    return InvalidIdentity("" if name == NON_FIELD_ERRORS else name, " ".join(messages))
