"""Sizes in words, and the form field that reads them."""

from __future__ import annotations

import pytest
from django import forms
from hypothesis import given
from hypothesis import strategies as st

from iam.forms_sizes import SIZE_MAX, SizeField
from iam.sizes import STEP, exact_size_text, size_text, split_size

KIB, MIB, GIB = 2**10, 2**20, 2**30


class Form(forms.Form):
    """A size alone."""

    size = SizeField()


@pytest.mark.parametrize(
    ("size", "short", "exact"),
    [
        (0, "0 bytes", "0 bytes"),
        (1, "1 byte", "1 byte"),
        (1023, "1,023 bytes", "1,023 bytes"),
        (KIB, "1.0 KiB", "1 KiB"),
        (1500, "1.5 KiB", "1,500 bytes"),
        (10 * GIB, "10.0 GiB", "10 GiB"),
        (2**50, "1.0 PiB", "1 PiB"),
        (2**62, "4,096.0 PiB", "4,096 PiB"),
    ],
)
def test_sizes_are_told_in_units_of_1024(size: int, short: str, exact: str) -> None:
    """A size is shown to a tenth of its unit, and a bound as what it is."""
    assert size_text(size) == short
    assert exact_size_text(size) == exact


@given(st.integers(0, SIZE_MAX))
def test_a_size_is_split_without_loss(size: int) -> None:
    """Whatever is shown in the form is read from it again."""
    number, power = split_size(size)
    assert number * STEP**power == size
    form = Form({"size": number, "size_unit": power})
    assert form.is_valid()
    assert form.cleaned_data["size"] == size


@pytest.mark.parametrize(
    ("number", "unit", "size"),
    [("", "3", None), ("1.5", "3", 3 * GIB // 2), ("0", "0", 0), ("7", "", 7), ("0.5", "1", 512)],
)
def test_a_size_is_a_number_and_its_unit(number: str, unit: str, size: int | None) -> None:
    """Parts of a unit are a size, too, and no number is none."""
    form = Form({"size": number, "size_unit": unit})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["size"] == size


@pytest.mark.parametrize(
    ("number", "unit", "complaint"),
    [
        ("0.3", "0", "whole number"),
        ("-1", "0", "greater than or equal to 0"),
        ("1e30", "0", "more than can be kept"),
        ("99999", "5", "more than can be kept"),
        ("NaN", "0", "number"),
        ("Infinity", "0", "number"),
        ("much", "0", "number"),
        ("1", "9", "valid choice"),
    ],
)
def test_what_is_no_size_is_refused(number: str, unit: str, complaint: str) -> None:
    """What nothing can measure is refused with the reason."""
    form = Form({"size": number, "size_unit": unit})
    assert complaint in str(form["size"].errors)


def test_the_form_shows_the_largest_whole_unit() -> None:
    """A size stands in the form as people wrote it, and the label leads to its number."""
    form = Form(initial={"size": 20 * MIB})
    shown = str(form)
    assert 'value="20"' in shown
    assert '<option value="2" selected>MiB</option>' in shown
    assert f'for="{form["size"].id_for_label}"' in shown
    assert f'id="{form["size"].id_for_label}"' in shown
