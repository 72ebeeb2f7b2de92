"""An assignment whose one task is to be compiled, and raced."""

from pathlib import Path

import tiny_assignment

TOML = """
id = "fast"
version = 1
title = "Fast"
needs = []
minutes = 5

[[task]]
id = "fast.total"
title = "A sum of squares"
target = "solution:total"
points = 3
minutes = 3
returns = ["y"]
compiled = "numba"

[[task]]
id = "fast.plain"
title = "A double"
target = "solution:plain"
points = 1
minutes = 3
returns = ["y"]
"""

SOLUTION = '''"""A sum of squares, and a double in typed Python."""

import cython
import numpy as np
from numba import njit


@njit(cache=True)
def total(x):
    """sum x_i^2

    Parameters
    ----------
    x : (n,) float
    """
    y = np.zeros(1)
    for value in x:
        y[0] += value * value
    return y


@cython.boundscheck(False)
def plain(x):
    """2 x

    Parameters
    ----------
    x : (n,) float
    """
    two: cython.double = 2.0
    return two * x
'''

CHECKS = '''"""Checks of the fast assignment."""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close
from minidl.grading.race import race


def squared(x):
    """Return what is right, as fast as can be."""
    return np.array([np.dot(x, x)])


@check(task="total", points=1, public=1, hidden=2)
def sums(student, case):
    """The sum of squares."""
    x = case.normal(30)
    close(student.total(x), squared(x), "y")


@check(task="total", points=2, public=1, hidden=1)
def is_fast(student, case):
    """It takes no longer than some compiled loops."""
    race(student, "total", [case.normal(100_000)], squared, at_most=60.0)


@check(task="plain", points=1, public=1, hidden=1)
def doubles(student, case):
    """Doubles."""
    x = case.normal(3)
    close(student.plain(x), x + x, "y")
'''

MISTAKES = """
[[mistake]]
id = "not_squared"
target = "total"
replace = "value * value"
by = "value"
says = "The values were added, not their squares."
question = "What is the sum of squares of 1 and -1?"

[[mistake]]
id = "not_doubled"
target = "plain"
replace = "two * x"
by = "x * 1.0"
says = "Not doubled."
question = "What is twice 1?"
"""

MISTAKES_PY = '''"""Right, but slow."""

import numpy as np

from minidl.grading.mistake import mistake


@mistake(target="total", question="Which line makes a compiled function of it?")
def not_compiled(x):
    """Nothing compiles the loop: it runs in Python."""
    y = np.zeros(1)
    for value in x:
        y[0] += value * value
    return y
'''

ALTERNATIVES = '''"""Other ways."""

import numpy as np
from numba import njit, prange

from minidl.grading.mistake import alternative


@alternative(target="total")
@njit(cache=True)
def total_of_products(x):
    """NumPy's own sum."""
    return np.array([np.sum(x * x)])
'''

FILES = {
    "assignment.toml": TOML,
    "solution.py": SOLUTION,
    "checks.py": CHECKS,
    "mistakes.toml": MISTAKES,
    "mistakes.py": MISTAKES_PY,
    "alternatives.py": ALTERNATIVES,
}


def write(folder: Path, changed: str = "", old: str = "", new: str = "") -> Path:
    """Write the assignment; in the file `changed`, replace `old`, which must be there, by `new`."""
    return tiny_assignment.write(folder, changed, old, new, FILES)
