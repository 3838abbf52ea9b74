"""The settings: every one is read, typed, and refused in one line when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4project.configuration import load
from s4project.setting_table import SETTINGS
from s4project.setting_values import Address, parse_address, parse_size


def test_defaults_have_no_problems() -> None:
    """An empty environment is a valid configuration on the documented addresses."""
    configuration = load({})
    assert configuration.problems == ()
    assert str(configuration.bind) == "127.0.0.1:9000"
    assert str(configuration.console_bind) == "127.0.0.1:9001"
    assert configuration.data_dir == Path.cwd() / "data"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("S4_BIND", "9000"),
        ("S4_BIND", "127.0.0.1:99999"),
        ("S4_CONSOLE_BIND", "host:port"),
        ("S4_DATA_DIR", ""),
        ("S4_DATA_DIR", "~nobody-of-this-name/s4"),
        ("S4_WORKERS", "0"),
        ("S4_WORKERS", "many"),
        ("S4_REGION", "US East"),
        ("S4_DOMAIN", "s3.example.org:9000"),
        ("S4_PUBLIC_URL", "s3.example.org"),
        ("DATABASE_URL", "mysql://localhost/s4"),
        ("S4_ROOT_USERNAME", "a b"),
        ("S4_ROOT_PASSWORD", "short"),
        ("S4_JWT_SECRET", "too short to sign with"),
        ("S4_JWT_LIFETIME_HOURS", "0"),
        ("S4_MAX_UPLOAD_SIZE", "huge"),
        ("S4_LOG_LEVEL", "loud"),
        ("S4_COMPACTION_ENABLED", "maybe"),
        ("S4_COMPACTION_INTERVAL_HOURS", "0"),
        ("S4_COMPACTION_THRESHOLD", "30"),
        ("S4_COMPACTION_THRESHOLD", "-0.1"),
        ("S4_COMPACTION_BYTES_PER_SECOND", "fast"),
        ("S4_SCRUB_INTERVAL_DAYS", "monthly"),
        ("S4_AUDIT_WEBHOOK_URL", "siem.example.org"),
        ("S4_AUDIT_WEBHOOK_URL", "http://siem.example.org:99999/"),
        ("S4_AUDIT_WEBHOOK_URL", "http://siem.example.org:s4/"),
        ("S4_AUDIT_WEBHOOK_URL", "http://siem..example.org/"),
        ("S4_AUDIT_WEBHOOK_URL", "http://[::1/"),
    ],
)
def test_a_wrong_value_is_one_line(variable: str, value: str) -> None:
    """A wrong value is reported in one line that names its variable."""
    problems = load({variable: value}).problems
    assert len(problems) == 1
    assert problems[0].startswith(variable)
    assert "\n" not in problems[0]


def test_secrets_stay_out_of_problems_and_repr() -> None:
    """Neither a problem nor the printed configuration shows a secret."""
    configuration = load(
        {
            "S4_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "S4_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
            "S4_ROOT_PASSWORD": "pass wo\nrd",
        }
    )
    text = repr(configuration) + "".join(configuration.problems)
    assert "wJalrXUtnFEMI" not in text
    assert "pass wo" not in text


def test_a_misspelt_setting_is_refused() -> None:
    """A variable in S4's name that is no setting is a problem, not ignored."""
    assert load({"S4_DATADIR": "/srv"}).problems == ("S4_DATADIR is not a setting of S4",)


def test_half_a_key_pair_is_refused() -> None:
    """An access key without its secret is a problem."""
    assert len(load({"S4_ACCESS_KEY_ID": "AKIDEXAMPLE"}).problems) == 1


def test_both_sides_on_one_address_are_refused() -> None:
    """The S3 side and the console cannot share an address."""
    address = "127.0.0.1:9000"
    assert len(load({"S4_BIND": address, "S4_CONSOLE_BIND": address}).problems) == 1


@given(st.integers(0, 65535))
def test_addresses_round_trip(port: int) -> None:
    """Every address is read back from how it is written, IPv6 included."""
    for host in ("127.0.0.1", "localhost", "::1"):
        assert parse_address(str(Address(host, port))) == Address(host, port)


@given(st.dictionaries(st.sampled_from([row.variable for row in SETTINGS.values()]), st.text()))
def test_no_text_breaks_the_reader(environ: dict[str, str]) -> None:
    """Whatever stands in the environment, reading it ends in a configuration and problems."""
    load(environ)


def test_sizes_have_binary_units() -> None:
    """A size may carry a unit; K, M, G and T are powers of 1,024."""
    assert [parse_size(text) for text in ("1", "2K", "3MiB", "5GB")] == [
        1,
        2048,
        3 * 1024**2,
        5 * 1024**3,
    ]


@pytest.mark.parametrize(("text", "share"), [("0", 0.0), ("1", 1.0), ("0.3", 0.3), (".25", 0.25)])
def test_shares_are_read(text: str, share: float) -> None:
    """A share is a number from nothing to all."""
    assert load({"S4_COMPACTION_THRESHOLD": text}).compaction_threshold == share
