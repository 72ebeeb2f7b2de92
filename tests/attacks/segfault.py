"""Read address zero.

Catalogue: row 5.
Ends as: crashed.
"""

import ctypes


def answer(x):
    return ctypes.string_at(0)
