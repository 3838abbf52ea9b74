"""What a line of the log looks like, in every process of S4, and what does not get into one.

Lines are for people on a terminal and JSON elsewhere. What gunicorn, uvicorn, Django and Python
itself tell takes the same way. A line that is written for a request bears its id, whatever thread
it comes from. Secrets do not get through: values under telling names and what signs a URL or a
header are masked. Nor does anything that would end a line, or steer a terminal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import gunicorn.glogging
import structlog

from iam.audit.acting import request_id
from s4project.logs.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import TracebackType

    from structlog.typing import Processor

    Event = MutableMapping[str, Any]

MASK: Final = "[hidden]"
SECRET_NAME: Final = re.compile(
    r"secret|password|token|authorization|cookie|signature", re.IGNORECASE
)
# In a query or a form, also one that was percent-encoded once more; in JSON or repr; in a header;
# in a URL that names who asks.
SECRET_IN_TEXT: Final = re.compile(
    r"((?:signature|token|password|secret[\w-]*|AWSAccessKeyId|s4_session|s4_csrf)"
    r"(?:=|%3D|[\"']?:\s*[\"']?)|\bBearer\s+|\bAWS\s+[^\s:]+:|://[^\s/:@]*:(?=[^\s/@]*@))"
    r"[^&\s\"',;]+",
    re.IGNORECASE,
)
MARKS: Final = ("=", ":", "%3", "earer ")  # one of which is in all of them
# From which level they are heard. Django warns of every request that it refuses: those are the
# client's affair, and whoever likes could fill the log with them.
QUIET: Final = {
    "gunicorn.error": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "django.request": logging.ERROR,
    "asyncio": logging.WARNING,
}
# Tells of each variable that a page lacks, with all that the page has: a secret shown once, too.
TELLTALE: Final = "django.template"
PLAIN: Final = (int, float, bool, type(None))
UNREADABLE: Final = "What was to be logged could not be made a line"
FOLLOWING: Final = frozenset({"exception", "stack"})  # written below the line
INDENT: Final = "    "

log = structlog.get_logger(__name__)


def add_request_id(logger: object, method: str, event: Event) -> Event:
    """Say for which request the line is written."""
    del logger, method
    if asked := request_id.get():
        event.setdefault("request_id", asked)
    return event


def mask_secrets(logger: object, method: str, event: Event) -> Event:
    """Hide what must not be read in a log."""
    del logger, method
    for name, value in event.items():
        event[name] = _masked(name, value)
    return event


def _masked(name: str, value: Any) -> Any:
    if SECRET_NAME.search(name):
        return MASK
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, dict):
        return {str(inner): _masked(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", each) for each in value]
    return masked(value if isinstance(value, str) else repr(value))


def masked(text: str) -> str:
    """Hide what signs a request, or lets somebody in, inside a text."""
    if not any(mark in text for mark in MARKS):  # the search costs ten times as much
        return text
    return SECRET_IN_TEXT.sub(rf"\1{MASK}", text)


def spell_out(logger: object, method: str, event: Event) -> Event:
    """Write what would end a line or steer a terminal so that it is read, and does neither.

    For people alone: JSON spells it out itself. What follows in lines of its own is indented, so
    that none of them passes for a line of the log.
    """
    del logger, method
    for name, value in event.items():
        if name in FOLLOWING:
            lines = str(value).split("\n")
            event[name] = "\n".join(f"{INDENT}{_visible(line)}" for line in lines)
        elif name == "event":
            event[name] = _visible(str(value))
        elif isinstance(value, str):  # blanks and quotes are structlog's to put in quotes
            event[name] = _visible(value)
    return event


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


class Outlet(NamedTuple):
    """Where lines of this process go, and how an event that holds no secret becomes one."""

    stream: Stream
    render: Callable[[Event], str]


class Outgoing(logging.Handler):
    """Hands lines to the stream."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or have it written; one that cannot be made a line hurts nobody else."""
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001  # a library's words and values that do not fit, whatever they raise
            place = {"name": record.name, "levelno": logging.ERROR, "levelname": "ERROR"}
            said = f"{UNREADABLE}: {record.pathname}, line {record.lineno}"
            text = self.format(logging.makeLogRecord(place | {"msg": said}))
        self._stream.put(written(text))

    def close(self) -> None:
        """Let what waits be written."""
        self._stream.end()
        super().close()


def written(text: str) -> bytes:
    """Make a text a line."""
    return text.encode("utf-8", "backslashreplace") + b"\n"


_outlets: list[Outlet] = []  # of this process: none before `configure`


def outlet() -> Outlet | None:
    """Answer where lines go that are written past logging; None where nobody set up a log."""
    return _outlets[0] if _outlets else None


def configure(level: str, form: str) -> None:
    """Set up logging for this process and those it forks.

    `level` is debug, info, warning or error; `form` is console, json, or auto (console on a
    terminal). The servers under S4 are heard from warnings on, or when `level` is debug.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    is_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    stream = Stream(sys.stderr.fileno(), _tell_lost)
    _outlets[:] = [Outlet(stream, json.dumps if is_json else _for_people)]
    handler = Outgoing(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_secrets,
                _render,
            ],
        )
    )
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    _set_thresholds(threshold)
    logging.captureWarnings(capture=True)
    sys.excepthook, threading.excepthook = _tell_end, _tell_end_of_thread


def _render(logger: object, method: str, event: Event) -> str:
    del logger, method
    return _outlets[0].render(event)


def _for_people(event: Event) -> str:
    """Write a line for a terminal."""
    return str(_renderer()(None, "", spell_out(None, "", event)))


@cache
def _renderer() -> structlog.dev.ConsoleRenderer:
    # Plain: where `rich` is installed, structlog's own choice shows the values of variables.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _set_thresholds(threshold: int) -> None:
    """Hear others than S4 from higher on."""
    logging.getLogger(TELLTALE).setLevel(max(threshold, logging.INFO))
    for name in QUIET:
        is_debugging = threshold <= logging.DEBUG
        logging.getLogger(name).setLevel(threshold if is_debugging else max(threshold, QUIET[name]))


def _tell_lost(count: int) -> None:
    log.error("Lines of the log were lost: nobody took them in time", lost=count)


def _tell_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what ends the process, as a line like any other."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("The process ends", exc_info=(kind, error, trace))


def _tell_end_of_thread(hook: threading.ExceptHookArgs) -> None:
    """Say what ended a thread."""
    error = hook.exc_value or hook.exc_type()
    name = hook.thread.name if hook.thread else ""
    log.critical("A thread ended", thread=name, exc_info=(hook.exc_type, error, hook.exc_traceback))


class ArbiterLogger(gunicorn.glogging.Logger):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's logger without handlers, levels and files of its own."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self.error_log.propagate = True

    def setup(self, cfg: Any) -> None:
        """Leave the loggers as `configure` set them up."""
        self.cfg = cfg

    def reopen_files(self) -> None:
        """Do nothing: there are no files."""

    def close_on_exec(self) -> None:
        """Do nothing: there are no files."""
