"""System checks of identity, with stable ids.

iam.E001: the server key exists but is damaged or readable by others.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from iam import sealing


@register
def check_server_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report an unusable server key; a missing one is made at the first start."""
    del app_configs, kwargs
    if not (settings.S4.data_dir / sealing.SERVER_KEY_FILE).exists():
        return []
    try:
        sealing.load_server_key(settings.S4.data_dir)
    except sealing.SealingError as error:
        return [Error(str(error), id="iam.E001")]
    return []
