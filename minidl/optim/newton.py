"""Newton's method, for problems of few parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl.errors import ArgumentError, check_size, expected
from minidl.optim.optimizer import Closure, Optimizer, Params, check_rates, evaluated

MOST = 2000


class Newton(Optimizer):
    """theta <- theta - lr (H + damping I)^-1 g, with H the Hessian over all parameters together.

    On a quadratic one step of lr 1 ends where the gradient is zero, however ill-conditioned H is.
    Where H has negative eigenvalues that point is no minimum: Newton's method jumps into saddles.
    A damping above the most negative eigenvalue's size turns it into descent again.

    Parameters
    ----------
    params : parameters or groups, of at most 2000 numbers together; float64 is advised
    lr, damping : float, at least 0
    hessian : function without arguments that returns the (n, n) array at the parameters as they
        are, in the order of `parameters()`, each flattened; None for central differences of the
        gradient, which take 2 n calls of the closure

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, optim
    >>> p = nn.Parameter(np.array([3.0, -2.0]))
    >>> def closure():
    ...     loss = (p * p * np.array([1.0, 1000.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> loss = optim.Newton([p]).step(closure)
    >>> print(p.data.round(6) + 0)
    [0. 0.]

    References
    ----------
    Goodfellow, Bengio & Courville 2016, sections 8.6.1 and 8.2.3.
    """

    keeps = ()

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        damping: float = 0.0,
        hessian: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr, "damping": damping})
        self.hessian = hessian
        size = sum(p.size for p in self.parameters())
        if size > MOST:
            hint = "its Hessian would have that many rows; take another optimizer"
            raise ArgumentError(expected("Newton", f"at most {MOST} numbers", size, hint))

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for options out of range."""
        check_rates("Newton", group, "lr", "damping")

    def step(self, closure: Closure | None = None) -> Any:
        """Take a step.

        Parameters
        ----------
        closure : computes the loss anew, calls its backward and returns it; gradients are forgotten
            before each call

        Returns
        -------
        what the closure returned at the parameters before the step

        Raises
        ------
        ArgumentError
            without a closure, and for a Hessian that cannot be inverted
        """
        if closure is None:
            hint = "def closure(): compute the loss, call backward, return the loss"
            raise ArgumentError(expected("Newton.step", "a closure", "none", hint))
        options = [self._options(i, group) for i, group in enumerate(self.param_groups)]
        loss, gradient = self._gradient(closure)
        grads = [p.grad for p in self.parameters()]
        hessian = self._hessian(closure, gradient.size)
        rates, dampings = (
            np.concatenate([np.full(p.size, o[name]) for o in options for p in o["params"]])
            for name in ("lr", "damping")
        )
        try:
            move = rates * np.linalg.solve(hessian + np.diag(dampings), gradient)
        except np.linalg.LinAlgError:
            hint = "set a damping above 0"
            raise ArgumentError(
                expected("Newton.step", "a Hessian with an inverse", "a singular one", hint)
            ) from None
        for p, part, grad in zip(self.parameters(), self._parts(move), grads, strict=True):
            p.data, p.grad = np.asarray(p.data - part, p.dtype), grad
        self.taken += 1
        return loss

    def _gradient(self, closure: Closure) -> tuple[Any, np.ndarray]:
        """Return the loss, and all gradients as one float64 vector."""
        self.zero_grad()
        loss = evaluated(closure)
        parts = [_flat_gradient(p) for p in self.parameters()]
        return loss, np.concatenate(parts)

    def _hessian(self, closure: Closure, size: int) -> np.ndarray:
        """Return the Hessian that was given, or differences of the gradient."""
        if self.hessian is not None:
            given = np.asarray(self.hessian(), np.float64)
            check_size("Newton.step", "hessian", given.shape, (size, size))
            return given
        rows = []
        for p in self.parameters():
            kept = p.data
            step = np.cbrt(np.finfo(p.dtype).eps)
            try:
                for place in np.ndindex(p.shape):
                    ends = [kept[place] + s * step * max(1, abs(kept[place])) for s in (1, -1)]
                    above, below = (self._beside(closure, p, kept, place, end) for end in ends)
                    rows.append((above - below) / float(p.dtype.type(ends[0]) - ends[1]))
            finally:
                p.data = kept
        hessian = np.array(rows)
        return (hessian + hessian.T) / 2

    def _beside(
        self, closure: Closure, p: Tensor, kept: np.ndarray, place: tuple[int, ...], value: float
    ) -> np.ndarray:
        """Return the gradient where one number of p has another value."""
        moved = kept.copy()
        moved[place] = value
        p.data = moved
        return self._gradient(closure)[1]

    def _parts(self, vector: np.ndarray) -> Iterator[np.ndarray]:
        start = 0
        for p in self.parameters():
            yield vector[start : start + p.size].reshape(p.shape)
            start += p.size


def _flat_gradient(p: Tensor) -> np.ndarray:
    return np.zeros(p.size) if p.grad is None else p.grad.ravel().astype(np.float64)
