"""Django's way into `iam.services.sign_in`: what `django.contrib.auth.authenticate` asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend

from iam.errors import WrongPassword
from iam.services import sign_in

if TYPE_CHECKING:
    from django.http import HttpRequest

    from iam.models import User


class SignInBackend(ModelBackend):
    """Finds users by name and password, as often as the throttle lets their client try."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **others: Any,
    ) -> User | None:
        """Find the user; None, which Django tells its listeners, or TooManySignIns."""
        del others
        if username is None or password is None:
            return None
        try:
            return sign_in(username, password, address_of(request))
        except WrongPassword:
            return None


def address_of(request: HttpRequest | None) -> str:
    """Tell a client's address, which the edge has from a trusted proxy where there is one."""
    return "" if request is None else str(request.META.get("REMOTE_ADDR") or "")
