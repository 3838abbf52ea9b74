"""System checks of the settings, with stable ids; a wrong setting stops every command.

s4project.E001 is a setting whose value cannot be used.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report each wrong setting in one line."""
    del app_configs, kwargs
    return [Error(problem, id="s4project.E001") for problem in settings.S4.problems]
