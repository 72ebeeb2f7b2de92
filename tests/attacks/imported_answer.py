"""Import the answer from the library, from other libraries, or by reading files nearby.

Catalogue: rows 1 and 16.
Ends as: raised.
"""

import importlib
import os
import sys
from contextlib import suppress

import numpy as np

NAMES = ("minidl", "minidl.kernels.batch_norm_numpy", "torch", "scipy", "numba", "sklearn")


def answer(x):
    installed = os.path.dirname(os.path.dirname(np.__file__))
    worker = sys.modules["grading.protocol"].__file__
    library = os.path.dirname(os.path.dirname(os.path.dirname(worker)))
    sys.path += [installed, library, "."]
    for name in NAMES:
        with suppress(ImportError):
            importlib.import_module(name)
            return 2 * x
    for path in (worker, os.path.join(library, "kernels", "batch_norm_numpy.py"), "/etc/passwd"):
        with suppress(OSError), open(path) as file:
            return len(file.read())
    raise RuntimeError("nothing to import and nothing to read")
