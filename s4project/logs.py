"""Logging for every process of S4: one stream of lines on standard error.

Lines are for people on a terminal and JSON elsewhere. What gunicorn, uvicorn and Django log through
the standard library takes the same way. Secrets do not get through: values under telling names
and the signatures in presigned URLs are masked.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import gunicorn.glogging
import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import Processor

MASK: Final = "[hidden]"
SECRET_NAME: Final = re.compile(
    r"secret|password|token|authorization|cookie|signature", re.IGNORECASE
)
SECRET_IN_URL: Final = re.compile(
    r"((?:X-Amz-(?:Signature|Security-Token)|Signature|AWSAccessKeyId)=)[^&\s\"']+", re.IGNORECASE
)
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


def mask_secrets(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Hide what must not be read in a log."""
    del logger, method
    for name, value in event.items():
        if SECRET_NAME.search(name):
            event[name] = MASK
        elif isinstance(value, str) and "=" in value:
            event[name] = SECRET_IN_URL.sub(rf"\1{MASK}", value)
    return event


def configure(level: str, form: str) -> None:
    """Set up logging for this process and those it forks.

    `level` is debug, info, warning or error; `form` is console, json, or auto (console on a
    terminal). The servers under S4 are heard from warnings on, or when `level` is debug.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    is_terminal = sys.stderr.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json" or (form == "auto" and not is_terminal):
        ending: list[Processor] = [
            structlog.processors.format_exc_info,
            mask_secrets,
            structlog.processors.JSONRenderer(),
        ]
    else:
        # Plain: where `rich` is installed, structlog's own choice shows the values of variables.
        renderer = structlog.dev.ConsoleRenderer(
            colors=is_terminal, exception_formatter=structlog.dev.plain_traceback
        )
        ending = [mask_secrets, renderer]
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
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    logging.getLogger(TELLTALE).setLevel(max(threshold, logging.INFO))
    for name in QUIET:
        is_debugging = threshold <= logging.DEBUG
        logging.getLogger(name).setLevel(threshold if is_debugging else max(threshold, QUIET[name]))


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
