"""Reverse-mode differentiation: `Function`, what is recorded, and the choice of the tape.

`minidl/tape.py` is the tape, and `minidl/tape_operators.py` holds the operators written on it. The
same files compiled are `minidl._compiled_tape` and `minidl._compiled_tape_operators`; they are used
where they were built from the very source that is installed. MINIDL_TAPE=python or
MINIDL_TAPE=compiled in the environment decides otherwise. Everybody imports the tape from here.
"""

from __future__ import annotations

import copyreg
import hashlib
import importlib
import importlib.util
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import ArgumentError, MinidlError, expected

Hook = Callable[[np.ndarray], np.ndarray | None]


MODULES = ("tape", "tape_operators")


def source() -> str:
    """Return the SHA-256 of the tape's source: the files, and the types in the .pxd beside each."""
    here = Path(__file__).parent
    files = (here / f"{name}.{kind}" for name in MODULES for kind in ("pxd", "py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _choose() -> tuple[list[Any], str, str]:
    """Return (MODULES, "python" or "compiled", why those)."""
    wanted = os.environ.get("MINIDL_TAPE", "")
    if wanted not in ("", "python", "compiled"):
        raise ArgumentError(expected("MINIDL_TAPE", "python or compiled", repr(wanted)))
    why = "asked for by MINIDL_TAPE"
    if wanted != "python":
        compiled, trouble = _compiled()
        if compiled:
            return compiled, "compiled", why if wanted else "built from this source"
        if wanted:
            raise MinidlError(
                expected("MINIDL_TAPE=compiled", "a compiled tape", trouble, "build it again")
            )
        why = f"the compiled tape is {trouble}"
        if trouble != "not built":
            warnings.warn(f"minidl: {why}; using Python's", RuntimeWarning, stacklevel=3)
    return [importlib.import_module(f"minidl.{name}") for name in MODULES], "python", why


def _compiled() -> tuple[list[Any], str]:
    """Return the compiled MODULES, or none and what is wrong with them."""
    modules = []
    for name in MODULES:
        name = f"minidl._compiled_{name}"
        if importlib.util.find_spec(name) is None:
            return [], "not built"
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            return [], f"broken: {error}"
        if source() != module.SOURCE:
            return [], "built from another source"
        modules.append(module)
    return modules, ""


(tape, operators), telling, reason = _choose()

if TYPE_CHECKING:
    from minidl.tape import Function, Variable, Version, as_array, make_results, walk_back
    from minidl.tape_operators import Operand
else:
    Function, Variable, Version = tape.Function, tape.Variable, tape.Version
    Operand = operators.Operand
    as_array, make_results, walk_back = tape.as_array, tape.make_results, tape.walk_back

__all__ = [
    "Function",
    "Hook",
    "Operand",
    "Variable",
    "Version",
    "as_array",
    "detect_damage",
    "enable_grad",
    "is_grad_enabled",
    "make_results",
    "no_grad",
    "operators",
    "reason",
    "source",
    "tape",
    "telling",
    "walk_back",
]


def _version(count: int) -> Version:
    """Make a Version again from a pickle, whichever tape wrote it."""
    return Version(count)


def _reduced(version: Any) -> tuple[Callable, tuple[int]]:
    return _version, (version.count,)


def _operator(name: str) -> Function:
    """Make an operator again from a pickle, whichever tape wrote it."""
    return getattr(operators, name)()


def _reduced_operator(fn: Function) -> tuple[Callable, tuple[str], tuple]:
    return _operator, (type(fn).__name__,), fn.__getstate__()


copyreg.pickle(Version, _reduced)
for operator in (operators.Add, operators.Sub, operators.Mul, operators.Div, operators.Neg):
    copyreg.pickle(operator, _reduced_operator)

_altering = threading.Lock()


@contextmanager
def _set(name: str, value: bool) -> Iterator[None]:
    before = getattr(tape.mode, name)
    with _altering:
        tape.alter(1)
    setattr(tape.mode, name, value)
    try:
        yield
    finally:
        setattr(tape.mode, name, before)
        with _altering:
            tape.alter(-1)


def no_grad() -> Any:
    """Context manager and decorator: operations inside are not recorded."""
    return _set("recording", False)


def enable_grad() -> Any:
    """Context manager and decorator: operations inside are recorded, even within `no_grad`."""
    return _set("recording", True)


def is_grad_enabled() -> bool:
    """Whether operations of this thread are being recorded."""
    return tape.mode.recording


def detect_damage() -> Any:
    """Context manager: notice every write into an array that the tape still needs.

    Writes through a Tensor (`x[0] = 1`, `x.data = ...`, `x.data *= 2`) are always noticed, at
    `backward`. Inside this context writes through NumPy (`x.data[0] = 1`) are noticed as well, by a
    checksum of each kept array: slower, so it is asked for (and `gradcheck` asks for it).
    """
    return _set("fingerprints", True)
