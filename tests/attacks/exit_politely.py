"""Raise SystemExit with a code that says success, and have an exit handler say so again.

Catalogue: row 5.
Ends as: raised.
"""

import atexit
import sys

atexit.register(print, "all checks passed")


def answer(x):
    sys.exit(0)
