"""Gradients cut to size before a step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real

import numpy as np

from minidl.tensor import Tensor
from minidl.errors import ArgumentError, DTypeError, expected
from minidl.optim.optimizer import check_rate

# Squares of float32 are added in parts of this many, and the parts in float64.
PART = 2**16
# A sum of squares below the smallest number by this has lost digits.
EPSILON = 1e-7

Parameters = Tensor | Iterable[Tensor]


def clip_grad_norm_(
    parameters: Parameters,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    *,
    eps: float = 1e-6,
) -> float:
    """Scale all gradients by max_norm / (norm + eps) where that is below 1; return the norm.

    The norm is that of all gradients as one vector. It makes a cliff's step safe: the direction
    stays. (A vanished gradient cannot be cured in this way: its noise would be scaled up too.)

    Parameters
    ----------
    parameters : Tensor or Tensors; those without gradient are passed over
    max_norm : float, at least 0
    norm_type : float above 0; inf for the largest absolute value
    error_if_nonfinite : bool; otherwise an infinite norm makes finite gradients 0
    eps : float, at least 0; PyTorch's 1e-6 by default, 0 for norms that are max_norm exactly

    Returns
    -------
    float : the norm before; 0 without gradients

    Raises
    ------
    ArgumentError
        for a norm that is NaN or infinite, if asked to, and bad arguments

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, optim
    >>> p = nn.Parameter(np.zeros(2))
    >>> p.grad = np.array([30.0, 40.0])
    >>> optim.clip_grad_norm_([p], max_norm=5.0, eps=0.0)
    50.0
    >>> print(p.grad)
    [3. 4.]

    References
    ----------
    Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    check_rate("clip_grad_norm_", "eps", eps)
    if not isinstance(max_norm, Real) or not max_norm >= 0:
        raise ArgumentError(expected("clip_grad_norm_", "max_norm of at least 0", max_norm))
    if not isinstance(norm_type, Real) or not norm_type > 0:
        raise ArgumentError(expected("clip_grad_norm_", "norm_type above 0", norm_type))
    members = _gradients("clip_grad_norm_", parameters)
    norms = [_norm(grad, norm_type) for _, grad in members]
    norm = _norm(np.array(norms), norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        hint = "look for the first parameter whose gradient is, or lower the learning rate"
        raise ArgumentError(expected("clip_grad_norm_", "a finite norm", norm, hint))
    # NaN is not at most max_norm either: the gradients become NaN, as the norm says they should.
    if not norm + eps <= max_norm:
        factor = max_norm / (norm + eps)
        with np.errstate(invalid="ignore"):
            for p, grad in members:
                p.grad = np.asarray(grad * p.dtype.type(factor))
    return norm


def clip_grad_value_(parameters: Parameters, clip_value: float | tuple[float, float]) -> None:
    """g <- min(max(g, -clip_value), clip_value), element by element: the direction changes.

    Parameters
    ----------
    parameters : Tensor or Tensors; those without gradient are passed over
    clip_value : float of at least 0, or the bounds (low, high)

    References
    ----------
    Mikolov 2012, section 3.3; Goodfellow, Bengio & Courville 2016, section 10.11.1.
    """
    op = "clip_grad_value_"
    bounds = clip_value if isinstance(clip_value, tuple | list) else (clip_value,)
    if not 1 <= len(bounds) <= 2 or not all(isinstance(bound, Real) for bound in bounds):
        raise ArgumentError(expected(op, "a number, or two: (low, high)", clip_value))
    low, high = bounds if len(bounds) == 2 else (-bounds[0], bounds[0])
    if not low <= high:
        wanted = "clip_value of at least 0, or (low, high) in this order"
        raise ArgumentError(expected(op, wanted, clip_value))
    for p, grad in _gradients(op, parameters):
        p.grad = np.asarray(np.clip(grad, p.dtype.type(low), p.dtype.type(high)))


def _gradients(op: str, parameters: Parameters) -> list[tuple[Tensor, np.ndarray]]:
    """Return (parameter, gradient) where there is one."""
    listed = [parameters] if isinstance(parameters, Tensor) else parameters
    if not isinstance(listed, Iterable):
        got, hint = type(parameters).__name__, "pass model.parameters()"
        raise DTypeError(expected(op, "a Tensor or Tensors", got, hint))
    members = list(listed)
    wrong = [type(p).__name__ for p in members if not isinstance(p, Tensor)]
    if wrong:
        raise DTypeError(expected(op, "Tensors", wrong[0], "pass model.parameters()"))
    return [(p, p.grad) for p in members if p.grad is not None]


def _norm(array: np.ndarray, kind: float) -> float:
    """Return (sum of |x|^kind)^(1 / kind), which neither overflows nor vanishes in between."""
    flat = array.ravel()
    if kind == 2:
        parts = (flat[i : i + PART] for i in range(0, flat.size, PART))
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(np.sum([part @ part for part in parts], dtype=np.float64))
        if np.finfo(array.dtype).tiny / EPSILON < total < math.inf:
            return math.sqrt(total)
    sizes = np.abs(flat).astype(np.float64)
    largest = float(sizes.max(initial=0.0))
    if kind == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    return float(largest * np.sum((sizes / largest) ** kind) ** (1 / kind))
