"""The headers that a signature covers, made ready once for all requests that list the same ones.

Knows header names and values, no request.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OBEYED: Final = b"x-amz-"  # what begins so, S3 does something about
_TAB, _SPACE = b"\t "
_BLANK: Final = (b"  ", b": ", b" \n")  # what a canonical request has no space in


class SignedHeaders:
    """A list such as `host;x-amz-date`. Never changes once made."""

    __slots__ = ("_form", "_has_host", "_names", "_obeyed_count", "_pick")

    def __init__(self, text: str) -> None:
        names = text.lower().encode("latin-1", "replace").split(b";")
        self._names = frozenset(names)
        self._has_host = b"host" in self._names
        self._obeyed_count = sum(name.count(_OBEYED) for name in self._names)
        # Of two names and more it makes a tuple, of one the value itself.
        self._pick: Any = itemgetter(*names) if len(names) > 1 else _only(names[0])
        lines = b"".join(_literal(name) + b":%b\n" for name in names)
        sent = _literal(text.encode("latin-1", "replace"))
        self._form = b"%b\n%b\n%b\n" + lines + b"\n" + sent + b"\n%b"

    def canonical(
        self,
        method: bytes,
        path: bytes,
        query: bytes,
        headers: Mapping[bytes, bytes],
        payload_hash: bytes,
    ) -> bytes:
        """Write a canonical request; KeyError where one of the headers is not there.

        So what was signed but did not arrive never passes for an empty value.
        """
        values = self._pick(headers)
        written: bytes = self._form % (method, path, query, *values, payload_hash)
        # Blank is spaces and tabs (RFC 9110, 5.5): one space alone between two words stays.
        if _TAB in written or (_SPACE in written and any(each in written for each in _BLANK)):
            values = (b" ".join(value.split()) for value in values)
            written = self._form % (method, path, query, *values, payload_hash)
        return written

    def cover(self, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether the list surely has all that must be in it; False: `uncovered` has to look.

        All that it has are known to be there. So as many as it has are no others.
        """
        return self._has_host and b"\n".join(headers).count(_OBEYED) == self._obeyed_count

    def uncovered(self, headers: Mapping[bytes, bytes]) -> list[bytes]:
        """Name what S3 obeys and the list has not, and Host, which must always be in it."""
        wanted = (name for name in headers if name.startswith(_OBEYED))
        return sorted({b"host", *wanted} - self._names)

    def without_values(self) -> dict[bytes, bytes]:
        """Make empty headers."""
        return dict.fromkeys(self._names, b"")


def _only(name: bytes) -> Any:
    return lambda headers: (headers[name],)


def _literal(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
