"""Save and load parameters in the safetensors format: arrays by name, no code, no pickles."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as serialize

from minidl.errors import ArgumentError, DTypeError, MinidlError, expected
from minidl.nn.module import Module

PathLike = str | os.PathLike[str]

# What the format calls them.
DTYPES = {
    "BOOL": np.bool_,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "U8": np.uint8,
    "U16": np.uint16,
    "U32": np.uint32,
    "U64": np.uint64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}


class CheckpointError(MinidlError, OSError):
    """A checkpoint that is missing, unreadable, damaged, or of something else."""


def save(
    state: Module | Mapping[str, Any], path: PathLike, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a module's (or a given) state_dict to a file.

    The file is written beside its place and renamed, so `path` holds the old state or the new one,
    whole, whatever happens.

    Parameters
    ----------
    state : Module, or mapping from name to array or Tensor
    path : where to; by custom it ends in .safetensors
    metadata : texts by name, kept in the file's header; `load_metadata` returns them

    Raises
    ------
    DTypeError
        for anything but numbers of at most 64 bits, by names that are strings
    ArgumentError, CheckpointError
        where the folder is missing, or the file cannot be written
    """
    arrays = _saved_arrays(state)
    write_whole("save", path, serialize(arrays, dict(metadata) if metadata else None))


def write_whole(op: str, path: PathLike, raw: bytes) -> None:
    """Write a file beside its place and rename it: `path` holds all of `raw`, or what it held.

    Raises
    ------
    ArgumentError, CheckpointError
        where the folder is missing, or the file cannot be written
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ArgumentError(expected(op, f"a folder {path.parent}", "none", "create it first"))
    if path.is_dir():
        raise ArgumentError(expected(op, "the path of a file", f"the folder {path}"))
    # Not tempfile's: its files are readable by their owner alone, also once renamed.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(expected(op, f"room to write {path}", reason)) from None
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


def load(path: PathLike) -> dict[str, np.ndarray]:
    """Read a state_dict that `save`, or PyTorch's safetensors, wrote.

    Returns
    -------
    dict from name to array that may be written to; bfloat16 becomes float32, exactly

    Raises
    ------
    CheckpointError
        for a file that is missing, cannot be read, or is no whole safetensors file
    DTypeError
        naming the first array of a type that NumPy does not have
    """
    return {name: _array(name, given) for name, given in _parsed(path, _read(path))}


def load_metadata(path: PathLike) -> dict[str, str]:
    """Read the texts that `save` was given as metadata; errors are those of `load`."""
    raw = _read(path)
    _parsed(path, raw)
    size = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + size]).get("__metadata__", {})


def _read(path: PathLike) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(expected("load", f"a checkpoint at {path}", reason)) from None


def _parsed(path: PathLike, raw: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return (name, {"dtype", "shape", "data"}) of each array, in the file's order."""
    try:
        return deserialize(raw)
    except (SafetensorError, ValueError) as error:
        wanted, hint = f"a whole safetensors file at {path}", "save it again, or use an older copy"
        raise CheckpointError(expected("load", wanted, f"a damaged one ({error})", hint)) from None


def _array(name: str, given: dict[str, Any]) -> np.ndarray:
    kind, data, shape = given["dtype"], given["data"], given["shape"]
    if kind == "BF16":
        # NumPy has no bfloat16: it is the upper half of a float32.
        bits = np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32).reshape(shape)
    if kind not in DTYPES:
        wanted, hint = f"real numbers of a type that NumPy has under {name!r}", "save float32"
        raise DTypeError(expected("load", wanted, kind, hint))
    dtype = np.dtype(DTYPES[kind])
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)
