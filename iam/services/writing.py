"""What every writer of identity does: validate a row, and announce a change once it is durable.

The order is SQL first, generation second: a worker that sees the new generation finds the change.
A crash between the two leaves a durable change that running workers have not noticed; its caller
was told of no success, and every service announces even when it finds nothing left to change, so
repeating the call (or any later change, or a restart) completes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction

from iam.errors import InvalidIdentity
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.db.models import Model


def announce_change() -> None:
    """Let every worker read identities anew, once the surrounding transaction is committed."""
    transaction.on_commit(lambda: get_engine().bump_generation("iam"))


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
