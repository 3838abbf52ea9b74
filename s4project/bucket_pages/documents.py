"""What is set on a bucket as a text: XML as S3 has it on the wire, JSON as the AWS CLI takes it.

Both are one tree of AWS's member names. What does not fit AWS's model is refused, and the refusal
says where: a person is about to mend it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.etree import ElementTree as ET  # it reads nothing but what S4 has written

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from s3api.errors import S3Error
from s3api.http.query import Query
from s3api.protocol import OPERATIONS
from s3api.protocol.model import load_operations, payload_of
from s3api.protocol.timestamps import iso_date, parse_timestamp
from s3api.protocol.xml_writer import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.protocol.model import Member, Shape

    Tree = dict[str, Any]

XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
CHARACTERS_MAX: Final = 256 * 1024
MODELS: Final = {model.name: model for model in load_operations()}
NO_QUERY: Final = Query(b"")


class DocumentRefused(ValueError):  # noqa: N818  # it is a refusal
    """A text is not the document that it should be; the text of the error says where."""


class Kind(NamedTuple):
    """A document: the operations Get... and Put... of `setting`, the latter with a `payload`."""

    setting: str  # "BucketCors"
    payload: str  # "CORSConfiguration"

    @property
    def shape(self) -> Shape:
        """The model of the document."""
        payload = payload_of(MODELS[f"Put{self.setting}"].input)
        assert payload is not None, "a Put of a setting has one"
        return payload.shape

    def members(self, output: Tree) -> Tree:
        """Take the document out of what Get answers."""
        found = output.get(self.payload, output)
        known = {member.name for member in self.shape.members}
        return {name: found[name] for name in found if name in known and found[name] is not None}

    def xml(self, members: Tree) -> str:
        """Write the document as S3 answers it, indented."""
        get = MODELS[f"Get{self.setting}"]
        is_wrapped = payload_of(get.output) is not None
        output = {self.payload: members} if is_wrapped else members
        body = OPERATIONS[get.name].render(output).body or b""
        ET.register_namespace("", NAMESPACE)
        ET.register_namespace("xsi", XSI)
        try:
            root = ET.fromstring(body)  # noqa: S314  # written by S4 a moment ago
        except ET.ParseError:  # a character that S3 writes and XML does not have
            return body.decode()
        ET.indent(root)
        return ET.tostring(root, encoding="unicode")

    def json(self, members: Tree) -> str:
        """Write the document as the AWS CLI takes it."""
        return json.dumps(_shown(members, self.shape), indent=2, ensure_ascii=False)

    def read(self, text: str) -> Tree:
        """Read the document from either form; DocumentRefused."""
        if len(text) > CHARACTERS_MAX:
            most = f"{CHARACTERS_MAX:,}"
            raise DocumentRefused(_("At most %(most)s characters.") % {"most": most})
        return self._from_xml(text) if text.lstrip().startswith("<") else self._from_json(text)

    def _from_xml(self, text: str) -> Tree:
        put = OPERATIONS[f"Put{self.setting}"]
        try:
            bound = put.bind(None, None, NO_QUERY, (), text.strip().encode(errors="replace"))
        except S3Error as error:
            place = f" ({error.__cause__})" if error.__cause__ is not None else ""
            raise DocumentRefused(f"{error.code}: {error.message}{place}") from error
        members: Tree = bound[self.payload]
        return members

    def _from_json(self, text: str) -> Tree:
        found = read_json(text)
        if isinstance(found, dict) and found.keys() == {self.payload}:
            found = found[self.payload]  # as it stands in the input of the whole operation
        members: Tree = _structure(found, self.shape, "")
        return members


def read_json(text: str) -> Any:
    """Read JSON in which no name stands twice; DocumentRefused."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        words = _("This is no JSON: line %(line)s, column %(column)s: %(why)s.")
        place = {"line": error.lineno, "column": error.colno, "why": error.msg}
        raise DocumentRefused(words % place) from error
    except DocumentRefused:
        raise
    except (ValueError, RecursionError) as error:  # a number of too many digits, too deep a nesting
        raise DocumentRefused(_("This is no JSON that can be read.")) from error


def _once(pairs: list[tuple[str, Any]]) -> Tree:
    found: Tree = {}
    for name, value in pairs:
        if name in found:
            raise DocumentRefused(_("%(name)s stands twice in one place.") % {"name": name})
        found[name] = value
    return found


def _no_number(text: str) -> float:
    raise DocumentRefused(_("%(text)s is no number of JSON.") % {"text": text})


# --- JSON by the model --------------------------------------------------------------------------


def _shown(value: Any, shape: Shape) -> Any:
    """Write values as JSON has them: times as text, nothing where there is nothing."""
    if shape.kind == "structure":
        of = {member.name: member.shape for member in shape.members}
        return {
            name: _shown(each, of[name])
            for name, each in value.items()
            if each is not None and (each or not isinstance(each, tuple))
        }
    if shape.item is not None:
        return [_shown(each, shape.item.shape) for each in value]
    return iso_date(value) if shape.kind == "timestamp" else value


def _structure(value: Any, shape: Shape, path: str) -> Tree:
    if not isinstance(value, dict):
        place = path or _("The document")
        raise DocumentRefused(_("%(place)s: an object {...} belongs here.") % {"place": place})
    of = {member.name: member for member in shape.members}
    for name in value:
        if name not in of:
            words = _("%(place)s: there is no such member; there are %(names)s.")
            raise DocumentRefused(words % {"place": _at(path, name), "names": ", ".join(of)})
    found = {name: _value(each, of[name], _at(path, name)) for name, each in value.items()}
    for name in (name for name in of if name in shape.required - found.keys()):
        raise DocumentRefused(_("%(place)s: it is missing.") % {"place": _at(path, name)})
    return found


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _value(value: Any, member: Member, path: str) -> Any:
    shape = member.shape
    if shape.kind == "structure":
        return _structure(value, shape, path)
    if shape.item is None:
        return _scalar(value, shape, path)
    if not isinstance(value, list):
        raise DocumentRefused(_("%(place)s: a list [...] belongs here.") % {"place": path})
    return [_value(each, shape.item, f"{path}[{number}]") for number, each in enumerate(value)]


def _scalar(value: Any, shape: Shape, path: str) -> Any:
    kind = shape.kind if shape.kind in SCALARS else "string"
    words, read = SCALARS[kind]
    found = read(value)
    if found is None:
        raise DocumentRefused(
            _("%(place)s: %(what)s belongs here.") % {"place": path, "what": words}
        )
    if shape.enum and found not in shape.enum:
        names = ", ".join(sorted(shape.enum))
        raise DocumentRefused(
            _("%(place)s: one of %(names)s belongs here.") % {"place": path, "names": names}
        )
    return found


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or value.encode(errors="ignore").decode() != value:
        return None
    return value


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    return value if is_whole else None


def _long(value: Any) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return value if is_whole else None


def _moment(value: Any) -> int | None:
    return parse_timestamp(value) if isinstance(value, str) else None


SCALARS: Final[dict[str, tuple[Any, Callable[[Any], Any]]]] = {
    "string": (gettext_lazy("a text"), _text),
    "boolean": (gettext_lazy("true or false"), _flag),
    "integer": (gettext_lazy("a whole number"), _whole),
    "long": (gettext_lazy("a whole number"), _long),
    "timestamp": (gettext_lazy('a day or time such as "2030-01-31T00:00:00Z"'), _moment),
}
