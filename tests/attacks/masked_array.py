"""A masked array with everything masked: comparisons with it fail to fail.

Catalogue: row 4.
Ends as: protocol.
"""

import numpy as np


def answer(x):
    return np.ma.masked_all_like(x)
