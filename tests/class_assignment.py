"""An assignment of one class and one function that takes a function, for tests to break."""

from pathlib import Path

import tiny_assignment

TOML = """
id = "counting"
version = 1
title = "Counting"
needs = []
minutes = 5

[[task]]
id = "counting.counter"
title = "A counter"
target = "solution:Counter"
points = 3
minutes = 3
hints = ["What is there at the beginning?"]

[[task]]
id = "counting.twice"
title = "Twice"
target = "solution:twice"
points = 2
minutes = 2
returns = ["y"]
"""

SOLUTION = '''"""A counter, and a function of a function."""

from dataclasses import dataclass, field
from math import inf, pi

import numpy as np


@dataclass
class Counter:
    """Counts, and remembers the largest.

    Parameters
    ----------
    start : float
    """

    # a comment that gives it away
    start: float = 0.0  # and one more
    names: list = field(default_factory=list)
    hints: dict = field(default_factory=dict)
    _secret: float = -inf

    def __post_init__(self):
        """Begin."""
        self.total = self.start

    def add(
        self,
        value,  # what is added
    ):
        """Add a value; return the sum."""
        self.total = self.total + value
        self._remember(value)
        return self.total

    @property
    def largest(self):
        return self._secret

    def _remember(self, value):
        self._secret = max(self._secret, value)


def twice(f, x, rng):
    """f of f of x, and noise on top.

    Parameters
    ----------
    f : function of an array
    x : (n,) float
    rng : np.random.Generator
    """
    return f(f(x)) + rng.normal(size=x.shape)
'''

SCENARIOS = '''"""Driving a counter, and a function of a function."""

import numpy as np

from minidl.grading.scenario import scenario


@scenario(task="counter", returns=("sums", "largest"))
def count(Counter, values, start=0.0):
    """Add one value after the other."""
    counter = Counter(start)
    sums = [counter.add(value) for value in values]
    values[0] = 7.0
    return np.array(sums, float), np.array(counter.largest, float)


@scenario(task="twice", returns="y")
def twice_scaled(twice, x, factor, rng):
    """With a function that multiplies."""
    return twice(lambda y: factor * y, x, rng)
'''

CHECKS = '''"""Checks of the counting assignment."""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close
from minidl.grading.protocol import Rng


@check(task="counter", points=3)
def sums_and_largest(student, case):
    """Sums, and the largest value."""
    values = case.normal(5, mean=1.0)
    sums, largest = student.count(values, start=2.0)
    close(sums, 2.0 + np.cumsum(values), "sums")
    close(largest, np.array(values.max()), "largest")


@check(task="twice", points=2)
def applies_it_twice(student, case):
    """f of f of x."""
    x = case.normal(3)
    noise = np.random.default_rng(4).normal(size=3)
    close(student.twice_scaled(x, 3.0, rng=Rng(4)), 9 * x + noise, "y")
'''

MISTAKES = """
[[mistake]]
id = "starts_at_zero"
target = "counter"
replace = "self.total = self.start"
by = "self.total = 0.0"
says = "The count begins at 0, whatever start is."
question = "What is the sum before anything is added?"

[[mistake]]
id = "only_once"
target = "twice"
replace = "f(f(x))"
by = "f(x)"
says = "f was applied once."
question = "What is 2 doubled twice?"
"""

MISTAKES_PY = '''"""Wrong classes."""

from minidl.grading.mistake import mistake


@mistake(target="counter", question="Which of two values is the larger?")
class SmallestCounter:
    """The smallest value is kept in place of the largest."""

    def __init__(self, start=0.0):
        self.total, self.largest = start, float("inf")

    def add(self, value):
        self.total += value
        self.largest = min(self.largest, value)
        return self.total

    def again(self):
        return SmallestCounter()
'''

ALTERNATIVES = '''"""Other ways."""

from minidl.grading.mistake import alternative


@alternative(target="counter")
class ListCounter:
    """Keeps every value."""

    def __init__(self, start=0.0):
        self.start, self.values = start, []

    def add(self, value):
        self.values.append(value)
        return self.start + sum(self.values)

    @property
    def largest(self):
        return max(self.values)
'''

FILES = {
    "assignment.toml": TOML,
    "solution.py": SOLUTION,
    "scenarios.py": SCENARIOS,
    "checks.py": CHECKS,
    "mistakes.toml": MISTAKES,
    "mistakes.py": MISTAKES_PY,
    "alternatives.py": ALTERNATIVES,
}


def write(folder: Path, changed: str = "", old: str = "", new: str = "") -> Path:
    """Write the assignment; in the file `changed`, replace `old`, which must be there, by `new`."""
    return tiny_assignment.write(folder, changed, old, new, FILES)
