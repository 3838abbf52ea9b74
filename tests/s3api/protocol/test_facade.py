"""The facade: the whole of AWS's model, compiled quickly and without botocore."""

from __future__ import annotations

import subprocess
import sys

import pytest

from s3api.protocol import OPERATIONS, Level


def test_every_operation_has_a_codec() -> None:
    """116 operations of the model and two of AWS's own making can be bound and rendered."""
    assert len(OPERATIONS) == 118
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.render({}).status in {200, 204}


def test_only_one_thing_happens_to_a_body() -> None:
    """A body is streamed or read, never both."""
    assert not any(op.streams_input and op.reads_body for op in OPERATIONS.values())


def test_levels_are_resource_types() -> None:
    """AWS names the three levels so in <ResourceType>."""
    assert list(Level) == ["SERVICE", "BUCKET", "OBJECT"]


@pytest.mark.parametrize("forbidden", ["botocore", "django", "boto3"])
def test_the_protocol_needs_neither_botocore_nor_django(forbidden: str) -> None:
    """The compiled model stands alone: importing it imports no oracle and no framework."""
    program = f"import s3api.protocol, sys; sys.exit({forbidden!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
