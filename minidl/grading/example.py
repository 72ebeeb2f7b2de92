"""Small calls that an author offers to try by hand, the smallest first.

    @example("im2col")
    def patches():
        '''Rows of two pixels, then of three.'''
        for width in (2, 3):
            yield np.ones((1, 1, 1, width)), (1, 2), (1, 1), (1, 1)

Of a submission that fails, the first of them that goes wrong is shown. They are needed where sizes
depend on one another, so that no smaller call is found by cutting arguments. Everybody may know
them: nothing in them comes from a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Calls = Iterable[tuple[Any, ...]]


@dataclass(frozen=True)
class ExampleDraft:
    """A generator function of examples.py, marked with what is to be called."""

    function: str
    make: Callable[[], Calls]


def example(function: str) -> Callable[[Callable[[], Calls]], ExampleDraft]:
    """Make examples of the generator function below, which yields the arguments of each call.

    Parameters
    ----------
    function : what is called: a function that students write, or a scenario.
    """
    return lambda make: ExampleDraft(function, make)
