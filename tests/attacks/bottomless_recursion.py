"""Switch off the recursion limit and recurse until the stack is gone.

Catalogue: row 5.
Ends as: crashed, raised or memory.
"""

import sys


class Bottomless:
    def __repr__(self):
        return repr(self)


def answer(x):
    sys.setrecursionlimit(10**9)
    return repr(Bottomless())
