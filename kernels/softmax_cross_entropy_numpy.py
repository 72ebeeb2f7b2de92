"""Softmax and cross-entropy in one step: the specification."""

import numpy as np


def forward(logits, targets):
    """loss_i = log(sum_j exp(z_ij)) - z_i,target;  probability_ij = exp(z_ij) / sum_j exp(z_ij).

    The largest logit of a row is subtracted first: it cancels, and no exponential overflows.

    Parameters
    ----------
    logits : (n, k) float32 or float64
    targets : (n,) int64, the right class of each row, 0 .. k - 1

    Returns
    -------
    losses : (n,), of the dtype of logits, not averaged
    probabilities : (n, k), of the dtype of logits

    Raises
    ------
    IndexError : a target is not a class.

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.3.
    """
    n, k = logits.shape
    if n and (targets.min() < 0 or targets.max() >= k):
        raise IndexError(f"softmax_cross_entropy: expected targets in 0 .. {k - 1}")
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=1, keepdims=True)
    losses = np.log(total[:, 0]) - shifted[np.arange(n), targets]
    probabilities = exponentials / total
    return losses, probabilities


def backward(dlosses, probabilities, targets):
    """dlogits_ij = dloss_i * (probability_ij - [j = target_i]).

    Parameters
    ----------
    dlosses : (n,) float32 or float64
    probabilities : (n, k), as returned by `forward`
    targets : (n,) int64

    Returns
    -------
    dlogits : (n, k), of the dtype of dlosses

    Raises
    ------
    IndexError : a target is not a class.
    """
    n, k = probabilities.shape
    if n and (targets.min() < 0 or targets.max() >= k):
        raise IndexError(f"softmax_cross_entropy: expected targets in 0 .. {k - 1}")
    error = probabilities.copy()
    error[np.arange(n), targets] -= 1
    return dlosses[:, None] * error


def smoothed_forward(logits, targets, eps):
    """loss_i = -sum_j q_ij log probability_ij,  q = (1 - eps) onehot(target) + eps / k.

    Parameters
    ----------
    logits : (n, k) float32 or float64
    targets : (n,) int64
    eps : float in [0, 1], the share of the weight that all classes have in common

    Returns
    -------
    losses, probabilities : as in `forward`

    Raises
    ------
    IndexError : a target is not a class.

    References
    ----------
    Szegedy et al. 2016, section 7.
    """
    # sum_j q_j = 1, so that loss = log(sum exp) - sum_j q_j z_j: only the second term changes.
    _, probabilities = forward(logits, targets)
    shifted = logits - logits.max(axis=1, keepdims=True)
    right = (1 - eps) * shifted[np.arange(len(logits)), targets]
    losses = np.log(np.exp(shifted).sum(axis=1)) - right - eps * shifted.mean(axis=1)
    return losses, probabilities


def smoothed_backward(dlosses, probabilities, targets, eps, out=None):
    """dlogits_ij = dloss_i * (probability_ij - q_ij),  q = (1 - eps) onehot(target) + eps / k.

    Parameters
    ----------
    dlosses : (n,) float32 or float64
    probabilities : (n, k), as returned by `smoothed_forward`
    targets : (n,) int64
    eps : float in [0, 1]
    out : (n, k) of the dtype of dlosses, where to write, `probabilities` itself if these are not
        needed again; None for a new array

    Returns
    -------
    dlogits : (n, k), of the dtype of dlosses

    Raises
    ------
    IndexError : a target is not a class.
    """
    n, k = probabilities.shape
    if n and (targets.min() < 0 or targets.max() >= k):
        raise IndexError(f"softmax_cross_entropy: expected targets in 0 .. {k - 1}")
    error = np.subtract(probabilities, eps / k, out=out)
    error[np.arange(n), targets] -= 1 - eps
    return np.multiply(dlosses[:, None], error, out=out)


def dense_forward(logits, q):
    """loss_i = -sum_j q_ij log probability_ij, for any weights q.

    Parameters
    ----------
    logits : (n, k) float32 or float64
    q : (n, k), what each class counts; a row need not sum to 1

    Returns
    -------
    losses, probabilities : as in `forward`
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=1, keepdims=True)
    logs = shifted - np.log(total)
    # What counts nothing costs nothing, even where its logit is -inf.
    losses = -np.multiply(q, logs, where=q != 0, out=np.zeros_like(q)).sum(axis=1)
    return losses, exponentials / total


def dense_backward(dlosses, probabilities, q):
    """dlogits_ij = dloss_i * (probability_ij sum_l q_il - q_ij).

    Parameters
    ----------
    dlosses : (n,) float32 or float64
    probabilities : (n, k), as returned by `dense_forward`
    q : (n, k)

    Returns
    -------
    dlogits : (n, k), of the dtype of dlosses
    """
    return dlosses[:, None] * (probabilities * q.sum(axis=1, keepdims=True) - q)
