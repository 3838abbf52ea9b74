"""Signing in with name and password: the one door for the console and for REST.

It tells nobody which names there are: unknown, disabled and passwordless users cost and say what a
wrong password does. An attempt is counted before its password is looked at, so that a thousand at
once are a thousand; a right one is taken back. The counts are SQL's: all workers share them, and a
restart forgets nothing.
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth.hashers import check_password, get_hasher, make_password
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from iam import sealing
from iam.audit.acting import current_actor, refusal_is_told
from iam.audit.notes import Note, Outcome
from iam.errors import TooManySignIns, WrongPassword
from iam.models import SignInCount, User
from iam.passwords import PASSWORD_CHARACTERS_MAX, nobodys_hash
from iam.services.audit import SIGN_IN, note_box, record_event
from iam.services.writing import arn
from iam.throttle import BY_CLIENT, BY_NAME, FORGOTTEN_SECONDS, Limit, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

PURPOSE: Final = b"s4 keys of the counts of sign-ins, version 1"
NAME: Final = re.compile(r"[A-Za-z0-9._@+-]{1,150}")
COUNTS_MAX: Final = 20_000  # a flood of names from many clients pushes out what is oldest
QUEUE_MAX: Final = 16  # sign-ins of this process that may wait for their turn to be hashed
BUSY_SECONDS: Final = 5

_queue: Final = threading.BoundedSemaphore(QUEUE_MAX)


def sign_in(username: str, password: str, address: str) -> User:
    """Find the user a name and a password belong to; WrongPassword, TooManySignIns.

    `address` is the client's. Slow on purpose: not for an event loop.
    """
    try:
        return _sign_in(username, password, address)
    except TooManySignIns as error:
        # A note and no entry: to refuse must cost less than to ask.
        detail = {"code": "TooManySignIns", "reason": str(error)}
        now_ms = time.time_ns() // 1_000_000
        note_box.put(Note(now_ms, current_actor(), SIGN_IN, "", Outcome.DENIED, detail))
        raise


def _sign_in(username: str, password: str, address: str) -> User:
    keys = _keys(username, client_of(address))
    is_known = _refuse_waiting(keys)
    with _place_in_queue():
        if not is_known:
            _make_room()
        _count(keys)
        user = _find(username)
        may_enter = user is not None and user.is_staff
        encoded = user.password if user is not None and may_enter else nobodys_hash()
        is_right = check_password(password[:PASSWORD_CHARACTERS_MAX], encoded)
    is_right = is_right and len(password) <= PASSWORD_CHARACTERS_MAX
    if user is None or not may_enter or not is_right:
        _tell_wrong_password(user, may_enter=may_enter)
        raise WrongPassword
    _welcome(user, password, keys)
    return user


def _tell_wrong_password(user: User | None, *, may_enter: bool) -> None:
    """Note that somebody was not let in.

    A name that no user has may be a password in the wrong field, and is not written down; AWS hides
    it too: docs.aws.amazon.com/awscloudtrail/latest/userguide/
    cloudtrail-event-reference-aws-console-sign-in-events.html
    """
    refusal_is_told()
    reason = "wrong password" if may_enter else "disabled, or without a password"
    if user is None:
        record_event(SIGN_IN, "", Outcome.DENIED, reason="no such user")
    else:
        record_event(SIGN_IN, arn(user), Outcome.DENIED, reason=reason)


def forget_sign_ins() -> int:
    """Delete the counts whose time is over; return how many."""
    return _forget(SignInCount.objects.filter(forgotten_at__lte=timezone.now()))


def _forget(rows: QuerySet[SignInCount]) -> int:
    """Delete counts, but those that somebody holds: who holds one may wait for another of them."""
    with transaction.atomic():
        free = rows.select_for_update(skip_locked=True).values_list("key", flat=True)
        return SignInCount.objects.filter(key__in=list(free)).delete()[0]


def _keys(username: str, client: str) -> dict[str, Limit]:
    """Name what an attempt is counted by, with its limit, in the order in which rows are held.

    A name is counted for each client: who holds the client's row waits for nobody at its names'.
    """
    secret = sealing.derived_key(settings.S4.data_dir, PURPOSE)

    def digest(*parts: str) -> str:
        text = "\0".join(parts).encode(errors="surrogatepass")
        return hmac.digest(secret, text, "sha256").hex()

    return {digest("client", client): BY_CLIENT, digest("name", username, client): BY_NAME}


def _refuse_waiting(keys: dict[str, Limit]) -> bool:
    """Raise TooManySignIns while one of the counts says to wait; costs one read.

    Tells whether all of them are there.
    """
    rows = list(SignInCount.objects.filter(key__in=keys))
    _refuse(rows, timezone.now())
    return len(rows) == len(keys)


def _refuse(rows: list[SignInCount], now: datetime) -> None:
    """Raise TooManySignIns where one says to wait; `now` is after they were read.

    Who need not wait has none but the moment of his attempt there: before that it would be later.
    """
    if waits := [row.waits_until for row in rows if row.waits_until > now]:
        raise TooManySignIns(_seconds(max(waits) - now))


@contextmanager
def _place_in_queue() -> Iterator[None]:
    """Hold a place among those whose password is looked at; TooManySignIns when there is none."""
    if not _queue.acquire(blocking=False):
        raise TooManySignIns(BUSY_SECONDS)
    try:
        yield
    finally:
        _queue.release()


def _count(keys: dict[str, Limit]) -> None:
    """Count an attempt; TooManySignIns when another has used up what was free meanwhile."""
    with transaction.atomic(durable=True):  # what is refused next must not take it back
        rows = [_hold(key) for key in keys]
        now = timezone.now()
        _refuse(rows, now)
        for row in rows:
            row.attempts = 1 + (row.attempts if row.forgotten_at > now else 0)
            row.waits_until = now + timedelta(seconds=keys[row.key].wait_seconds(row.attempts))
            row.forgotten_at = now + timedelta(seconds=FORGOTTEN_SECONDS)
        SignInCount.objects.bulk_update(rows, ["attempts", "waits_until", "forgotten_at"])


def _hold(key: str) -> SignInCount:
    """Hold the row of a key to the end of the transaction, making it where it is missing."""
    held = SignInCount.objects.select_for_update().filter(key=key)
    while (row := held.first()) is None:
        now = timezone.now()
        new = SignInCount(key=key, waits_until=now, forgotten_at=now)
        SignInCount.objects.bulk_create([new], ignore_conflicts=True)
    return row


def _make_room() -> None:
    """Keep the table small: forget what is over, else what would be over first.

    Holds nothing afterwards.
    """
    if SignInCount.objects.count() >= COUNTS_MAX and not forget_sign_ins():
        _forget(SignInCount.objects.order_by("forgotten_at")[: COUNTS_MAX // 10])


def _welcome(user: User, password: str, keys: dict[str, Limit]) -> None:
    """Take the attempt back, and keep the hash as today's parameters make it.

    Of the client this attempt alone is forgiven: else his own account would buy a guesser guesses.
    """
    values: dict[str, Any] = {"last_login": timezone.now()}
    if get_hasher().must_update(user.password):
        values["password"] = make_password(password)
    by_client, by_name = keys
    with transaction.atomic():
        User.objects.filter(pk=user.pk, password=user.password).update(**values)
        counted = SignInCount.objects.filter(key=by_client, attempts__gt=0)
        counted.update(attempts=F("attempts") - 1)
        SignInCount.objects.filter(key=by_name).delete()


def _find(username: str) -> User | None:
    """Find a user by name; one that no user can have is asked of no database."""
    if not NAME.fullmatch(username):
        return None
    return User.objects.filter(username=username).first()


def _seconds(wait: timedelta) -> int:
    """Write a wait in whole seconds, for people and for Retry-After."""
    return max(1, -(-wait // timedelta(seconds=1)))
