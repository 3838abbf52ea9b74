"""Who may ask: SuperUsers unless a view says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission

from iam.models import User

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class Anybody(BasePermission):
    """Whoever comes, also one who has not signed in."""


class SignedIn(BasePermission):
    """Whoever has signed in, for what is theirs."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether an active user asks."""
        del view
        return isinstance(request.user, User) and request.user.is_active


class SuperUsers(SignedIn):
    """SuperUsers alone."""

    message = "Only a SuperUser may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether a SuperUser asks."""
        return super().has_permission(request, view) and asker(request).is_superuser


def asker(request: Request) -> User:
    """Tell who asks; only behind a permission that wants somebody."""
    assert isinstance(request.user, User), "the permission was checked"
    return request.user
