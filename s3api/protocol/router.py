"""Which operation a request asks for: method, level of the path, and sub-resource of the query.

One dictionary look-up in the common case. Nothing falls through: a request that names something
its operation does not know is refused here, so it can never overwrite, delete or read what its
sender did not mean. Knows no authentication and no existing bucket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from s3api.errors import S3Error
from s3api.protocol import quirks
from s3api.protocol.model import Level, OperationModel, load_operations

if TYPE_CHECKING:
    from s3api.http.query import Query

READS: Final = frozenset({"GET", "HEAD"})
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Headers(Protocol):
    """What routing needs of a request."""

    def header(self, name: str) -> str | None:
        """Answer the header of that lower-case name."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to an operation, and what the query must and may hold on it."""

    name: str  # of the operation
    values: tuple[tuple[str, str], ...]  # parameters that must have one value
    parameters: tuple[str, ...]  # parameters that must be present
    headers: tuple[str, ...]  # headers that tell it from the other routes of its cell
    accepted: frozenset[str]  # parameters it takes
    hoistable: frozenset[str]  # its headers, which presigned URLs may carry as parameters
    takes_metadata: bool  # the same for x-amz-meta-*
    weight: int  # how much it demands: the most demanding route of a cell is tried first

    def matches(self, query: Query, headers: Headers) -> bool:
        """Say whether the request holds what this route demands."""
        for name, value in self.values:
            if query.get(name) != value:
                return False
        for name in self.parameters:
            if name not in query:
                return False
        for name in self.headers:
            if headers.header(name) is None and not _is_hoisted(query, name):
                return False
        return True


def _is_hoisted(query: Query, header: str) -> bool:
    """Say whether a presigned URL carries that header as a parameter."""
    return bool(query) and any(name.lower() == header for name, _ in query.items())


def _members(operation: OperationModel, location: str) -> dict[str, str]:
    members = operation.input.members if operation.input else ()
    return {member.wire: member.name for member in members if member.location == location}


def _required(operation: OperationModel, location: str) -> tuple[str, ...]:
    required = operation.input.required if operation.input else frozenset()
    wires = _members(operation, location).items()
    return tuple(wire for wire, name in wires if name in required)


def _flag(operation: OperationModel) -> str:
    """Answer the sub-resource an operation is filed under; "" for the plain path."""
    if operation.flags:
        return operation.flags[0]
    selecting = quirks.SELECTING_PARAMETER
    return selecting if selecting in _required(operation, "querystring") else ""


def _make_route(operation: OperationModel, *, is_alone: bool) -> Route:
    values = operation.values
    parameters = _required(operation, "querystring")
    headers = () if is_alone else _required(operation, "header")
    names = {*operation.flags, *dict(values), *_members(operation, "querystring")}
    hoistable = {name.lower() for name in _members(operation, "header")}
    return Route(
        name=operation.name,
        values=values,
        parameters=parameters,
        headers=tuple(name.lower() for name in headers),
        accepted=frozenset(names | {quirks.SDK_PARAMETER}),
        hoistable=frozenset(name for name in hoistable if name.startswith("x-amz-")),
        takes_metadata=bool(_members(operation, "headers")),
        weight=len(values) + len(parameters) + len(headers),
    )


def _compile() -> dict[tuple[str, Level, str], tuple[Route, ...]]:
    """File every operation that a request can be told to mean, the most demanding first."""
    cells: dict[tuple[str, Level, str], list[OperationModel]] = {}
    for operation in load_operations():
        if operation.name not in quirks.INDISTINGUISHABLE:
            place = operation.method, operation.level, _flag(operation)
            cells.setdefault(place, []).append(operation)
    return {place: _make_routes(rivals) for place, rivals in cells.items()}


def _make_routes(rivals: list[OperationModel]) -> tuple[Route, ...]:
    """Order the ways to operations that share a cell.

    Required headers are demanded only where they decide between rivals: an operation that stands
    alone says in its own words what it misses.
    """
    routes = [_make_route(operation, is_alone=len(rivals) == 1) for operation in rivals]
    return tuple(sorted(routes, key=lambda route: -route.weight))


CELLS: Final = _compile()
FLAGS: Final = frozenset(flag for _, _, flag in CELLS if flag)
PARAMETERS: Final = frozenset(
    name for operation in load_operations() for name in _members(operation, "querystring")
)
PREFLIGHT: Final = "OptionsObject"
FORM: Final = "PostObject"
# What stands alone in its cell without a sub-resource, and demands nothing.
PLAIN: Final = {
    (method, level): routes[0].name
    for (method, level, flag), routes in CELLS.items()
    if not flag and len(routes) == 1 and routes[0].weight == 0 and routes[0].name != FORM
}


def find_operation(method: str, level: Level, query: Query, headers: Headers) -> str:
    """Name the operation of a request.

    Raises S3Error: MethodNotAllowed (with Allow) where the resource has no such method,
    InvalidArgument or InvalidRequest for a query that the operation does not take,
    PreconditionFailed for a POST to a bucket that is no form, BadRequest for an unknown method.
    """
    if not query.raw and (plain := PLAIN.get((method, level))):
        return plain
    if method == "OPTIONS":
        return PREFLIGHT  # it asks about a path, whatever the query
    flag = _select(query) if query.raw else ""
    routes = CELLS.get((method, level, flag))
    if routes is None:
        raise _no_route(method, level, flag)
    for route in routes:
        if route.weight == 0 or route.matches(query, headers):
            if query.raw:
                _check_parameters(route, method, level, query)
            if route.name == FORM:
                _check_form(headers)
            return route.name
    raise _missing(routes[-1], query)


def _select(query: Query) -> str:
    """Find the one sub-resource that the query names; "" for none."""
    flag = ""
    for name, _ in query.items():  # noqa: PERF102  # a Query is no dict: names may repeat
        if name in FLAGS and name != flag:
            if flag:
                raise _conflict(query)
            flag = name
    return flag


def _conflict(query: Query) -> S3Error:
    flags = sorted({name for name, _ in query.items() if name in FLAGS})
    return S3Error(
        "InvalidArgument",
        "Conflicting query string parameters: " + ", ".join(flags),
        ArgumentName="ResourceType",
        ArgumentValue=flags[0],
    )


def _no_route(method: str, level: Level, flag: str) -> S3Error:
    if method not in METHODS:
        return S3Error("BadRequest", "An error occurred when parsing the HTTP request.")
    allowed = sorted(m for m, where, what in CELLS if (where, what) == (level, flag))
    if not allowed:
        noun = quirks.LEVEL_NOUNS[level]
        nothing = f"There is no such thing as the ?{flag} sub-resource for {noun}"
        code, message = quirks.MISPLACED.get((level, flag), ("InvalidRequest", nothing))
        return S3Error(code, message)
    return S3Error(
        "MethodNotAllowed",
        headers={"Allow": ", ".join(allowed)},
        Method=method,
        ResourceType=_resource_type(level, flag),
    )


def _resource_type(level: Level, flag: str) -> str:
    if not flag:
        return level.value
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", flag).replace("-", "_").upper()
    return quirks.RESOURCE_TYPES.get((level, flag), words)


def _missing(route: Route, query: Query) -> S3Error:
    """Refuse a request that names an operation and lacks a parameter which it cannot be without."""
    names = [name for name in route.parameters if name not in query]
    names += [name for name, value in route.values if query.get(name) != value]
    return S3Error(
        "InvalidArgument",
        f"Missing or wrong query string parameter: {names[0]}",
        ArgumentName=names[0],
        ArgumentValue=query.get(names[0]) or "",
    )


def _check_parameters(route: Route, method: str, level: Level, query: Query) -> None:
    """Refuse the parameters that must not be ignored (see `quirks.SIGNATURE_PARAMETERS`)."""
    accepted = route.accepted
    for name, value in query.items():
        if name in accepted:
            continue
        refused = quirks.REFUSED_PARAMETERS
        refusal = refused.get((route.name, name))
        if refusal is not None:  # named without its value: MEASURED, see quirks
            raise S3Error(*refusal, ArgumentName=name)
        refusal = refused.get((level, name))
        if refusal is None and not _is_ignorable(route, method, name, value):
            refusal = "InvalidArgument", f"Unexpected query string parameter: {name}"
        if refusal is not None:
            code, message = refusal
            raise S3Error(code, message, ArgumentName=name, ArgumentValue=value)


def _is_ignorable(route: Route, method: str, name: str, value: str) -> bool:
    lower = name.lower()
    if lower in quirks.SIGNATURE_PARAMETERS or lower in route.hoistable:
        return True
    if lower.startswith("x-amz-meta-"):
        return route.takes_metadata
    if lower.startswith("x-"):
        return not lower.startswith("x-amz-")
    return method in READS and (bool(value) or name in PARAMETERS)


def _check_form(headers: Headers) -> None:
    """Refuse a POST to a bucket that is not a browser's form."""
    kind = headers.header("content-type") or ""
    if not kind.lower().startswith("multipart/form-data"):
        raise S3Error(
            "PreconditionFailed",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
