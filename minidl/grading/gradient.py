"""Is a wrong backward the gradient of a wrong forward? Central differences of the student's own.

An assignment says which function is whose gradient, and under which names:

    [task.gradient]
    of = "forward"                                        # the task that this is the gradient of
    result = "y"                                          # its result whose gradient comes in ...
    comes = "dy"                                          # ... as this argument
    gives = { dx = "x", dgamma = "gamma", dbeta = "beta" }

What else backward takes is found by name among forward's results, then among its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.errors import ArgumentError, expected
from minidl.grading.student import StudentFailure

STEP = 1e-5
MOST_PLACES = 4
ACCURACY = 1e-5

Given = dict[str, Any]


@dataclass(frozen=True)
class Gradient:
    """Which function a backward belongs to; see above.

    Parameters
    ----------
    of : the short name of the task that this one is the gradient of.
    result : the name of the array among its results whose gradient comes in.
    comes : the name of the argument under which it comes.
    gives : for each returned gradient, the argument of `of` that it belongs to.
    """

    of: str
    result: str
    comes: str
    gives: Mapping[str, str]

    def demand(
        self,
        label: str,
        returns: Sequence[str],
        parameters: Mapping[str, Sequence[str]],
        of: str,
    ) -> None:
        """Raise ArgumentError unless the names are those of the two functions.

        Parameters
        ----------
        label : who asks.
        returns : what the gradient's own function returns.
        parameters : of every function.
        of : the function that it is the gradient of.
        """
        if sorted(self.gives) != sorted(returns) or not set(self.gives.values()) <= set(
            parameters[of]
        ):
            wish = f"`gives` from {', '.join(returns)} to arguments of {of}"
            raise ArgumentError(expected(label, wish, dict(self.gives)))

    def arguments(
        self, given: Given, results: Mapping[str, Any], parameters: Sequence[str]
    ) -> Given | None:
        """Return what backward is called with after one call of forward; None where a name fails.

        Parameters
        ----------
        given : forward's arguments, and the gradient that comes in.
        results : forward's results.
        parameters : of backward.
        """
        known = {**given, **results, self.comes: given[self.comes]}
        if not set(parameters) <= set(known):
            return None
        return {name: known[name] for name in parameters}


@dataclass(frozen=True)
class Pair:
    """A forward and a backward, of one person.

    Parameters
    ----------
    gradient : how they belong together.
    forward, backward : from arguments by name to results by name; may raise StudentFailure.
    parameters : of backward.
    """

    gradient: Gradient
    forward: Callable[[Given], dict[str, np.ndarray]]
    backward: Callable[[Given], dict[str, np.ndarray]]
    parameters: Sequence[str]

    def consistent(self, given: Given, rng: np.random.Generator) -> bool | None:
        """Whether backward gives the gradients of forward, in a few places of each argument.

        Parameters
        ----------
        given : forward's arguments, float64, and the gradient that comes in.
        rng : chooses the places.

        Returns
        -------
        None where they do not run, or do not fit together.
        """
        try:
            results = self.forward(given)
            arguments = self.gradient.arguments(given, results, self.parameters)
            if arguments is None:
                return None
            gradients = self.backward(arguments)
            return all(
                self._agrees(given, gradients[name], of, rng)
                for name, of in self.gradient.gives.items()
            )
        except (StudentFailure, KeyError, ValueError, TypeError, IndexError):
            return None

    def _agrees(
        self, given: Given, gradient: np.ndarray, of: str, rng: np.random.Generator
    ) -> bool:
        value = np.asarray(given[of], np.float64)
        if gradient.shape != value.shape:
            return False
        places = rng.permutation(value.size)[:MOST_PLACES]
        scale = max(float(np.abs(gradient).max(initial=0.0)), 1e-3)
        for place in places:
            index = np.unravel_index(place, value.shape)
            ends = []
            for step in (STEP, -STEP):
                moved = value.copy()
                moved[index] += step
                y = self.forward({**given, of: moved})[self.gradient.result]
                if y.shape != given[self.gradient.comes].shape:
                    return False
                ends.append(float(np.sum(y * given[self.gradient.comes])))
            numeric = (ends[0] - ends[1]) / (2 * STEP)
            if not abs(numeric - gradient[index]) <= ACCURACY * scale:
                return False
        return True
