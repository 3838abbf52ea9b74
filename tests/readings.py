"""A worker that reads after each change what changed, beside one that has just come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s4project.s3side import Services

if TYPE_CHECKING:
    from s3api.context import Reading


class Worker:
    """Reads as a worker does, first of all everything."""

    def __init__(self) -> None:
        self._services = Services()
        self.reading = self._services.read()

    def read(self) -> None:
        """Read what changed."""
        self.reading = self._services.read()

    def keeps_up(self) -> None:
        """Read what changed; it knows then all that one knows who has just read everything."""
        self.read()
        assert told(self.reading) == told(Services().read())


def told(reading: Reading) -> dict[str, Any]:
    """Say all that a reading knows, as values."""
    keyring, registry = reading.keyring, reading.registry
    users = keyring._principals
    return {
        "keys": keyring._credentials,
        "users": users,
        "rights": {
            name: [(each.source, each.policy.text, each.is_builtin) for each in user.rights]
            for name, user in users.items()
        },
        "rights of keys": {
            name: [(each.source, each.policy.text) for each in key.principal.rights]
            for name, key in keyring._credentials.items()
        },
        "buckets": registry.all(),
        "in order": sorted(bucket.name for bucket in registry.all()),
        "owners": {name: owned for name, owned in registry._by_owner.items() if owned},
    }
