"""A program that uses the REST API in tests: it has a token and sends JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from django.test import Client

from iam.api.tokens import make_token

if TYPE_CHECKING:
    from iam.models import User


class Told(NamedTuple):
    """An answer: its status and what it says."""

    status: int
    body: Any
    headers: Any

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        assert set(self.body) == {"error"}, self.body
        sentence: str = self.body["error"]
        return sentence


class Program:
    """Calls the API as a user, or with any token, or with none."""

    def __init__(self, user: User | None = None, token: str | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        self.token = str(make_token(user)) if user is not None else token

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Told:
        """Send a request; `body` is JSON unless it is bytes."""
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            options.setdefault("content_type", "application/json")
            options["data"] = body if isinstance(body, bytes) else json.dumps(body)
        reply = self.client.generic(method, f"/api{path}", headers=headers, **options)
        is_json = reply.headers.get("Content-Type", "").startswith("application/json")
        return Told(
            reply.status_code, json.loads(reply.content) if is_json else None, reply.headers
        )

    def get(self, path: str, **options: Any) -> Told:
        """Send a GET."""
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Told:
        """Send a POST."""
        return self.send("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Told:
        """Send a PUT."""
        return self.send("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> Told:
        """Send a DELETE."""
        return self.send("DELETE", path, **options)
