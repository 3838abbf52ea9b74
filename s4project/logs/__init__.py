"""What S4 writes on standard error: lines of its processes, requests that were slow, all requests.

`lines` says what a line looks like and what must not be in it, `stream` brings lines out without
anybody waiting for them, `access` and `console` tell of requests to the two sides.
"""

from __future__ import annotations

from s4project.logs.lines import ArbiterLogger, configure

__all__ = ["ArbiterLogger", "configure"]
