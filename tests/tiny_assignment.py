"""An assignment of two short tasks, written to a folder, for tests to break in one place."""

from pathlib import Path

TOML = """
id = "tiny"
version = 1
title = "Tiny"
needs = []
minutes = 5

[[task]]
id = "tiny.centre"
title = "Centre"
target = "solution:centre"
points = 2
minutes = 3
returns = ["y"]
hints = ["What is left?"]

[[task]]
id = "tiny.moments"
title = "Moments"
target = "solution:moments"
points = 3
minutes = 2
returns = ["mean", "square"]
"""

SOLUTION = '''"""Centre and moments."""

import numpy as np

HALF = 0.5


def unused(x):
    """Nobody needs this one."""
    return x


def half_sum(x):
    """Half of the sum."""
    return HALF * np.sum(x)


def centre(x):
    # a comment above the docstring
    """Take the mean away.

    Parameters
    ----------
    x : (n,) float
    """
    # a comment that gives it away
    mean = np.sum(x) / len(x)
    centred = x - np.float64(mean)
    return centred


def moments(x):
    """Mean and mean square."""
    mean = 2 * half_sum(x) / len(x)
    return np.array([mean]), np.array([np.sum(x * x) / len(x)])
'''

CHECKS = '''"""Checks of the tiny assignment."""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close

from .definitions import average


@check(task="centre", points=2)
def takes_the_mean_away(student, case):
    """The mean is gone."""
    x = case.normal(5, mean=3.0)
    close(student.centre(x), x - average(x), "y")


@check(task="moments", points=1)
def first_moment(student, case):
    """The mean."""
    x = case.normal(4, mean=2.0)
    close(student.moments(x)[0], np.array([average(x)]), "mean")


@check(task="moments", points=2, public=1, hidden=3)
def second_moment(student, case):
    """The mean square."""
    x = case.normal(4, mean=2.0)
    close(student.moments(x)[1], np.array([average(x**2)]), "square")
'''

DEFINITIONS = '''"""What an average is."""


def average(values):
    """Return the sum divided by the number."""
    return sum(values) / len(values)
'''

MISTAKES = """
[[mistake]]
id = "nothing_taken_away"
target = "centre"
replace = "x - np.float64(mean)"
by = "x * 1.0"
says = "The mean is still in there."
question = "What is the mean of the result?"

[[mistake]]
id = "mean_doubled"
target = "moments"
replace = "2 * half_sum(x) / len(x)"
by = "4 * half_sum(x) / len(x)"
says = "The mean is twice too large."
question = "What is the mean of ones?"

[[mistake]]
id = "square_not_averaged"
target = "moments"
replace = "np.sum(x * x) / len(x)"
by = "np.sum(x * x)"
says = "The squares were added, not averaged."
question = "What is the mean square of ones?"
"""

ALTERNATIVES = '''"""Other ways."""

import numpy as np

from minidl.grading.mistake import alternative


@alternative(target="centre")
def centre_with_mean(x):
    """NumPy's mean."""
    return x - np.mean(x)
'''

FILES = {
    "assignment.toml": TOML,
    "solution.py": SOLUTION,
    "checks.py": CHECKS,
    "definitions.py": DEFINITIONS,
    "mistakes.toml": MISTAKES,
    "alternatives.py": ALTERNATIVES,
}


def write(
    folder: Path, changed: str = "", old: str = "", new: str = "", files: dict[str, str] = FILES
) -> Path:
    """Write the assignment; in the file `changed`, replace `old`, which must be there, by `new`."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        if name == changed:
            assert old in text
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
