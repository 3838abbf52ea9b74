"""The tables of deviations: each entry names something that exists and makes a difference."""

from __future__ import annotations

from typing import Final

import pytest

from s3api.errors import CODES
from s3api.protocol import OPERATIONS, quirks
from s3api.protocol.model import Shape, load_operations
from s3api.protocol.router import FLAGS

MODELS: Final = {operation.name: operation for operation in load_operations()}


def all_shapes() -> dict[str, Shape]:
    """Collect every shape that an operation reaches."""
    found: dict[str, Shape] = {}

    def visit(shape: Shape | None) -> None:
        if shape is None or shape.name in found:
            return
        found[shape.name] = shape
        for member in (*shape.members, *([shape.item] if shape.item else [])):
            visit(member.shape)

    for model in MODELS.values():
        visit(model.input)
        visit(model.output)
    return found


SHAPES: Final = all_shapes()
HEADERS: Final = {
    member.wire.lower()
    for model in MODELS.values()
    for member in (model.input.members if model.input else ())
    if member.location in {"header", "querystring"}
}


def test_operations_in_the_tables_exist() -> None:
    """A table that names an operation names one of the model."""
    named = {
        *quirks.STATUS,
        *quirks.ROOTS,
        *quirks.ROOT_TEXT,
        *quirks.EXTRA_OPERATIONS,
        *quirks.INDISTINGUISHABLE,
        *quirks.INDISTINGUISHABLE.values(),
        *quirks.DOCUMENT_REQUIRED,
    }
    assert named <= set(OPERATIONS)


def test_every_output_with_a_document_of_its_own_has_a_root() -> None:
    """The model names no root tag; the table names each that is needed, and no other."""
    needed = {
        name
        for name, model in MODELS.items()
        if model.output
        and not model.output.payload
        and any(not member.location for member in model.output.members)
    }
    assert set(quirks.ROOTS) == needed


@pytest.mark.parametrize("name", sorted({*quirks.ELEMENT_ORDER, *quirks.ROWS}))
def test_shapes_in_the_tables_have_the_members_named(name: str) -> None:
    """An order, and what every row has, names members of the shape, each once."""
    members = [member.name for member in SHAPES[name].members]
    order = quirks.ELEMENT_ORDER.get(name, ())
    assert set(order) <= set(members)
    assert len(set(order)) == len(order)
    assert tuple(members[: len(order)]) == order
    assert quirks.ROWS.get(name, frozenset()) <= set(members)


def test_values_in_the_tables_are_of_the_model() -> None:
    """Shapes and wire names that are treated apart exist."""
    assert set(SHAPES) >= quirks.VERBATIM_SHAPES | quirks.OPEN_ENUMS
    wires = {
        *quirks.CASELESS,
        *quirks.EMPTY_IS_ABSENT,
        *quirks.ENUM_REFUSALS,
        *quirks.RANGES,
        *quirks.LENIENT_DATES,
        *quirks.UTF8_HEADERS,
    }
    assert wires <= HEADERS


def test_every_integer_of_the_query_has_a_range() -> None:
    """No integer parameter is read without bounds."""
    integers = {
        member.wire
        for model in MODELS.values()
        for member in (model.input.members if model.input else ())
        if member.location == "querystring" and member.shape.kind in {"integer", "long"}
    }
    assert integers == set(quirks.RANGES) | {"partNumber"}


def test_refusals_name_codes_of_s3_and_flags_of_the_model() -> None:
    """A refusal can be raised, and a resource type belongs to a sub-resource."""
    refusals = [
        *quirks.MISPLACED.values(),
        *quirks.REFUSED_PARAMETERS.values(),
        *quirks.ENUM_REFUSALS.values(),
    ]
    assert {code for code, _ in refusals}.union(quirks.MALFORMED.values()) <= set(CODES)
    assert {flag for _, flag in (*quirks.RESOURCE_TYPES, *quirks.MISPLACED)} <= FLAGS


def test_indistinguishable_operations_share_their_place() -> None:
    """An operation is left out of routing only for one of the same method, level and query."""
    for name, other in quirks.INDISTINGUISHABLE.items():
        left, kept = MODELS[name], MODELS[other]
        assert (left.method, left.level, left.flags) == (kept.method, kept.level, kept.flags)
