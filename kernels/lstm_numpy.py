"""Long short-term memory over a whole sequence, plain and layer-normalized: the specification.

Gates stand side by side in the order i, f, g, o (input, forget, candidate, output), d values each;
the normalized cell has TensorFlow's order i, g, f, o.
Arrays are time-major. `states` holds h before and after every step, in the order of time, and the
last c behind them: slots 0 to steps are h (slot 0 the initial one; in the reverse direction slot
`steps` is), slot steps + 1 is c after the last step taken. `cells` holds c in the same slots.

Example b of the batch takes part in the steps t < lengths[b]; in the others its h and c stay.
"""

import numpy as np
from minidl.kernels.parallel import product

EPS = 1e-12


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


def fused_forward(x, weight_ih, bias, weight_hh, h0, c0, drop, lengths, reverse, keep):
    """`forward` of projected = x weight_ih^T; x is (steps, n, inputs), weight_ih (4 d, inputs)."""
    steps, n, inputs = x.shape
    projected = product(x.reshape(steps * n, inputs), weight_ih.T).reshape(steps, n, len(weight_ih))
    return forward(projected, bias, weight_hh, h0, c0, drop, lengths, reverse, keep)


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


def layer_norm_forward(
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
    """c' = LN(sigmoid(LN(f) + forget_bias) c + sigmoid(LN(i)) drop act(LN(g))), step by step.

    h' = act(c') sigmoid(LN(o)),  i, g, f, o = projected[t] + bias + h weight_hh^T, and
    LN(v) = gain (v - mean(v)) / sqrt(var(v) + 1e-12) + shift with a gain and a shift for each. It
    is the normalized c that is carried to the next step.

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
    keep : bool, whether `layer_norm_backward` will follow; otherwise all but the states are empty

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


def layer_norm_backward(
    dstates, cells, gates, hats, inv_std, weight_hh, gain, drop, lengths, activation
):
    """Gradients of a loss through all steps.

    Parameters
    ----------
    dstates : (steps + 2, n, d) float32 or float64, the gradient of every slot of states
    cells, gates, hats, inv_std : as returned by `layer_norm_forward`
    weight_hh, gain, drop, lengths, activation : as given to `layer_norm_forward`

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
    dh, dc = 0, np.array(dstates[-1])
    for t in range(steps - 1, -1, -1):
        dh = dh + dstates[t + 1]
        here = np.flatnonzero(t < lengths)
        i, g, f, o, y = (gates[t, here, part] for part in range(5))
        hat, inv = hats[t, here], inv_std[t, here]
        through = dc[here] + dh[here] * o * _slope(y, activation)
        if gain is not None:
            dgain[4] += (through * hat[:, 4]).sum(axis=0)
            dshift[4] += through.sum(axis=0)
            through = _through_norm((gain[4] * through)[:, None], hat[:, 4:], inv[:, 4:])[:, 0]
        dropped = through if drop is None else through * drop[t, here]
        da = [
            dropped * g * i * (1 - i),
            dropped * i * _slope(g, activation),
            through * cells[t, here] * f * (1 - f),
            dh[here] * y * o * (1 - o),
        ]
        da = np.stack(da, axis=1)
        if gain is not None:
            dgain[:4] += (da * hat[:, :4]).sum(axis=0)
            dshift[:4] += da.sum(axis=0)
            da = _through_norm(gain[:4] * da, hat[:, :4], inv[:, :4])
        dprojected[t, here] = da.reshape(len(here), 4 * d)
        dc[here] = through * f
        dh[here] = dprojected[t, here] @ weight_hh
    return dprojected, dgain, dshift, dh + dstates[0], dc


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


def _walk(steps, reverse):
    """(t, the slot before, the slot after) of each step, in the order they are taken."""
    if reverse:
        return [(t, t + 1, t) for t in range(steps - 1, -1, -1)]
    return [(t, t, t + 1) for t in range(steps)]


def _sigmoid(x):
    """1 / (1 + exp(-x)), from exponentials that never overflow."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
