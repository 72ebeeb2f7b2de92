"""Allocate and touch memory until there is none.

Catalogue: row 9.
Ends as: memory.
"""

import numpy as np


def answer(x):
    held = []
    while True:
        held.append(np.ones(2**22))
