"""A place for what Numba compiles, where it may write neither beside the kernels nor at home.

Numba then refuses to load kernels that are to be kept. A folder of this process alone serves them:
compiled again in the next process, but right.
"""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

_spare: list[Path] = []


def import_kernels(name: str) -> ModuleType:
    """Import a module of kernels; where Numba has no folder to keep them in, give it a spare one.

    Raises
    ------
    ImportError, RuntimeError, OSError
        where the module is broken, or not even temporary files can be written
    """
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
    _provide()
    return importlib.import_module(name)


def is_spare(folder: Path) -> bool:
    """Return whether a folder goes with this process."""
    return any(folder.is_relative_to(spare) for spare in _spare)


def _provide() -> None:
    """Let Numba keep what it compiles in a new folder, which goes with this process."""
    numba = importlib.import_module("numba")
    folder = Path(tempfile.mkdtemp(prefix="minidl-numba-"))
    _spare.append(folder)
    numba.config.CACHE_DIR = str(folder)
    atexit.register(_remove, folder, os.getpid())


def _remove(folder: Path, owner: int) -> None:
    """Remove the folder, unless this is a forked child that leaves."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
