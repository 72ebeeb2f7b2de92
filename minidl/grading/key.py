"""The instructor's secret: the hidden checks draw their inputs from it.

It is made on first use, readable by its owner alone. A result names it by its id, so that a regrade
with the same secret can be told from one with another.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import platformdirs

from minidl.errors import ArgumentError, expected

MINIMUM_BYTES = 16


def key_id(key: bytes) -> str:
    """Return the first eight hexadecimal digits of the key's SHA-256."""
    return hashlib.sha256(key).hexdigest()[:8]


def default_path() -> Path:
    """Return where the secret lies: minidl/grading.key in the user's configuration folder."""
    return Path(platformdirs.user_config_dir("minidl")) / "grading.key"


def load_or_create_key(path: str | Path | None = None) -> bytes:
    """Return the secret, making one of 32 random bytes if there is none yet.

    Parameters
    ----------
    path : a file of hexadecimal digits; by default `default_path()`.

    Raises
    ------
    ArgumentError
        when the file cannot be read or made, or does not hold at least 16 bytes in hexadecimal.

    Notes
    -----
    The new file appears whole or not at all, and never in place of another: of two processes that
    make one at the same time, both return the one that came first.
    """
    path = default_path() if path is None else Path(path)
    try:
        if not path.exists():
            _create(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        got = f"{path} ({error.strerror})"
        raise ArgumentError(expected("key", "a file that can be read or made", got)) from None
    except ValueError:
        key = b""
    if len(key) < MINIMUM_BYTES:
        wish = f"at least {MINIMUM_BYTES} bytes in hexadecimal"
        hint = "restore it from a copy; a new key draws new hidden inputs"
        raise ArgumentError(expected("key", wish, f"something else in {path}", hint))
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        os.link(beside, path)
    except FileExistsError:
        return
    finally:
        beside.unlink()
