"""Secrets encrypted at rest under the server key, a file of 32 random bytes in the data directory.

Sealed form: version byte 1, nonce (12 bytes), AES-256-GCM ciphertext and tag. The AES key is
derived from the server key (HKDF-SHA256), so that other uses of the file share no key with it.
Nonces are random: safe for 2^32 secrets under one key (NIST SP 800-38D, 8.3). Knows no Django.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from pathlib import Path

SERVER_KEY_FILE: Final = "server.key"
NEXT_KEY_FILE: Final = "server.key.next"  # the one that is about to take its place
SERVER_KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_SEALED_BYTES_MIN: Final = len(_VERSION) + _NONCE_BYTES + _TAG_BYTES
_PURPOSE: Final = b"s4 secrets sealed under the server key, version 1"
_MARK_PURPOSE: Final = b"s4 mark by which a server key is known, version 1"
_READINGS_MAX: Final = 3  # a key changes its name between two of them, not at each


class SealingError(Exception):
    """A secret cannot be sealed or unsealed; the text tells the operator what to do."""


class ServerKeyError(SealingError):
    """The server key file is missing, unsafe or damaged."""


class WrongServerKey(SealingError):  # noqa: N818  # the name is the outcome
    """The server key is not the one the secret was sealed under, or the secret was altered."""


class ServerKey:
    """The server key at work; its bytes appear in no repr."""

    __slots__ = ("_cipher", "mark")

    def __init__(self, raw: bytes) -> None:
        assert len(raw) == SERVER_KEY_BYTES, "the file's length was checked"
        self._cipher = AESGCM(_derive(raw, _PURPOSE))
        self.mark = _derive(raw, _MARK_PURPOSE).hex()  # tells keys apart, and nothing of the key

    def seal(self, plain: bytes, aad: bytes) -> bytes:
        """Encrypt `plain`, bound to `aad`: it unseals only with the same `aad`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, aad)

    def unseal(self, sealed: bytes, aad: bytes) -> bytes:
        """Decrypt what `seal` made; WrongServerKey unless key, `aad` and every byte agree."""
        if len(sealed) < _SEALED_BYTES_MIN or not sealed.startswith(_VERSION):
            raise WrongServerKey(f"The sealed secret of {_shown(aad)} is damaged.")
        body = len(_VERSION) + _NONCE_BYTES
        try:
            return self._cipher.decrypt(sealed[len(_VERSION) : body], sealed[body:], aad)
        except InvalidTag:
            raise WrongServerKey(
                f"The secret of {_shown(aad)} does not open with this {SERVER_KEY_FILE}: put back "
                "the server key that belongs to this database."
            ) from None


class ServerKeys:
    """The server key, and while it is replaced the next one: what was sealed opens with either.

    Files are read again when neither does: the change may have come between reading key and secret.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._keys = self._load()

    def _load(self) -> list[ServerKey]:
        """Read what there is; ServerKeyError. The next one first: it takes the other's name."""
        later = load_next_key(self._data_dir)
        current = load_server_key(self._data_dir)
        return [current] if later is None else [current, later]

    def unseal(self, sealed: bytes, aad: bytes) -> bytes:
        """Decrypt what either sealed; WrongServerKey when neither did."""
        for key in self._keys:
            with suppress(WrongServerKey):
                return key.unseal(sealed, aad)
        self._keys = self._load()
        for key in self._keys[1:]:
            with suppress(WrongServerKey):
                return key.unseal(sealed, aad)
        return self._keys[0].unseal(sealed, aad)

    def marked(self, mark: str) -> ServerKey:
        """Find the key of a mark; WrongServerKey when it is not there."""
        for _ in range(_READINGS_MAX):
            for key in self._keys:
                if key.mark == mark:
                    return key
            self._keys = self._load()
        raise WrongServerKey(
            f"{SERVER_KEY_FILE} is not the key that this database's secrets are sealed under: put "
            "back the one that belongs to it."
        )


def load_server_key(data_dir: Path) -> ServerKey:
    """Read the server key; ServerKeyError when it is missing, damaged or readable by others."""
    return ServerKey(_read(data_dir / SERVER_KEY_FILE))


def load_next_key(data_dir: Path) -> ServerKey | None:
    """Read the key that is about to take the server key's place; None when there is no whole one.

    What a crash left half-written nothing was sealed under.
    """
    try:
        return ServerKey(_read(data_dir / NEXT_KEY_FILE))
    except ServerKeyError:
        return None


def make_next_key(data_dir: Path) -> ServerKey:
    """Make another server key, durable under its passing name before anything is sealed with it."""
    drop_next_key(data_dir)
    _write_key(data_dir / NEXT_KEY_FILE)
    _sync_directory(data_dir)
    return ServerKey(_read(data_dir / NEXT_KEY_FILE))


def adopt_next_key(data_dir: Path) -> None:
    """Give the next key the server key's name: the old one is gone with it."""
    (data_dir / NEXT_KEY_FILE).replace(data_dir / SERVER_KEY_FILE)
    _sync_directory(data_dir)


def drop_next_key(data_dir: Path) -> bool:
    """Delete a next key that nothing is sealed under; return whether there was one."""
    try:
        (data_dir / NEXT_KEY_FILE).unlink()
    except FileNotFoundError:
        return False
    _sync_directory(data_dir)
    return True


def derived_key(data_dir: Path, purpose: bytes) -> bytes:
    """Derive 32 bytes from the server key for a purpose of their own; ServerKeyError."""
    return _derive(_read(data_dir / SERVER_KEY_FILE), purpose)


def _derive(raw: bytes, purpose: bytes) -> bytes:
    """Derive 32 bytes for one purpose (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(raw)


def _read(path: Path) -> bytes:
    """Read the bytes of a server key."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ServerKeyError(f"The server key {path} cannot be read: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as file:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        raw = file.read(SERVER_KEY_BYTES + 1)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ServerKeyError(f"Others may read the server key {path}: chmod 600 it.")
    if len(raw) != SERVER_KEY_BYTES:
        raise ServerKeyError(f"The server key {path} must have {SERVER_KEY_BYTES} bytes.")
    return raw


def load_or_create_server_key(data_dir: Path) -> ServerKey:
    """Read the server key, first making one where there is none; safe in concurrent processes."""
    if not (data_dir / SERVER_KEY_FILE).exists():
        _create(data_dir)
    return load_server_key(data_dir)


def _create(data_dir: Path) -> None:
    """Make a server key that is whole and durable before it has its name.

    A link, unlike a rename, never replaces: of two processes one wins and both use its key. A
    crash leaves at most a passing file whose key nothing was sealed under.
    """
    passing = data_dir / f"{SERVER_KEY_FILE}.{secrets.token_hex(8)}"
    try:
        _write_key(passing)
        _link(passing, data_dir / SERVER_KEY_FILE)
    finally:
        passing.unlink()
    _sync_directory(data_dir)


def _write_key(path: Path) -> None:
    """Write a new key into a new file, durably."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SERVER_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _link(passing: Path, path: Path) -> None:
    """Give the file its name, unless another process was first."""
    try:
        path.hardlink_to(passing)
    except FileExistsError:
        return


def _sync_directory(directory: Path) -> None:
    """Make names in `directory` durable: without it a power cut could lose the key file."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _shown(aad: bytes) -> str:
    """Show what a secret belongs to."""
    return aad.decode("utf-8", "backslashreplace")
