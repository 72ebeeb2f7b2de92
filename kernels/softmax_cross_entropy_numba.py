"""Softmax and cross-entropy in Numba: row by row.

What is computed, and the shapes, stand in softmax_cross_entropy_numpy.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def _forward(logits, targets, eps, losses, probabilities):
    n, k = logits.shape
    for i in range(n):
        target = targets[i]
        if target < 0 or target >= k:
            raise IndexError("softmax_cross_entropy: expected targets in 0 .. k - 1")
        row, exponentials = logits[i], probabilities[i]
        largest = row[0]
        for j in range(1, k):
            largest = max(largest, row[j])
        total = np.float64(0)
        for j in range(k):
            exponentials[j] = np.exp(row[j] - largest)
            total += exponentials[j]
        right = np.float64(row[target] - largest)
        if eps > 0:
            below = np.float64(0)
            for j in range(k):
                below += row[j] - largest
            right = (1 - eps) * right + eps * below / k
        losses[i] = np.log(total) - right
        inverse = logits.dtype.type(1 / total)
        for j in range(k):
            exponentials[j] *= inverse


@njit(cache=True)
def _backward(dlosses, probabilities, targets, eps, dlogits):
    n, k = probabilities.shape
    share, own = dlosses.dtype.type(eps / k), dlosses.dtype.type(1 - eps)
    for i in range(n):
        target = targets[i]
        if target < 0 or target >= k:
            raise IndexError("softmax_cross_entropy: expected targets in 0 .. k - 1")
        row, error = probabilities[i], dlogits[i]
        right = dlosses[i] * (row[target] - share - own)
        for j in range(k):
            error[j] = dlosses[i] * (row[j] - share)
        error[target] = right


def smoothed_forward(logits, targets, eps):
    """losses, probabilities; see softmax_cross_entropy_numpy.smoothed_forward."""
    losses, probabilities = np.empty(len(logits), logits.dtype), np.empty_like(logits)
    _forward(logits, targets, float(eps), losses, probabilities)
    return losses, probabilities


def smoothed_backward(dlosses, probabilities, targets, eps, out=None):
    """dlogits; see softmax_cross_entropy_numpy.smoothed_backward."""
    dlogits = np.empty_like(probabilities) if out is None else out
    _backward(dlosses, probabilities, targets, float(eps), dlogits)
    return dlogits


def forward(logits, targets):
    """losses, probabilities; see softmax_cross_entropy_numpy.forward."""
    return smoothed_forward(logits, targets, 0.0)


def backward(dlosses, probabilities, targets):
    """dlogits; see softmax_cross_entropy_numpy.backward."""
    return smoothed_backward(dlosses, probabilities, targets, 0.0)
