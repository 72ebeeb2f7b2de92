"""Long short-term memory over a whole sequence: the specification.

Gates stand side by side in the order i, f, g, o (input, forget, candidate, output), d values each.
Arrays are time-major. `states` holds h before and after every step, in the order of time, and the
last c behind them: slots 0 to steps are h (slot 0 the initial one; in the reverse direction slot
`steps` is), slot steps + 1 is c after the last step taken. `cells` holds c in the same slots.

Example b of the batch takes part in the steps t < lengths[b]; in the others its h and c stay.
"""

import numpy as np


def forward(projected, bias, weight_hh, h0, c0, drop, lengths, reverse, keep):
    """c' = sigmoid(f) c + sigmoid(i) drop tanh(g),  h' = sigmoid(o) tanh(c'),  step by step.

    i, f, g, o = projected[t] + bias + h weight_hh^T

    Parameters
    ----------
    projected : (steps, n, 4 d) float32 or float64, the inputs times their weights
    bias : (4 d,)
    weight_hh : (4 d, d)
    h0, c0 : (n, d), the initial state
    drop : (steps, n, d) factors of the candidate (recurrent dropout), or None
    lengths : (n,) int64, from 1 to steps
    reverse : bool, whether time runs from the last step to the first
    keep : bool, whether `backward` will follow; otherwise cells and gates are empty

    Returns
    -------
    states : (steps + 2, n, d), of the dtype of projected
    cells : (steps + 1, n, d)
    gates : (steps, n, 4 d), sigmoid(i), sigmoid(f), tanh(g), sigmoid(o); 0 where an example rests

    References
    ----------
    Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000 (the forget gate); Semeniuta,
    Severyn & Barth 2016, section 3.2 (dropout of the candidate).
    """
    steps, n, d = *projected.shape[:2], h0.shape[1]
    states = np.empty((steps + 2, n, d), projected.dtype)
    cells = np.empty((steps + 1, n, d), projected.dtype)
    gates = np.zeros_like(projected)
    first, last = (steps, 0) if reverse else (0, steps)
    states[first], cells[first] = h0, c0
    for t, before, after in _walk(steps, reverse):
        a = projected[t] + bias + states[before] @ weight_hh.T
        i, f, o = (_sigmoid(a[:, part * d : (part + 1) * d]) for part in (0, 1, 3))
        g = np.tanh(a[:, 2 * d : 3 * d])
        c = f * cells[before] + i * (g if drop is None else g * drop[t])
        goes = (t < lengths)[:, None]
        gates[t] = np.where(goes, np.concatenate([i, f, g, o], axis=1), 0)
        cells[after] = np.where(goes, c, cells[before])
        states[after] = np.where(goes, o * np.tanh(c), states[before])
    states[-1] = cells[last]
    return (states, cells, gates) if keep else (states, cells[:0], gates[:0])


def backward(dstates, cells, gates, weight_hh, drop, lengths, reverse):
    """Gradients of a loss through all steps.

    Parameters
    ----------
    dstates : (steps + 2, n, d) float32 or float64, the gradient of every slot of states
    cells, gates : as returned by `forward`
    weight_hh, drop, lengths, reverse : as given to `forward`

    Returns
    -------
    dprojected : (steps, n, 4 d);  dh0, dc0 : (n, d), of the dtype of dstates

    References
    ----------
    Hochreiter & Schmidhuber 1997; Werbos 1990 (back-propagation through time).
    """
    # dh and dc are what arrives at a step from the steps after it. Through h' = o tanh(c'):
    #   do = dh tanh(c'),  dc += dh o (1 - tanh(c')^2);   then through c' = f c + i g drop:
    #   df = dc c,  di = dc g drop,  dg = dc i drop,  and dc f goes on to the step before;
    # each gate's gradient times the slope of its activation, y (1 - y) or 1 - y^2.
    steps, d = len(gates), cells.shape[2]
    dprojected = np.zeros_like(gates)
    dh, dc = 0, dstates[-1]
    for t, before, after in reversed(_walk(steps, reverse)):
        goes = (t < lengths)[:, None]
        i, f, g, o = (gates[t, :, part * d : (part + 1) * d] for part in range(4))
        dh = dh + dstates[after]
        tanh_c = np.tanh(cells[after])
        through = dc + dh * o * (1 - tanh_c * tanh_c)
        dropped = through if drop is None else through * drop[t]
        da = [
            dropped * g * i * (1 - i),
            through * cells[before] * f * (1 - f),
            dropped * i * (1 - g * g),
            dh * tanh_c * o * (1 - o),
        ]
        dprojected[t] = np.where(goes, np.concatenate(da, axis=1), 0)
        dc = np.where(goes, through * f, dc)
        dh = np.where(goes, dprojected[t] @ weight_hh, dh)
    return dprojected, dh + dstates[steps if reverse else 0], np.array(dc)


def _walk(steps, reverse):
    """(t, the slot before, the slot after) of each step, in the order they are taken."""
    if reverse:
        return [(t, t + 1, t) for t in range(steps - 1, -1, -1)]
    return [(t, t, t + 1) for t in range(steps)]


def _sigmoid(x):
    """1 / (1 + exp(-x)), from exponentials that never overflow."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
