"""A worker that reads after each change what changed, beside one that has just come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from s4project.s3side import Services

if TYPE_CHECKING:
    from s3api.context import Reading

# Who holds what: where what is held is deleted, his rows may be known on.
HELD: Final = {
    "of_user": "policies",
    "of_group": "policies",
    "of_role": "policies",
    "members": "groups",
    "included": "roles",
}


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
        other = Services()
        assert told(self.reading) == told(other.read())
        assert known(self._services) == known(other)


def known(services: Services) -> dict[str, object]:
    """Say what is known of the tables, though nobody has it yet: a later change may go by it."""
    tables = services._keyrings._tables.rows
    owned = services._registries._owned
    found: dict[str, object] = {"owned": {whose: each for whose, each in owned.items() if each}}
    for name, rows in tables.items():
        there = tables.get(HELD.get(name, ""))
        lists = {
            whose: [row for row in each if there is None or row[1] in there]
            for whose, each in rows.items()
        }
        found[name] = {whose: each for whose, each in lists.items() if each}
    return found


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
