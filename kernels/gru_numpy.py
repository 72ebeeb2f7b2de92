"""Gated recurrent units over a whole sequence: the specification.

Gates stand side by side in the order r, z, n (reset, update, candidate), d values each. Arrays are
time-major; `states` holds h before and after every step, in the order of time: slot 0 is the
initial one (in the reverse direction slot `steps` is).

Example b of the batch takes part in the steps t < lengths[b]; in the others its h stays.
"""

import numpy as np


def forward(projected, bias_ih, weight_hh, bias_hh, h0, drop, lengths, reverse, keep):
    """h' = (1 - z) drop n + z h,  n = tanh(x_n + r h_n),  step by step.

    x_r, x_z, x_n = projected[t] + bias_ih;  h_r, h_z, h_n = h weight_hh^T + bias_hh;
    r = sigmoid(x_r + h_r),  z = sigmoid(x_z + h_z): the reset gate scales the product with its
    bias, so that all three products are one.

    Parameters
    ----------
    projected : (steps, n, 3 d) float32 or float64, the inputs times their weights
    bias_ih, bias_hh : (3 d,)
    weight_hh : (3 d, d)
    h0 : (n, d), the initial state
    drop : (steps, n, d) factors of the candidate (recurrent dropout), or None
    lengths : (n,) int64, from 1 to steps
    reverse : bool, whether time runs from the last step to the first
    keep : bool, whether `backward` will follow; otherwise gates are empty

    Returns
    -------
    states : (steps + 1, n, d), of the dtype of projected
    gates : (steps, n, 4 d), r, z, n and h_n; 0 where an example rests

    References
    ----------
    Cho et al. 2014, section 2.3; the reset gate after the product as in cuDNN and PyTorch;
    Semeniuta, Severyn & Barth 2016, section 3.2 (dropout of the candidate).
    """
    steps, n, d = *projected.shape[:2], h0.shape[1]
    states = np.empty((steps + 1, n, d), projected.dtype)
    gates = np.zeros((steps, n, 4 * d), projected.dtype)
    states[steps if reverse else 0] = h0
    for t, before, after in _walk(steps, reverse):
        x = projected[t] + bias_ih
        h = states[before] @ weight_hh.T + bias_hh
        r = _sigmoid(x[:, :d] + h[:, :d])
        z = _sigmoid(x[:, d : 2 * d] + h[:, d : 2 * d])
        candidate = np.tanh(x[:, 2 * d :] + r * h[:, 2 * d :])
        dropped = candidate if drop is None else candidate * drop[t]
        goes = (t < lengths)[:, None]
        gates[t] = np.where(goes, np.concatenate([r, z, candidate, h[:, 2 * d :]], axis=1), 0)
        states[after] = np.where(goes, (1 - z) * dropped + z * states[before], states[before])
    return (states, gates) if keep else (states, gates[:0])


def backward(dstates, states, gates, weight_hh, drop, lengths, reverse):
    """Gradients of a loss through all steps.

    Parameters
    ----------
    dstates : (steps + 1, n, d) float32 or float64, the gradient of every slot of states
    states, gates : as returned by `forward`
    weight_hh, drop, lengths, reverse : as given to `forward`

    Returns
    -------
    dprojected, dhidden : (steps, n, 3 d), the gradients of both sums that enter the gates
    dh0 : (n, d), of the dtype of dstates

    References
    ----------
    Cho et al. 2014, section 2.3; Werbos 1990 (back-propagation through time).
    """
    # Through h' = (1 - z) n drop + z h:  dz = dh (h - n drop),  dn = dh (1 - z) drop, and dh z goes
    # on to the step before; through n = tanh(x_n + r h_n) the sum inside gets dn (1 - n^2), of
    # which r's share is h_n times it and h_n's is r times it.
    steps, n, d = *gates.shape[:2], states.shape[2]
    dprojected = np.zeros((steps, n, 3 * d), gates.dtype)
    dhidden = np.zeros_like(dprojected)
    dh = 0
    for t, before, after in reversed(_walk(steps, reverse)):
        goes = (t < lengths)[:, None]
        r, z, candidate, h_n = (gates[t, :, part * d : (part + 1) * d] for part in range(4))
        dh = dh + dstates[after]
        factor = 1 if drop is None else drop[t]
        dz = dh * (states[before] - candidate * factor) * z * (1 - z)
        dn = dh * (1 - z) * factor * (1 - candidate * candidate)
        dr = dn * h_n * r * (1 - r)
        dprojected[t] = np.where(goes, np.concatenate([dr, dz, dn], axis=1), 0)
        dhidden[t] = np.where(goes, np.concatenate([dr, dz, dn * r], axis=1), 0)
        dh = np.where(goes, dh * z + dhidden[t] @ weight_hh, dh)
    return dprojected, dhidden, dh + dstates[steps if reverse else 0]


def _walk(steps, reverse):
    """(t, the slot before, the slot after) of each step, in the order they are taken."""
    if reverse:
        return [(t, t + 1, t) for t in range(steps - 1, -1, -1)]
    return [(t, t, t + 1) for t in range(steps)]


def _sigmoid(x):
    """1 / (1 + exp(-x)), from exponentials that never overflow."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
