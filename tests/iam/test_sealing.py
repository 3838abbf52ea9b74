"""Sealing: what is sealed opens with the same key only, and the key file is guarded."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam import sealing
from iam.sealing import ServerKey, ServerKeyError, WrongServerKey

KEY, OTHER_KEY = ServerKey(b"k" * 32), ServerKey(b"o" * 32)
RACER = """
import sys
from pathlib import Path
from iam import sealing
sealing.load_or_create_server_key(Path(sys.argv[1]))
print(Path(sys.argv[1], "server.key").read_bytes().hex())
"""


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_round_trip(plain: bytes, aad: bytes) -> None:
    """What was sealed unseals to the same bytes, under the same key and associated data."""
    assert KEY.unseal(KEY.seal(plain, aad), aad) == plain


@given(st.binary(min_size=1, max_size=60), st.data())
def test_every_altered_byte_is_noticed(plain: bytes, data: st.DataObject) -> None:
    """A sealed secret with any one byte changed does not open."""
    sealed = bytearray(KEY.seal(plain, b"AK"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WrongServerKey):
        KEY.unseal(bytes(sealed), b"AK")


@given(st.binary(max_size=80))
def test_garbage_is_refused(garbage: bytes) -> None:
    """Bytes that were never sealed raise WrongServerKey and nothing else."""
    with pytest.raises(WrongServerKey):
        KEY.unseal(garbage, b"AK")


def test_another_key_or_another_row_does_not_open() -> None:
    """A secret opens neither with another server key nor as the secret of another access key."""
    sealed = KEY.seal(b"secret", b"AK1")
    with pytest.raises(WrongServerKey, match=r"AK1 does not open .* put back the server key"):
        OTHER_KEY.unseal(sealed, b"AK1")
    with pytest.raises(WrongServerKey, match="AK2"):
        KEY.unseal(sealed, b"AK2")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    """Two sealings of one secret share no ciphertext: equal secrets cannot be told by looking."""
    assert KEY.seal(b"secret", b"AK") != KEY.seal(b"secret", b"AK")


def test_the_key_file_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    """The first call makes 32 random bytes that only their owner reads; later calls keep them."""
    sealed = sealing.load_or_create_server_key(tmp_path).seal(b"secret", b"AK")
    path = tmp_path / "server.key"
    first = path.read_bytes()
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sealing.load_or_create_server_key(tmp_path).unseal(sealed, b"AK") == b"secret"
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["server.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file open to group or others is not used."""
    sealing.load_or_create_server_key(tmp_path)
    (tmp_path / "server.key").chmod(mode)
    with pytest.raises(ServerKeyError, match="chmod 600"):
        sealing.load_or_create_server_key(tmp_path)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused_and_kept(tmp_path: Path, size: int) -> None:
    """A damaged key file is reported, never replaced: secrets hang on it."""
    path = tmp_path / "server.key"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(ServerKeyError, match="32 bytes"):
        sealing.load_or_create_server_key(tmp_path)
    assert path.stat().st_size == size


def test_a_missing_key_is_an_error_where_none_may_be_made(tmp_path: Path) -> None:
    """Reading alone makes no key."""
    with pytest.raises(ServerKeyError, match="cannot be read"):
        sealing.load_server_key(tmp_path)
    assert not list(tmp_path.iterdir())


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    """Of several processes that make the key at once, all end up with the same one."""
    environment = {**os.environ, "PYTHONPATH": str(Path(sealing.__file__).parent.parent)}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    keys = {racer.communicate()[0] for racer in racers}
    assert all(racer.returncode == 0 for racer in racers)
    assert len(keys) == 1
    assert len(keys.pop().strip()) == 64
    assert [entry.name for entry in tmp_path.iterdir()] == ["server.key"]
