"""S3's wire contract, compiled once from AWS's service model: the facade of the room.

`route` names the operation of a request, `Operation.bind` reads its input, `Operation.render`
writes its output, `render_error` writes a refusal. Knows names and shapes only; whether a request
is allowed, sensible or implemented is for others to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s3api.errors import S3Error

__all__ = ["OPERATIONS", "Level", "Operation", "Rendered", "render_error", "route"]


class Level(StrEnum):
    """What the path of a request names."""

    SERVICE = "SERVICE"
    BUCKET = "BUCKET"
    OBJECT = "OBJECT"


class QueryView(Protocol):
    """What the protocol needs of a parsed query string."""

    def items(self) -> Iterable[tuple[str, str]]: ...


class HeaderView(Protocol):
    """What the protocol needs of a request's headers to route it."""

    def header(self, name: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """A response but for its streamed payload (`body` is None where there is none to send here)."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


class Operation:
    """One S3 operation: its AWS name, and its codec."""

    name: str  # "PutObject"; browser forms are "PostObject", CORS preflight is "OptionsObject"
    streams_input: bool  # the payload is an object's bytes: leave it to the operation, bind b""
    streams_output: bool
    reads_body: bool  # bind wants the body: an XML document or a policy text

    def bind(
        self,
        bucket: str | None,
        key: str | None,
        query: QueryView,
        header_items: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> dict[str, Any]:
        """Read the members that the request carries; refuse malformed values with S3Error."""
        raise NotImplementedError

    def render(self, output: dict[str, Any]) -> Rendered:
        """Write an output given by AWS's member names; members that are None are left out."""
        raise NotImplementedError


OPERATIONS: dict[str, Operation] = {}


def route(method: str, level: Level, query: QueryView, headers: HeaderView) -> Operation:
    """Name the operation of a request, or refuse it: nothing ever falls through to another one."""
    raise NotImplementedError


def render_error(error: S3Error, *, resource: str, request_id: str, host_id: str) -> bytes:
    """Write a refusal as S3's Error document."""
    raise NotImplementedError
