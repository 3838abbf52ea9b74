"""Who signed in and who signed out: Django's signals as entries.

Connected when the app is ready. REST, which keeps no session, calls `signed_in` itself; who was not
let in is told by the door, `iam.services.sign_in`.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver

from iam.audit.acting import Actor, current_actor
from iam.models import User
from iam.services.audit import SIGN_IN, record_event
from iam.services.writing import arn

SIGN_OUT: Final = "s4:SignOut"


@receiver(user_logged_in)
def signed_in(user: User, **more: Any) -> None:
    """Note that somebody signed in; without the entry he is not let in."""
    del more
    record_event(SIGN_IN, arn(user), actor=_as(user))


@receiver(user_logged_out)
def signed_out(user: User | None, **more: Any) -> None:
    """Note that somebody signed out; nobody needs none."""
    del more
    if isinstance(user, User):
        record_event(SIGN_OUT, arn(user), actor=_as(user))


def _as(user: User) -> Actor:
    """Tell who acts, where the request does not know him yet or any more."""
    here = current_actor()
    return Actor(
        here.via,
        user.username,
        user.canonical_id,
        here.credential,
        here.address,
        here.request_id,
    )
