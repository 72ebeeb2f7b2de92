"""Compare gradients from the tape with central differences, element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.tensor import Tensor, as_array
from minidl import autograd
from minidl.errors import AutogradError, expected


class GradientError(AutogradError):
    """A gradient unlike central differences; `.reports` has one GradientReport for each input."""

    def __init__(self, reports: list[GradientReport]) -> None:
        super().__init__("\n".join(str(r) for r in reports if r.wrong.any()))
        self.reports = reports


@dataclass
class GradientReport:
    """What `gradcheck` found for one input.

    Attributes
    ----------
    index : int
        which input
    tape, numeric : ndarray
        the two gradients
    wrong : bool ndarray
        where they differ
    """

    index: int
    tape: np.ndarray
    numeric: np.ndarray
    wrong: np.ndarray

    @property
    def error(self) -> float:
        """Largest difference, relative to the largest gradient."""
        if self.tape.size == 0:
            return 0.0
        scale = max(float(np.abs(self.numeric).max()), 1e-12)
        return float(np.abs(self.tape - self.numeric).max() / scale)

    def __str__(self) -> str:
        if not self.wrong.any():
            return f"input {self.index} {self.tape.shape}: right, relative error {self.error:.1e}"
        difference = np.where(np.isnan(self.tape), np.inf, np.abs(self.tape - self.numeric))
        worst = np.unravel_index(difference.argmax(), difference.shape)
        at = ", ".join(str(int(i)) for i in worst)
        lines = [
            f"gradcheck: expected the gradient of input {self.index} {self.tape.shape} to match "
            f"central differences, got {int(self.wrong.sum())} of {self.wrong.size} elements "
            f"wrong; worst at [{at}]: "
            f"tape {self.tape[worst]:.6g}, numeric {self.numeric[worst]:.6g}",
        ]
        guess = self._guess()
        return "\n".join([*lines, *([f"  {guess}"] if guess else []), *self._map(worst)])

    def _guess(self) -> str:
        if not self.tape.any():
            return "every element of the tape's gradient is zero"
        if not np.isfinite(self.tape).all():
            count = int((~np.isfinite(self.tape)).sum())
            return f"{count} elements of the tape's gradient are not finite"
        factor = float((self.tape * self.numeric).sum() / max((self.numeric**2).sum(), 1e-300))
        if (
            np.allclose(self.tape, factor * self.numeric, rtol=1e-4, atol=1e-7)
            and self.numeric.any()
        ):
            return f"the tape's gradient is {factor:.4g} times the numeric one"
        return ""

    def _map(self, worst: tuple) -> list[str]:
        """Draw the plane of the worst element: `x` wrong, `.` right."""
        if self.wrong.ndim == 0:
            return []
        plane = self.wrong[worst[:-2]] if self.wrong.ndim > 2 else np.atleast_2d(self.wrong)
        where = f"[{', '.join(str(int(i)) for i in worst[:-2])}]" if self.wrong.ndim > 2 else ""
        rows = ["  " + "".join("x" if bad else "." for bad in row[:72]) for row in plane[:24]]
        return [
            f"  where it is wrong{' in plane ' + where if where else ''} (x wrong, . right):",
            *rows,
        ]


def gradcheck(
    function: Callable[..., Tensor | tuple[Tensor, ...]],
    inputs: Sequence[Any],
    *,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    seed: int = 0,
) -> list[GradientReport]:
    """Check the gradient of `function` with respect to every element of every floating input.

    The results are weighted with random numbers u, so that the scalar is L = sum(u * f(x)), and
    each element must satisfy
    |tape - (L(x + eps) - L(x - eps)) / (2 eps)| <= atol + rtol * max|numeric|.

    Parameters
    ----------
    function : callable
        from Tensors to a Tensor or a tuple of Tensors; it must give the same result each time
    inputs : arrays or Tensors
        converted to float64 where they are floating; keep them away from kinks
    eps, rtol, atol : float
        step of the difference and the tolerances
    seed : int
        of the random weights u

    Returns
    -------
    list of GradientReport, one for each floating input

    Raises
    ------
    GradientError
        with a map of where the gradient is wrong
    AutogradError
        when `function` gives different results for the same inputs
    """
    arrays = [np.array(as_array(x)) for x in inputs]
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    tensors = [Tensor(a.copy(), requires_grad=a.dtype.kind == "f") for a in arrays]
    with autograd.detect_damage():
        results = _as_tuple(function(*tensors))
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(0.5, 1.5, r.shape) * rng.choice([-1.0, 1.0], r.shape) for r in results]

    def loss() -> float:
        with autograd.no_grad():
            outputs = _as_tuple(function(*(Tensor(a) for a in arrays)))
        return float(sum(np.sum(w * o.data) for w, o in zip(weights, outputs, strict=True)))

    if loss() != loss():
        raise AutogradError(
            expected(
                "gradcheck",
                "a function that gives the same result each time",
                "two different ones",
                "pass the random mask or a freshly seeded rng in (or the result holds NaN)",
            )
        )
    for result, weight in zip(results, weights, strict=True):
        if result.requires_grad:
            result.backward(weight, retain_graph=True)
    reports = []
    for i, (t, array) in enumerate(zip(tensors, arrays, strict=True)):
        if t.requires_grad:
            tape = np.zeros_like(array) if t.grad is None else t.grad
            numeric = central_differences(loss, array, eps)
            bound = atol + rtol * (np.abs(numeric).max() if numeric.size else 0.0)
            reports.append(GradientReport(i, tape, numeric, ~(np.abs(tape - numeric) <= bound)))
    if any(r.wrong.any() for r in reports):
        raise GradientError(reports)
    return reports


def central_differences(
    loss: Callable[[], float], array: np.ndarray, eps: float = 1e-6
) -> np.ndarray:
    """Return (loss(x + eps) - loss(x - eps)) / (2 eps) for each element x of `array`.

    `array` is what `loss` reads; it is changed element by element, and restored.
    """
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + eps
        above = loss()
        array[index] = value - eps
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * eps)
    return gradient


def _as_tuple(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)
