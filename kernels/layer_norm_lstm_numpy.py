"""LSTM with layer normalization over a whole sequence: the specification.

The arrangement of the original TensorFlow cell: gates in the order i, g, f, o (input, candidate,
forget, output), d values each, every one normalized by itself before its activation; the new c is
normalized too, and it is the normalized c that is carried to the next step. Arrays are time-major.
`states` holds h before and after every step, and the last c behind them; `cells` holds c.

Example b of the batch takes part in the steps t < lengths[b]; in the others its h and c stay.
"""

import numpy as np

EPS = 1e-12


def forward(
    projected,
    bias,
    weight_hh,
    gain,
    shift,
    h0,
    c0,
    drop,
    lengths,
    forget_bias,
    activation,
    keep,
):
    """c' = LN(sigmoid(LN(f) + forget_bias) c + sigmoid(LN(i)) drop act(LN(g))).

    h' = act(c') sigmoid(LN(o)),  i, g, f, o = projected[t] + bias + h weight_hh^T, and
    LN(v) = gain (v - mean(v)) / sqrt(var(v) + 1e-12) + shift with a gain and a shift for each.

    Parameters
    ----------
    projected : (steps, n, 4 d) float32 or float64, the inputs times their weights
    bias : (4 d,)
    weight_hh : (4 d, d)
    gain, shift : (5, d), of i, g, f, o and c; None, both, where nothing is normalized
    h0, c0 : (n, d), the initial state
    drop : (steps, n, d) factors of the candidate (recurrent dropout), or None
    lengths : (n,) int64, from 1 to steps
    forget_bias : float, added after the normalization
    activation : "tanh", "relu" or "sigmoid", of the candidate and of c
    keep : bool, whether `backward` will follow; otherwise all but the states are empty

    Returns
    -------
    states : (steps + 2, n, d), of the dtype of projected
    cells : (steps + 1, n, d)
    gates : (steps, n, 5, d), sigmoid(i), act(g), sigmoid(f), sigmoid(o), act(c'); 0 at rest
    hats : (steps, n, 5, d), what was normalized, before gain and shift; 0 at rest or without
    inv_std : (steps, n, 5), 1 / sqrt(var + 1e-12) of each; 0 at rest or without

    References
    ----------
    Ba, Kiros & Hinton 2016, supplementary material, with the carried c of TensorFlow's
    LayerNormBasicLSTMCell; Semeniuta, Severyn & Barth 2016, section 3.2 (recurrent dropout).
    """
    steps, n, d = *projected.shape[:2], h0.shape[1]
    states = np.empty((steps + 2, n, d), projected.dtype)
    cells = np.empty((steps + 1, n, d), projected.dtype)
    gates, hats = np.zeros((2, steps, n, 5, d), projected.dtype)
    inv_std = np.zeros((steps, n, 5), projected.dtype)
    states[0], cells[0] = h0, c0
    for t in range(steps):
        a = (projected[t] + bias + states[t] @ weight_hh.T).reshape(n, 4, d)
        hat, inv = np.zeros_like(hats[t]), np.zeros_like(inv_std[t])
        if gain is not None:
            hat[:, :4], inv[:, :4] = _normalized(a)
            a = gain[:4] * hat[:, :4] + shift[:4]
        i, f, o = _sigmoid(a[:, 0]), _sigmoid(a[:, 2] + forget_bias), _sigmoid(a[:, 3])
        g = _activated(a[:, 1], activation)
        c = f * cells[t] + i * (g if drop is None else g * drop[t])
        if gain is not None:
            hat[:, 4:], inv[:, 4:] = _normalized(c[:, None])
            c = gain[4] * hat[:, 4] + shift[4]
        y = _activated(c, activation)
        goes = t < lengths
        gates[t] = np.where(goes[:, None, None], np.stack([i, g, f, o, y], axis=1), 0)
        hats[t] = np.where(goes[:, None, None], hat, 0)
        inv_std[t] = np.where(goes[:, None], inv, 0)
        cells[t + 1] = np.where(goes[:, None], c, cells[t])
        states[t + 1] = np.where(goes[:, None], y * o, states[t])
    states[-1] = cells[-1]
    kept = cells, gates, hats, inv_std
    return (states, *(kept if keep else (array[:0] for array in kept)))


def backward(dstates, cells, gates, hats, inv_std, weight_hh, gain, drop, lengths, activation):
    """Gradients of a loss through all steps.

    Parameters
    ----------
    dstates : (steps + 2, n, d) float32 or float64, the gradient of every slot of states
    cells, gates, hats, inv_std : as returned by `forward`
    weight_hh, gain, drop, lengths, activation : as given to `forward`

    Returns
    -------
    dprojected : (steps, n, 4 d);  dgain, dshift : (5, d), zeros without normalization
    dh0, dc0 : (n, d), of the dtype of dstates

    References
    ----------
    Ba, Kiros & Hinton 2016; Werbos 1990 (back-propagation through time).
    """
    # Through h' = act(c') o, then through c's normalization, then through c = f c + i g drop, each
    # gate's gradient times the slope of its activation, and last through their normalizations:
    #   dv = inv_std / d * (d * u - sum(u) - hat * sum(u * hat)),  u = gain * gradient of LN(v).
    steps, n, d = *gates.shape[:2], cells.shape[2]
    dprojected = np.zeros((steps, n, 4 * d), gates.dtype)
    dgain, dshift = np.zeros((2, 5, d), gates.dtype)
    dh, dc = 0, dstates[-1]
    for t in range(steps - 1, -1, -1):
        goes = (t < lengths)[:, None]
        i, g, f, o, y = (gates[t, :, part] for part in range(5))
        dh = dh + dstates[t + 1]
        through = np.where(goes, dc + dh * o * _slope(y, activation), 0)
        if gain is not None:
            dgain[4] += (through * hats[t, :, 4]).sum(axis=0)
            dshift[4] += through.sum(axis=0)
            scaled = (gain[4] * through)[:, None]
            through = _through_norm(scaled, hats[t, :, 4:], inv_std[t, :, 4:])[:, 0]
        dropped = through if drop is None else through * drop[t]
        da = np.stack(
            [
                dropped * g * i * (1 - i),
                dropped * i * _slope(g, activation),
                through * cells[t] * f * (1 - f),
                dh * y * o * (1 - o),
            ],
            axis=1,
        )
        da = np.where(goes[:, :, None], da, 0)
        if gain is not None:
            dgain[:4] += (da * hats[t, :, :4]).sum(axis=0)
            dshift[:4] += da.sum(axis=0)
            da = _through_norm(gain[:4] * da, hats[t, :, :4], inv_std[t, :, :4])
        dprojected[t] = da.reshape(n, 4 * d)
        dc = np.where(goes, through * f, dc)
        dh = np.where(goes, dprojected[t] @ weight_hh, dh)
    return dprojected, dgain, dshift, dh + dstates[0], np.array(dc)


def _normalized(v):
    """(v - mean) / sqrt(var + EPS) of the rows of (n, k, d), and 1 / sqrt(var + EPS)."""
    centred = v - v.mean(axis=2, keepdims=True)
    inv_std = 1 / np.sqrt(np.square(centred).mean(axis=2) + EPS)
    return centred * inv_std[:, :, None], inv_std


def _through_norm(u, hat, inv_std):
    """The gradient of what was normalized; u is that of the normalized times its gain."""
    d = hat.shape[2]
    u_sum, proj = u.sum(axis=2, keepdims=True), (u * hat).sum(axis=2, keepdims=True)
    return inv_std[:, :, None] / d * (d * u - u_sum - hat * proj)


def _sigmoid(x):
    """1 / (1 + exp(-x)), from exponentials that never overflow."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def _activated(x, activation):
    """Tanh, relu or sigmoid of x."""
    if activation == "relu":
        return np.maximum(x, 0)
    return np.tanh(x) if activation == "tanh" else _sigmoid(x)


def _slope(y, activation):
    """The derivative of the activation, from its result."""
    if activation == "relu":
        return np.where(y > 0, y.dtype.type(1), y.dtype.type(0))
    return 1 - y * y if activation == "tanh" else y * (1 - y)
