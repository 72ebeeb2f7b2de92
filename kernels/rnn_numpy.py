"""The plain recurrent network over a whole sequence: the specification.

Arrays are time-major; `states` holds h before and after every step, in the order of time: slot 0 is
the initial one (in the reverse direction slot `steps` is).

Example b of the batch takes part in the steps t < lengths[b]; in the others its h stays.
"""

import numpy as np
from minidl.kernels.parallel import product


def forward(projected, bias, weight_hh, h0, relu, lengths, reverse):
    """h' = f(projected[t] + bias + h weight_hh^T),  f = tanh or max(., 0),  step by step.

    Parameters
    ----------
    projected : (steps, n, d) float32 or float64, the inputs times their weights
    bias : (d,)
    weight_hh : (d, d)
    h0 : (n, d), the initial state
    relu : bool, whether f is max(., 0)
    lengths : (n,) int64, from 1 to steps
    reverse : bool, whether time runs from the last step to the first

    Returns
    -------
    states : (steps + 1, n, d), of the dtype of projected

    References
    ----------
    Elman 1990.
    """
    steps = len(projected)
    states = np.empty((steps + 1, *h0.shape), projected.dtype)
    states[steps if reverse else 0] = h0
    for t, before, after in _walk(steps, reverse):
        a = projected[t] + bias + product(states[before], weight_hh.T)
        h = np.maximum(a, 0) if relu else np.tanh(a)
        states[after] = np.where((t < lengths)[:, None], h, states[before])
    return states


def backward(dstates, states, weight_hh, relu, lengths, reverse):
    """Gradients of a loss through all steps.

    Parameters
    ----------
    dstates : (steps + 1, n, d) float32 or float64, the gradient of every slot of states
    states : as returned by `forward`
    weight_hh, relu, lengths, reverse : as given to `forward`

    Returns
    -------
    dprojected : (steps, n, d);  dh0 : (n, d), of the dtype of dstates

    References
    ----------
    Werbos 1990 (back-propagation through time).
    """
    steps = len(states) - 1
    dprojected = np.zeros_like(states[1:])
    dh = 0
    for t, _, after in reversed(_walk(steps, reverse)):
        goes, h = (t < lengths)[:, None], states[after]
        dh = dh + dstates[after]
        dprojected[t] = np.where(goes, np.where(h > 0, dh, 0) if relu else dh * (1 - h * h), 0)
        dh = np.where(goes, product(dprojected[t], weight_hh), dh)
    return dprojected, dh + dstates[steps if reverse else 0]


def _walk(steps, reverse):
    """(t, the slot before, the slot after) of each step, in the order they are taken."""
    if reverse:
        return [(t, t + 1, t) for t in range(steps - 1, -1, -1)]
    return [(t, t, t + 1) for t in range(steps)]
