"""What every call of the REST API obeys: who may ask, what is read and answered, how it is shown.

Deny by default: a view is for SuperUsers unless it says otherwise. `endpoint` turns a method into a
call: what it takes is read before it runs, what it returns is shown as declared, and both stand in
the API's document.
"""

from __future__ import annotations

from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response
from rest_framework.views import APIView

from iam.api.fields import read
from iam.api.permissions import Anybody, SignedIn, SuperUsers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rest_framework.permissions import BasePermission
    from rest_framework.request import Request

    from iam.api.fields import Given

    Answerer = Callable[..., Any]

OPEN: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED})
OF_SIGNED_IN: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
OF_BODY: Final = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
METHODS: Final = ["get", "head", "post", "put", "delete"]
MISSING: Final = frozenset({HTTPStatus.NOT_FOUND})
CONFLICT: Final = frozenset({HTTPStatus.CONFLICT})
THROTTLED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS})
# The database or the disk may be busy or full: nothing is wrong with the request.
OF_STORE: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE})


class Refusal(serializers.Serializer[Any]):
    """Why a call was refused."""

    error = serializers.CharField(help_text="A sentence that says what to change.")


class JsonAlways(BaseContentNegotiation):
    """Answers JSON, whatever a client says that it takes: there is nothing else."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Choose by the body's type; None: it is refused."""
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((each for each in parsers if each.media_type == content_type), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Choose the only one."""
        del request, format_suffix
        return renderers[0], renderers[0].media_type


class View(APIView):
    """An address of the API; `tag` is the heading it stands under in the document."""

    content_negotiation_class = JsonAlways
    http_method_names = METHODS
    tag: ClassVar[str] = "Identity"

    def get_permissions(self) -> list[BasePermission]:
        """Answer who may make the call that is asked for."""
        return [self._who()()]

    def perform_authentication(self, request: Request) -> None:
        """Find out who asks, unless anybody may: then a token that is no good does no harm."""
        if self._who() is not Anybody:
            super().perform_authentication(request)

    def _who(self) -> type[BasePermission]:
        method = (self.request.method or "").lower()
        call = getattr(self, method, None) if method in self.http_method_names else None
        if call is None:
            return SignedIn  # nothing is done but to say so
        who: type[BasePermission] = getattr(call, "who", SuperUsers)
        return who


def endpoint(  # noqa: PLR0913  # all that a call is
    name: str,
    *,
    query: type[Given] | None = None,
    body: type[Given] | None = None,
    answer: type[serializers.Serializer[Any]] | None = None,
    status: int = HTTPStatus.OK,
    refuses: Iterable[int] = (),
    who: type[BasePermission] = SuperUsers,
) -> Callable[[Answerer], Answerer]:
    """Make a call of a method: `name` in the document, its docstring there too.

    The method is given `query` and `body` as dicts where the call takes any. What it returns is
    shown by `answer`; without one the answer is empty. `refuses` are statuses beside the usual.
    """
    documented = _refusals(refuses, who, has_body=body is not None)
    if answer is None:
        status = HTTPStatus.NO_CONTENT

    def decorate(method: Answerer) -> Answerer:
        summary, _, description = (method.__doc__ or "").partition("\n\n")

        @extend_schema(
            operation_id=name,
            summary=summary.strip().rstrip("."),
            description=" ".join(description.split()),
            parameters=[query] if query else [],
            request=body,
            auth=[] if who is Anybody else None,
            responses={status: answer} | documented,
        )
        @wraps(method)
        def call(self: View, request: Request, **place: Any) -> Response:
            given: dict[str, Any] = {}
            if query is not None:
                given["query"] = read(query, request.query_params.dict())
            if body is not None:
                given["body"] = read(body, request.data)
            found = method(self, request, **place, **given)
            if isinstance(found, Response):
                return found
            shown = None if answer is None else answer(found).data
            return Response(shown, status)

        call.who = who  # type: ignore[attr-defined]  # read by View
        return call

    return decorate


def _refusals(
    refuses: Iterable[int], who: type[BasePermission], *, has_body: bool
) -> dict[int, Any]:
    """List every status that a call may be refused with, each with its form."""
    statuses = OPEN | OF_STORE | frozenset(refuses)
    if who is not Anybody:
        statuses |= OF_SIGNED_IN
    if has_body:
        statuses |= OF_BODY
    return {int(status): Refusal for status in sorted(statuses)}
