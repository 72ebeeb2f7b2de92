"""Save and load parameters in the safetensors format: arrays by name, no code, no pickles."""

from __future__ import annotations

import os
import tempfile
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
    arrays = state.state_dict() if isinstance(state, Module) else dict(state)
    if not all(isinstance(name, str) for name in arrays):
        raise DTypeError(expected("save", "names that are strings", list(arrays)))
    arrays = {
        name: np.ascontiguousarray(np.asarray(a)).reshape(np.shape(a)) for name, a in arrays.items()
    }
    path = Path(path)
    if not path.parent.is_dir():
        raise ArgumentError(expected("save", f"a folder {path.parent}", "none", "create it first"))
    if path.is_dir():
        raise ArgumentError(expected("save", "the path of a file", f"the folder {path}"))
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(serialize(arrays))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


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
