"""How settings are written: a reader for each kind of value; ValueError says what it must be.

Knows nothing of Django, nor which settings there are.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from s4project.sql.address import is_postgresql, read_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable

PORT_MAX: Final = 65_535
KIB: Final = 1024
UNITS: Final = {"": 1, "K": KIB, "M": KIB**2, "G": KIB**3, "T": KIB**4}


class Address(NamedTuple):
    """A listening address; port 0 asks the system for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `host:port`, `:port` or `[v6]:port`."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]*)):(\d{1,5})", text)
    if match is None or int(match[3]) > PORT_MAX:
        raise ValueError("must be HOST:PORT, for example 127.0.0.1:9000")
    return Address(match[1] or match[2] or "0.0.0.0", int(match[3]))  # noqa: S104  # ":9000" means all


def parse_flag(text: str) -> bool:
    """Read a yes-or-no setting."""
    word = text.lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be true or false")


def parse_size(text: str) -> int:
    """Read a number of bytes, with an optional unit: 5G, 512M, 64KiB."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("must be a size such as 5GB, 512M or 1048576")
    return int(match[1]) * UNITS[match[2].upper()]


def parse_share(text: str) -> float:
    """Read a share: a number from 0 to 1."""
    if not re.fullmatch(r"0|1|[01]?\.\d{1,6}", text) or float(text) > 1:
        raise ValueError("must be a share from 0 to 1, such as 0.3")
    return float(text)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Make a reader that accepts only `words`."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError("must be one of " + ", ".join(words))
        return text

    return parse


def matching(pattern: str, meaning: str) -> Callable[[str], str]:
    """Make a reader of texts that match `pattern` whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {meaning}")
        return text

    return parse


def parse_domains(text: str) -> tuple[str, ...]:
    """Read domain names separated by commas."""
    names = tuple(name.strip().lower().rstrip(".") for name in text.split(",") if name.strip())
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name):
            raise ValueError("must be domain names separated by commas, without ports")
    return names


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read addresses and networks separated by commas."""
    try:
        return tuple(ip_network(word.strip()) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise ValueError(
            "must be addresses or networks separated by commas, such as 10.0.0.7, 192.168.0.0/16"
        ) from error


def parse_path(text: str) -> Path:
    """Read a path, absolute from here on."""
    if not text:
        raise ValueError("must be a path")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError("must be a path without ~: nobody knows whose home that is") from error


def parse_url(text: str) -> str:
    """Read an http or https URL, kept without its last slash."""
    if not re.fullmatch(r"https?://[^/\s?#]+/?", text):
        raise ValueError("must be a URL such as https://s3.example.org")
    return text.rstrip("/")


def parse_webhook(text: str) -> str:
    """Read the URL of a webhook, which may have a path and a query; an empty one means none."""
    refusal = "must be a URL such as https://siem.example.org/s4, without user and #"
    if text and not re.fullmatch(r"https?://[^/\s?#@]+(?:[/?][!-~]*)?", text):
        raise ValueError(refusal)
    try:  # what can be dialled: a port, and a host that DNS can be asked for
        place = urlsplit(text)
        _ = place.port, (place.hostname or "").encode("idna")
    except ValueError as error:
        raise ValueError(refusal) from error
    return text


def parse_database(text: str) -> str:
    """Read a database URL; an empty one means SQLite in the data directory."""
    if is_postgresql(text):
        read_postgresql(text)
    elif text and not text.startswith("sqlite:///"):
        raise ValueError("must start with sqlite:/// or postgresql://")
    return text
