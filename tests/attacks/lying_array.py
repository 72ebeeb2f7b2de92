"""A subclass of ndarray whose comparisons lie and whose bytes claim to be another type.

Catalogue: row 4.
Ends as: protocol.
"""

import numpy as np


class Liar(np.ndarray):
    __class__ = np.ndarray

    def __eq__(self, other):
        return np.ones(self.shape, bool)

    __hash__ = None


def answer(x):
    return np.zeros_like(x).view(Liar)
