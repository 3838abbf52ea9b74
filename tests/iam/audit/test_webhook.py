"""One delivery to a webhook: what is sent, and what counts as taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from iam.audit import webhook
from iam.audit.webhook import RefusedError, batches, post
from tests.listening import DRIPS, HANGS, HANGS_UP, Webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES = [{"id": 1, "actor": "é"}, {"id": 2, "actor": ""}]


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Run a webhook."""
    with Webhook().listening() as listening:
        yield listening


def test_a_batch_is_posted_whole(hook: Webhook) -> None:
    """Path and query are those of the URL, the body is the documented form, the token is sent."""
    post(hook.url, "the-token", ENTRIES)
    (request,) = hook.requests
    assert request["path"] == "/s4?from=tests"
    assert request["entries"] == ENTRIES
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["headers"]["Authorization"] == "Bearer the-token"


def test_without_a_token_none_is_sent(hook: Webhook) -> None:
    """No token, no Authorization header; a URL without a path asks for the root."""
    post(f"http://127.0.0.1:{hook.port}", "", ENTRIES)
    (request,) = hook.requests
    assert request["path"] == "/"
    assert "Authorization" not in request["headers"]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_takes_the_batch(hook: Webhook, status: int) -> None:
    """A webhook may say in any way that it has the batch."""
    hook.plan = [status]
    post(hook.url, "", ENTRIES)
    assert hook.taken == ENTRIES


@pytest.mark.parametrize("step", [301, 302, 307, 308, 400, 401, 404, 413, 429, 500, 503, HANGS_UP])
def test_anything_else_refuses_it(hook: Webhook, step: int | str) -> None:
    """Other answers, and none, are refusals, and nobody is followed elsewhere with the token."""
    hook.plan = [step]
    with pytest.raises(RefusedError) as refused:
        post(hook.url, "the-token", ENTRIES)
    assert len(hook.requests) == 1
    assert "the-token" not in str(refused.value)
    assert "s4?from" not in str(refused.value)


def test_nobody_there_refuses_it() -> None:
    """A closed port and a name that nobody has are refusals too."""
    with Webhook().listening() as gone:
        url = gone.url
    for nowhere in (url, "http://nobody.invalid/s4"):
        with pytest.raises(RefusedError):
            post(nowhere, "", ENTRIES)


def test_a_webhook_that_hangs_is_given_up(hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, and a reply that drips without end, are given up after their time."""
    monkeypatch.setattr(webhook, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(webhook, "ATTEMPT_SECONDS", 0.6)
    for step in (HANGS, DRIPS):
        hook.plan = [step]
        begun = time.monotonic()
        with pytest.raises(RefusedError):
            post(hook.url, "", ENTRIES)
        assert time.monotonic() - begun < 30


def test_batches_have_a_bounded_size() -> None:
    """Large entries come in several batches, in order, and the largest alone."""
    big = {"id": 0, "detail": "x" * (webhook.BATCH_BYTES_MAX // 3)}
    huge = {"id": 9, "detail": "x" * (2 * webhook.BATCH_BYTES_MAX)}
    entries = [big | {"id": number} for number in range(5)] + [huge, {"id": 10}]
    made = [[entry["id"] for entry in batch] for batch in batches(entries)]
    assert made == [[0, 1], [2, 3], [4], [9], [10]]
    assert list(batches([])) == []
