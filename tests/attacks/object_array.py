"""An array of objects, each of which would run code when pickled.

Catalogue: rows 4 and 7.
Ends as: protocol.
"""

import os

import numpy as np


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/minidl-attacked",)


def answer(x):
    return np.array([Payload() for _ in x], dtype=object)
