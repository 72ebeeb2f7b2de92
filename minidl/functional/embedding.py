"""Rows of a table by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.autograd import Function, Variable
from minidl.errors import (
    ArgumentError,
    DTypeError,
    check_floating,
    check_rank,
    expected,
)

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class Embedding(Function):
    """y[..., :] = weight[index[...]]."""

    def forward(self, weight, *, index, padding, by_frequency):
        """Return the rows."""
        self.count, self.index = len(weight), index
        self.padding, self.by_frequency = padding, by_frequency
        return np.take(weight, index, axis=0)

    def backward(self, grad):
        """Add each row's gradients: sorted by row, so that equal ones are neighbours."""
        flat, d = self.index.ravel(), grad.shape[-1]
        dweight = np.zeros((self.count, d), grad.dtype)
        if flat.size:
            order = np.argsort(flat, kind="stable")
            starts = np.flatnonzero(np.diff(flat[order], prepend=-1))
            there = flat[order[starts]]
            sums = np.add.reduceat(grad.reshape(-1, d)[order], starts, axis=0)
            if self.by_frequency:
                sums /= np.diff(starts, append=flat.size)[:, None].astype(grad.dtype)
            dweight[there] = sums
        if self.padding is not None:
            dweight[self.padding] = 0
        return dweight


def embedding(
    index: Any,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Tensor:
    """y[..., :] = weight[index[...]].

    Parameters
    ----------
    index : integers of any shape, from 0 to num - 1
    weight : (num, d) float
    padding_idx : a row that gets no gradient, or None; negative ones count from the end
    max_norm : rows that are looked up and are longer are scaled to this norm, in `weight` itself,
        first; or None
    norm_type : the p of that norm
    scale_grad_by_freq : divide each row's gradient by how often it was looked up

    Returns
    -------
    Tensor (*index.shape, d)

    Raises
    ------
    ArgumentError
        where an index lies outside 0 to num - 1, telling the range it spans

    References
    ----------
    Bengio, Ducharme, Vincent & Jauvin 2003, section 2.
    """
    check_floating("embedding", "weight", weight)
    check_rank("embedding", "weight", weight.shape, "num d")
    index = np.asarray(index)
    if index.dtype.kind not in "iu" and index.size:
        raise DTypeError(
            expected("embedding", "indices as integers", index.dtype, "convert with .astype(int)")
        )
    index, num = index.astype(np.int64), len(weight)
    if index.size and not 0 <= index.min() <= index.max() < num:
        wanted = f"indices from 0 to {num - 1}"
        got = f"{index.min()} to {index.max()}"
        raise ArgumentError(expected("embedding", wanted, got, "is the table large enough?"))
    padding = None if padding_idx is None else row_number("embedding", padding_idx, num)
    if max_norm is not None:
        shorten(weight, np.unique(index), max_norm, norm_type)
    return Embedding.apply(weight, index=index, padding=padding, by_frequency=scale_grad_by_freq)


def row_number(op: str, padding_idx: int, num: int) -> int:
    """Return padding_idx counted from the front."""
    if not -num <= padding_idx < num:
        wanted = f"padding_idx from {-num} to {num - 1}"
        raise ArgumentError(expected(op, wanted, padding_idx))
    return padding_idx % num


def shorten(weight: Variable, used: np.ndarray, max_norm: float, p: float) -> None:
    """Scale the rows that are used and longer than max_norm to that norm, in place."""
    norms = np.linalg.norm(weight.data[used], ord=p, axis=1)
    longer = norms > max_norm
    if longer.any():
        # As PyTorch: a little is added, so that a row is not divided by nothing.
        factors = (max_norm / (norms[longer] + 1e-7)).astype(weight.dtype)
        weight.data[used[longer]] *= factors[:, None]
        weight.written()
