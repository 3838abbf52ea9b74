"""Sessions in SQL under a hash of their key: who reads the table, or a copy, opens none of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from django.contrib.sessions.backends import db
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.sessions.base_session import AbstractBaseSession

STORED_CHARACTERS: Final = 40  # what Django's column takes; 160 bits


def stored(session_key: str) -> str:
    """Write the key that a session's row has; keys are random, so nothing need slow this down."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:STORED_CHARACTERS]


class SessionStore(db.SessionStore):
    """Django's store in SQL, which would keep the keys as they are."""

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        """Find the row of the session, if it is not over."""
        rows = self.model.objects.filter(expire_date__gt=timezone.now())
        row = rows.filter(session_key=stored(self.session_key or "")).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        """Whether there is such a session."""
        return super().exists(stored(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """Make the row that is to be written."""
        row = super().create_model_instance(data)
        row.session_key = stored(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        """Delete the session, or the one of a key."""
        key = session_key or self.session_key
        if key is not None:
            super().delete(stored(key))
