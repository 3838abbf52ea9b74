"""Asks a running S4 how it is, for containers: the standard library alone, and no Django.

`manage.py healthcheck` comes here before Django is set up: it runs every few seconds in images that
have neither curl nor a shell. Exit code 0: well; 1: not, in one line on standard error that says
why (Docker keeps other codes for itself).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import sys
from typing import TYPE_CHECKING, Final

from s4project.setting_values import parse_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from s4project.setting_values import Address

DEFAULT: Final = "127.0.0.1:9001"
HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what listens everywhere
SECONDS: Final = 4.0
OK: Final = 200
REPLY_BYTES_MAX: Final = 64 * 1024


class Unwell(Exception):  # noqa: N818  # not an error of ours; the text says what is wrong
    """S4 is not well, or cannot be asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--live", action="store_true", help="only whether the process answers, not what it can do"
    )
    parser.add_argument(
        "--console-bind",
        metavar="HOST:PORT",
        help="where the console listens (S4_CONSOLE_BIND)",
    )


def main(arguments: Sequence[str]) -> int:
    """Ask, say what is wrong, and return the exit code."""
    parser = argparse.ArgumentParser("healthcheck", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    return run(os.environ, console_bind=options.console_bind, is_live=options.live)


def run(environ: Mapping[str, str], *, console_bind: str | None, is_live: bool) -> int:
    """As `main`, with the options read."""
    try:
        address = _address(environ, console_bind)
        _ask(address, "/health/live" if is_live else "/health/ready", _context(environ))
    except Unwell as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _address(environ: Mapping[str, str], console_bind: str | None) -> Address:
    """Find out where to ask."""
    text = console_bind or environ.get("S4_CONSOLE_BIND") or DEFAULT
    try:
        address = parse_address(text)
    except ValueError as error:
        raise Unwell(f"S4_CONSOLE_BIND {error} (it is {text!r})") from error
    if not address.port:
        raise Unwell("S4_CONSOLE_BIND leaves the port open: say it by --console-bind")
    return address._replace(host=HERE.get(address.host, address.host))


def _context(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    """Make what TLS needs, where S4 speaks it.

    Whose certificate it is makes no difference: the question goes to an address of this machine,
    which the certificate does not name, and holds no secret.
    """
    if not environ.get("S4_TLS_CERT"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ask(address: Address, path: str, context: ssl.SSLContext | None) -> None:
    """Ask S4; Unwell."""
    host, port = address
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        reply = connection.getresponse()
        body = reply.read(REPLY_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        raise Unwell(f"S4 does not answer on {address}: {error}") from error
    finally:
        connection.close()
    if reply.status != OK:
        raise Unwell(_told(reply.status, body))


def _told(status: int, body: bytes) -> str:
    """Say what S4 says is wrong."""
    try:
        failing = json.loads(body)["failing"]
        reasons = [f"{name}: {trouble}" for name, trouble in failing.items()]
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"S4 answers {status}"
    return "S4 is not ready: " + "; ".join(reasons)
