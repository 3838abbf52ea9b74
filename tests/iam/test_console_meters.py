"""Bars of quotas: every figure is what was counted, and the colour is right to the byte."""

from __future__ import annotations

import pytest

from iam.console_meters import Meter, draw, fullest, meters_of
from iam.quotas import Quota


@pytest.mark.parametrize(
    ("used", "percent", "state"),
    [
        (0, 0, ""),
        (799, 79, ""),
        (800, 80, "almost full"),
        (999, 99, "almost full"),
        (1000, 100, "full"),
        (1500, 150, "full"),
    ],
)
def test_a_meter_says_when_it_is_time_to_act(used: int, percent: int, state: str) -> None:
    """From the warning level on it is almost full, and full not one byte too early."""
    meter = Meter("bytes", used, 1000, 80)
    assert (meter.percent, meter.state) == (percent, state)
    page = draw(meter)
    assert f'width="{min(percent, 100)}"' in page
    assert f"{used:,} of 1,000 bytes" in page
    assert (state in page) if state else "full" not in page


def test_a_bound_that_is_not_set_is_no_meter() -> None:
    """Only what is bounded is measured, and the fuller bound tells more."""
    assert meters_of(None, size=5, versions=5) == []
    bytes_alone = meters_of(Quota(bytes=10), size=5, versions=5)
    assert [meter.what for meter in bytes_alone] == ["bytes"]
    both = meters_of(Quota(bytes=10, objects=6), size=5, versions=5)
    assert fullest(both) == Meter("objects", 5, 6, 80)
    assert fullest([]) is None
    assert both[1].text == "5 of 6 objects"
