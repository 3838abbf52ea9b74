"""How passwords are hashed and judged: Argon2id with parameters of our own, one at a time.

Its parameters are RFC 9106's second recommendation (section 4): 64 MiB and three passes. A process
hashes one password at a time, in whichever thread, so that no flood of sign-ins takes its memory.
"""

from __future__ import annotations

import base64
import secrets
import threading
from typing import Any, Final

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

PASSWORD_CHARACTERS_MAX: Final = 1024

_hashing: Final = threading.Lock()


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id; a hash with other parameters is made anew when its owner signs in."""

    time_cost = 3
    memory_cost = 64 * 1024  # KiB
    parallelism = 4

    def encode(self, password: str, salt: str) -> str:
        """Hash a password."""
        with _hashing:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Compare a password with a hash."""
        with _hashing:
            return super().verify(password, encoded)


def nobodys_hash() -> str:
    """Make what looks like a hash and costs as much to verify, and which no password has."""
    mine = PasswordHasher()
    parts = (mine.salt().encode(), secrets.token_bytes(mine.params().hash_len))
    salt, digest = (base64.b64encode(part).decode().rstrip("=") for part in parts)
    cost = f"m={mine.memory_cost},t={mine.time_cost},p={mine.parallelism}"
    return f"{mine.algorithm}$argon2id$v=19${cost}${salt}${digest}"


class LengthValidator:
    """Refuses a password that is so long that hashing it is work."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError when a password is too long."""
        del user
        if len(password) > PASSWORD_CHARACTERS_MAX:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self) -> str:
        """Say the rule."""
        return gettext("A password has at most %(count)s characters.") % {
            "count": PASSWORD_CHARACTERS_MAX
        }
