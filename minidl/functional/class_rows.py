"""Rows of classes: which count, what each counts, and what becomes of their losses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl import tensor as tensor_module
from minidl.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    check_floating,
    check_size,
    expected,
)
from minidl.functional.shape import concatenate

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class Rows(NamedTuple):
    """The rows that count: their numbers, their classes, and where all of them stand."""

    values: Tensor
    classes: np.ndarray
    places: np.ndarray | None
    shape: tuple[int, ...]


def as_rows(op: str, name: str, x: Tensor) -> Tensor:
    """(n, k, d1, ...) as (n d1 ..., k), and (k,) as (1, k)."""
    if x.ndim == 0:
        raise ShapeError(expected(op, f"{name} of shape (n, k)", x.shape))
    if x.ndim == 1:
        return x.reshape(1, -1)
    if x.ndim == 2:
        return x
    rows = x.transpose(0, *range(2, x.ndim), 1)
    return rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1])


def rows_that_count(
    op: str, name: str, x: Tensor, classes: np.ndarray, ignore_index: int | None
) -> Rows:
    """Return the rows whose class is not the ignored one."""
    shape = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    hint = "one class index for each row"
    if classes.dtype.kind in "iu":
        check_size(op, "targets", classes.shape, shape, hint)
    values = as_rows(op, name, x)
    flat = classes.reshape(-1)
    kept = None if ignore_index is None else flat != ignore_index
    if kept is None or kept.all():
        return Rows(values, checked_classes(op, flat, values.shape[1], ignore_index), None, shape)
    chosen = np.flatnonzero(kept)
    places = np.full(flat.size, chosen.size)
    places[chosen] = np.arange(chosen.size)
    inside = checked_classes(op, flat[chosen], values.shape[1], ignore_index)
    return Rows(values[chosen], inside, places, shape)


def checked_classes(op: str, targets: np.ndarray, k: int, ignore_index: int | None) -> np.ndarray:
    """Return a copy of class indices as int64; those that are none are refused."""
    if targets.dtype.kind not in "iu":
        raise DTypeError(
            expected(
                op,
                "targets as integers, the index of each row's class",
                targets.dtype,
                "convert with .astype(np.int64), or one-hot rows with .argmax(1)",
            )
        )
    targets = targets.astype(np.int64)
    wrong = targets[(targets < 0) | (targets >= k)]
    if wrong.size:
        also = f", or ignore_index {ignore_index}" if ignore_index is not None else ""
        raise ArgumentError(expected(op, f"targets between 0 and {k - 1}{also}", wrong[0]))
    return targets


def class_weights(op: str, weight: Any, rows: Tensor) -> np.ndarray | None:
    """Return the weights of the classes, of the type of the rows."""
    if weight is None:
        return None
    array = tensor_module.as_array(weight)
    check_floating(op, "weight", array)
    check_size(op, "weight", array.shape, (rows.shape[1],), "one number for each class")
    if not (array >= 0).all():
        raise ArgumentError(expected(op, "weights of at least 0", array[~(array >= 0)][0]))
    return array.astype(rows.dtype)


def count_of(rows: Rows, factor: np.ndarray | None) -> float:
    """Return what the rows count together."""
    return len(rows.classes) if factor is None else float(factor[rows.classes].sum())


def check_mean(op: str, reduction: str, count: float) -> None:
    """Raise ShapeError where the mean is asked for and nothing counts."""
    if reduction == "mean" and not count:
        hint = 'use "sum", or leave such batches out'
        raise ShapeError(
            expected(op, 'at least one row that counts for reduction "mean"', "none", hint)
        )


def reduced(losses: Tensor, rows: Rows, factor: np.ndarray | None, reduction: str) -> Tensor:
    """Sum, mean (divided by the weights of the classes) or all losses, ignored ones as 0."""
    if reduction == "sum":
        return losses.sum()
    if reduction == "mean":
        return losses.sum() / count_of(rows, factor)
    if rows.places is not None:
        nothing = tensor_module.Tensor(np.zeros(1, losses.dtype))
        losses = concatenate([losses, nothing])[rows.places]
    return losses.reshape(rows.shape)
