"""Tokens of the REST API: JSON Web Tokens that die with what they were made for.

Signed by HS256 and nothing else, with S4_JWT_SECRET or a key of their own derived from the server
key. Every request reads its user's row: a token is good only as long as that user is active, has
the role that the token says, and has not moved his token version (by another password, another
role, being disabled, or logging out).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

from iam import sealing
from iam.models import User

if TYPE_CHECKING:
    from rest_framework.request import Request

ALGORITHM: Final = "HS256"
PURPOSE: Final = b"s4 tokens of the REST API, version 1"
TOKEN_BYTES_MAX: Final = 4096  # ours have a few hundred; more is not even parsed
INVALID: Final = "The token is not valid, or not any more: log in again."


def signing_key() -> str:
    """Return the key that tokens are signed with; SealingError without a server key."""
    secret: str = settings.S4.jwt_secret
    return secret or sealing.derived_key(settings.S4.data_dir, PURPOSE).hex()


class ApiToken(Token):
    """A token of ours."""

    token_type = "access"  # noqa: S105  # the kind of token, as the library calls it

    def __init__(self, token: Any = None, verify: bool = True) -> None:  # noqa: FBT001, FBT002  # the library's signature
        self.lifetime = timedelta(hours=settings.S4.jwt_lifetime_hours)
        super().__init__(token, verify)

    @property
    def token_backend(self) -> TokenBackend:
        """Return what signs and verifies; each token reads the key anew, for it may be another."""
        if self._token_backend is None:
            self._token_backend = TokenBackend(ALGORITHM, signing_key())
        return self._token_backend

    @property
    def expires_at(self) -> datetime:
        """When the token ends by itself."""
        return datetime.fromtimestamp(self.payload["exp"], UTC)


def make_token(user: User) -> ApiToken:
    """Make a token for a user who has just signed in."""
    token = ApiToken()
    token["sub"] = str(user.pk)
    token["username"] = user.username
    token["role"] = user.role_id
    token["ver"] = user.token_version
    return token


class TokenAuthentication(JWTAuthentication):
    """Finds out who asks by `Authorization: Bearer TOKEN`."""

    def get_validated_token(self, raw_token: bytes) -> Token:
        """Verify a token; AuthenticationFailed."""
        if len(raw_token) > TOKEN_BYTES_MAX:
            raise AuthenticationFailed(INVALID)
        try:
            return ApiToken(raw_token)
        except (TokenError, RecursionError) as error:  # its JSON may nest without end
            raise AuthenticationFailed(INVALID) from error

    def get_user(self, validated_token: Token) -> Any:
        """Find whose token it is; AuthenticationFailed unless all it says of him is still true."""
        claims = validated_token.payload
        subject = str(claims.get("sub", ""))
        user = User.objects.filter(pk=int(subject)).first() if _is_number(subject) else None
        if (
            user is None
            or not user.is_active
            or claims.get("ver") != user.token_version
            or claims.get("role") != user.role_id
        ):
            raise AuthenticationFailed(INVALID)
        return user


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < len(str(2**63))


class ConsoleSession(SessionAuthentication):
    """Finds out who asks by the console's session; what changes anything must prove its origin.

    For the API's document and its pages, which a browser that is signed in reads.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """Take the user of the session, if the console would let him in."""
        found = super().authenticate(request)
        if found is None or not found[0].is_staff:
            return None
        return found
