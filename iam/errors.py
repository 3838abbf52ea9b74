"""Every way identity's services refuse, as types; their texts are sentences for a person.

Knows no Django. `field` names the form field the refusal concerns, "" when it is none.
"""

# ruff: noqa: N818  # the names are the outcomes
from __future__ import annotations


class IdentityError(Exception):
    """Base of what the services of `iam` raise on purpose."""

    field = ""


class InvalidIdentity(IdentityError):
    """A value that a user or key cannot have."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class UsernameTaken(IdentityError):
    """Another user has that name."""

    field = "username"

    def __init__(self, username: str) -> None:
        super().__init__(f"There is already a user named {username}.")


class CanonicalIdTaken(IdentityError):
    """Another user has that canonical id."""

    field = "canonical_id"

    def __init__(self, canonical_id: str) -> None:
        super().__init__(f"Another user has the canonical id {canonical_id}.")


class AccountIdTaken(IdentityError):
    """Another user has that account id."""

    field = "account_id"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Another user has the account id {account_id}.")


class AccessKeyTaken(IdentityError):
    """There is already such an access key, perhaps of another user."""

    field = "access_key"

    def __init__(self, access_key: str) -> None:
        super().__init__(f"There is already an access key {access_key}.")


class WrongPassword(IdentityError):
    """Name and password do not belong together; which of them is wrong, or else, is not told."""

    def __init__(self) -> None:
        super().__init__("The user name or the password is wrong.")


class TooManySignIns(IdentityError):
    """A client must wait before it is heard again."""

    def __init__(self, wait_seconds: int) -> None:
        plural = "" if wait_seconds == 1 else "s"
        super().__init__(
            f"Too many attempts to sign in. Try again in {wait_seconds} second{plural}."
        )
        self.wait_seconds = wait_seconds


class NoSuchUser(IdentityError):
    """No user has that id, name or canonical id."""

    def __init__(self, which: object) -> None:
        super().__init__(f"There is no user {which}.")


class NoSuchAccessKey(IdentityError):
    """There is no such access key."""

    def __init__(self, access_key: str) -> None:
        super().__init__(f"There is no access key {access_key}.")


class LastSuperUser(IdentityError):
    """Nobody could administer S4 afterwards."""

    def __init__(self) -> None:
        super().__init__(
            "This is the last active SuperUser: it cannot be deleted, disabled or given another "
            "role."
        )


class RootUserKept(IdentityError):
    """The root user is bound to the environment and stays a SuperUser."""

    def __init__(self) -> None:
        super().__init__(
            "The root user cannot be deleted or given another role; it can be disabled while "
            "there is another SuperUser."
        )


class UserOwnsBuckets(IdentityError):
    """The user's buckets would be without an owner."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} owns buckets: delete them first.")


class NameTaken(IdentityError):
    """Another of the same kind has that name."""

    field = "name"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is already a {kind} named {name}.")


class NoSuchPolicy(IdentityError):
    """There is no such policy."""

    def __init__(self, which: object) -> None:
        super().__init__(f"There is no policy {which}.")


class NoSuchRole(IdentityError):
    """There is no such role."""

    field = "role"

    def __init__(self, which: object) -> None:
        super().__init__(f"There is no role {which}.")


class NoSuchGroup(IdentityError):
    """There is no such group."""

    def __init__(self, which: object) -> None:
        super().__init__(f"There is no group {which}.")


class InvalidPolicyDocument(IdentityError):
    """A policy that is not understood whole; AWS's MalformedPolicyDocument."""

    def __init__(self, reason: str, field: str = "document") -> None:
        super().__init__(reason)
        self.field = field


class LimitExceeded(IdentityError):
    """More, or longer, than AWS's limits allow."""

    def __init__(self, reason: str, field: str = "document") -> None:
        super().__init__(reason)
        self.field = field


class NotAttached(IdentityError):
    """What should give a policy back does not hold it; AWS's NoSuchEntity."""

    def __init__(self, name: str, holder: object) -> None:
        super().__init__(f"The policy {name} is not attached to {holder}.")


class StillInUse(IdentityError):
    """Something else holds what would be deleted; AWS's DeleteConflict."""

    def __init__(self, what: str, holders: str) -> None:
        super().__init__(f"{what} is in use: take it from {holders} first.")


class BuiltinKept(IdentityError):
    """What S4 has by itself is neither changed nor deleted."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is built in: it cannot be changed or deleted.")


class RoleLoop(IdentityError):
    """A role would include itself."""

    field = "includes"

    def __init__(self, name: str) -> None:
        super().__init__(f"The role {name} would include itself.")


class SuperUserNotGiven(IdentityError):
    """Who administers S4 is said of each user alone."""

    field = "includes"

    def __init__(self) -> None:
        super().__init__("SuperUser is given to users one by one; no role includes it.")


class OwnRightsKept(IdentityError):
    """Nobody shuts himself out: another SuperUser must do it."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody takes his own role, disables or deletes himself: let another SuperUser do it."
        )


class NoAccessKey(IdentityError):
    """The user has no key to sign with."""

    def __init__(self) -> None:
        super().__init__("You have no access key that is enabled: make one first.")
