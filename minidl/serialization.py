"""Save and load parameters in the safetensors format: arrays by name, no code, no pickles."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

from minidl.errors import ArgumentError, DTypeError, MinidlError, expected
from minidl.nn.module import Module


class CheckpointError(MinidlError, OSError):
    """A checkpoint that is missing, unreadable or damaged."""


def save(state: Module | Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a module's (or a given) state_dict to a file.

    The file is written beside its place and renamed, so `path` holds the old state or the new one,
    whole, whatever happens.

    Parameters
    ----------
    state : Module, or mapping from name to array or Tensor
    path : where to; by custom it ends in .safetensors
    """
    arrays = _saved_arrays(state)
    path = Path(path)
    if not path.parent.is_dir():
        raise ArgumentError(expected("save", f"a folder {path.parent}", "none", "create it first"))
    if path.is_dir():
        raise ArgumentError(expected("save", "the path of a file", f"the folder {path}"))
    # Not tempfile's: its files are readable by their owner alone, also once renamed.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            file.write(serialize(arrays))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(expected("save", f"room to write {path}", reason)) from None
    finally:
        beside.unlink(missing_ok=True)


def _saved_arrays(state: Module | Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the contiguous arrays of a module or mapping; safetensors writes memory as it is."""
    if not isinstance(state, Module | Mapping):
        got = type(state).__name__
        raise DTypeError(expected("save", "a Module, or a mapping from name to array", got))
    given = state.state_dict() if isinstance(state, Module) else state
    wrong = [n for n in given if not isinstance(n, str) or n == "__metadata__"]
    if wrong:
        raise DTypeError(
            expected("save", 'names that are strings other than "__metadata__"', repr(wrong[0]))
        )
    arrays = {name: np.asarray(a) for name, a in given.items()}
    for name, a in arrays.items():
        if a.dtype.kind not in "biuf" or a.dtype.itemsize > 8:
            raise DTypeError(expected("save", f"numbers under {name!r}", a.dtype))
    return {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}


def load(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a state_dict that `save` wrote.

    Returns
    -------
    dict from name to array

    Raises
    ------
    CheckpointError
        for a file that is missing, cannot be read, or is no whole safetensors file
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(
            expected("load", f"a checkpoint at {path}", error.strerror or str(error))
        ) from None
    try:
        return dict(parse(raw))
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(
            expected(
                "load",
                f"a whole safetensors file at {path}",
                f"a damaged one ({error})",
                "save it again, or use an older copy",
            )
        ) from None
