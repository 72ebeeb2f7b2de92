"""What the specifications of recurrent layers must do, told one number at a time.

Each oracle walks one example of the batch by itself, over its own steps alone, in plain numbers;
gradients are compared with central differences. kernel_oracles lists these with the others.
"""

import math

import numpy as np


def close(got, want, tolerance=1e-10):
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def check_slope(function, arguments, gradients, dy, step=1e-6):
    """Compare gradients {place of argument: gradient} of sum(dy * first result) with differences.

    Along one random direction for each argument: a wrong gradient differs along almost all.
    """
    rng = np.random.default_rng(99)
    for place, gradient in gradients.items():
        direction = rng.standard_normal(arguments[place].shape)
        sides = []
        for change in (step, -step):
            moved = list(arguments)
            moved[place] = arguments[place] + change * direction
            result = function(*moved)
            sides.append(np.sum(dy * (result[0] if isinstance(result, tuple) else result)))
        assert gradient.shape == direction.shape
        close(np.sum(gradient * direction), (sides[0] - sides[1]) / (2 * step), 1e-7)


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


STEPS, N, D = 3, 2, 3
KINDS = [  # lengths, reverse, whether candidates are dropped (in a plain network: relu)
    ([2, 3], False, True),
    ([1, 3], True, True),
    ([3, 3], False, False),
    ([2, 3], True, False),
]


def walk(length, reverse):
    """The time steps of one example in the order it takes them, and the slots around each."""
    times = list(range(length))
    for t in reversed(times) if reverse else times:
        yield (t, t + 1, t) if reverse else (t, t, t + 1)


def sums(t, b, parts, projected, bias, weight_hh, h):
    """The arguments of the gates, as parts[k][j], of one example at one time."""
    return [
        [
            projected[t, b, k * D + j]
            + bias[k * D + j]
            + sum(weight_hh[k * D + j, m] * h[m] for m in range(D))
            for j in range(D)
        ]
        for k in range(parts)
    ]


def resting(length):
    """The slots where an example has its last state, or in the reverse direction its initial."""
    return range(length, STEPS + 1)


def by_weight(da, states, reverse):
    """The gradient of weight_hh, from that of the sums which enter the gates."""
    before = states[1 : STEPS + 1] if reverse else states[:STEPS]
    return np.einsum("tbk,tbj->kj", da, before)


def lstm(module):
    for number, (lengths, reverse, dropped) in enumerate(KINDS):
        projected, bias, weight, h0, c0, drop, dy = drawn(
            *(number, (STEPS, N, 4 * D), 4 * D, (4 * D, D), (N, D), (N, D), (STEPS, N, D)),
            (STEPS + 2, N, D),
        )
        drop, lengths = drop if dropped else None, np.array(lengths)
        arguments = projected, bias, weight, h0, c0, drop, lengths, reverse, True
        states, cells, gates = module.forward(*arguments)
        assert (states.shape, cells.shape) == ((STEPS + 2, N, D), (STEPS + 1, N, D))
        for b in range(N):
            h, c = list(h0[b]), list(c0[b])
            first = STEPS if reverse else 0
            close([states[first, b], cells[first, b]], [h, c])
            for slot in resting(lengths[b]) if reverse else ():
                close([states[slot, b], cells[slot, b]], [h, c])
            for t, before, after in walk(lengths[b], reverse):
                close([states[before, b], cells[before, b]], [h, c])
                i, f, g, o = sums(t, b, 4, projected, bias, weight, h)
                i, f, o = ([sigmoid(v) for v in part] for part in (i, f, o))
                g = [math.tanh(v) for v in g]
                factor = drop[t, b] if dropped else [1] * D
                c = [f[j] * c[j] + i[j] * g[j] * factor[j] for j in range(D)]
                h = [o[j] * math.tanh(c[j]) for j in range(D)]
                close([states[after, b], cells[after, b]], [h, c])
                close(gates[t, b], [*i, *f, *g, *o])
            for slot in () if reverse else resting(lengths[b]):
                close([states[slot, b], cells[slot, b]], [h, c])
            close(states[-1, b], c)
            close(gates[lengths[b] :, b], 0)
        quick = module.forward(*arguments[:-1], False)
        close(quick[0], states)
        assert [a.shape for a in quick[1:]] == [(0, N, D), (0, N, 4 * D)]
        x, weight_ih = projected[:, :, :2].copy(), weight[:, -2:].copy()
        product = np.einsum("tbi,ji->tbj", x, weight_ih)
        fused = module.fused_forward(x, weight_ih, *arguments[1:])
        for got, want in zip(fused, module.forward(product, *arguments[1:]), strict=True):
            close(got, want)
        dprojected, dh0, dc0 = module.backward(dy, cells, gates, weight, drop, lengths, reverse)
        dbias = dprojected.sum((0, 1))
        found = {0: dprojected, 1: dbias, 2: by_weight(dprojected, states, reverse), 3: dh0, 4: dc0}
        check_slope(module.forward, arguments, found, dy)


def gru(module):
    for number, (lengths, reverse, dropped) in enumerate(KINDS):
        projected, bias_ih, weight, bias_hh, h0, drop, dy = drawn(
            *(number, (STEPS, N, 3 * D), 3 * D, (3 * D, D), 3 * D, (N, D), (STEPS, N, D)),
            (STEPS + 1, N, D),
        )
        drop, lengths = drop if dropped else None, np.array(lengths)
        arguments = projected, bias_ih, weight, bias_hh, h0, drop, lengths, reverse, True
        states, gates = module.forward(*arguments)
        assert states.shape == (STEPS + 1, N, D)
        for b in range(N):
            h = list(h0[b])
            close(states[STEPS if reverse else 0, b], h)
            for slot in resting(lengths[b]) if reverse else ():
                close(states[slot, b], h)
            for t, before, after in walk(lengths[b], reverse):
                close(states[before, b], h)
                x = (projected[t, b] + bias_ih).reshape(3, D)
                product = sums(0, 0, 3, np.zeros((1, 1, 3 * D)), bias_hh, weight, h)
                r, z = ([sigmoid(x[k, j] + product[k][j]) for j in range(D)] for k in (0, 1))
                new = [math.tanh(x[2, j] + r[j] * product[2][j]) for j in range(D)]
                factor = drop[t, b] if dropped else [1] * D
                h = [(1 - z[j]) * new[j] * factor[j] + z[j] * h[j] for j in range(D)]
                close(states[after, b], h)
                close(gates[t, b], [*r, *z, *new, *product[2]])
            for slot in () if reverse else resting(lengths[b]):
                close(states[slot, b], h)
            close(gates[lengths[b] :, b], 0)
        quick = module.forward(*arguments[:-1], False)
        close(quick[0], states)
        assert quick[1].shape == (0, N, 4 * D)
        dprojected, dhidden, dh0 = module.backward(
            dy, states, gates, weight, drop, lengths, reverse
        )
        biases = dprojected.sum((0, 1)), dhidden.sum((0, 1))
        dweight = by_weight(dhidden, states, reverse)
        found = {0: dprojected, 1: biases[0], 2: dweight, 3: biases[1], 4: dh0}
        check_slope(module.forward, arguments, found, dy)


def rnn(module):
    for number, (lengths, reverse, relu) in enumerate(KINDS):
        projected, bias, weight, h0, dy = drawn(
            number, (STEPS, N, D), D, (D, D), (N, D), (STEPS + 1, N, D)
        )
        lengths = np.array(lengths)
        arguments = projected, bias, weight, h0, relu, lengths, reverse
        states = module.forward(*arguments)
        for b in range(N):
            h = list(h0[b])
            close(states[STEPS if reverse else 0, b], h)
            for slot in resting(lengths[b]) if reverse else ():
                close(states[slot, b], h)
            for t, before, after in walk(lengths[b], reverse):
                close(states[before, b], h)
                (a,) = sums(t, b, 1, projected, bias, weight, h)
                h = [max(v, 0) if relu else math.tanh(v) for v in a]
                close(states[after, b], h)
            for slot in () if reverse else resting(lengths[b]):
                close(states[slot, b], h)
        dprojected, dh0 = module.backward(dy, states, weight, relu, lengths, reverse)
        dbias, dweight = dprojected.sum((0, 1)), by_weight(dprojected, states, reverse)
        found = {0: dprojected, 1: dbias, 2: dweight, 3: dh0}
        check_slope(module.forward, arguments, found, dy)


def normalized(v, gain, shift):
    """Layer normalization of a list, with the standard deviation's inverse and what was scaled."""
    mean = sum(v) / D
    inv_std = (sum((x - mean) ** 2 for x in v) / D + 1e-12) ** -0.5
    hat = [(x - mean) * inv_std for x in v]
    return [gain[j] * hat[j] + shift[j] for j in range(D)], hat, inv_std


ACTIVATIONS = {"tanh": math.tanh, "relu": lambda v: max(v, 0.0), "sigmoid": sigmoid}


def plain_step(a, c, forget_bias, activation, norm, factor):
    """One step of the cell as its paper has it: (h, c, gates, hats, inv_std), in plain numbers."""
    act = ACTIVATIONS[activation]
    hats, inv_std = [[0] * D] * 5, [0] * 5
    if norm is not None:
        scaled = [normalized(a[k], norm[0][k], norm[1][k]) for k in range(4)]
        a, hats, inv_std = (list(part) for part in zip(*scaled, strict=True))
    i, o = ([sigmoid(v) for v in a[k]] for k in (0, 3))
    g, f = [act(v) for v in a[1]], [sigmoid(v + forget_bias) for v in a[2]]
    c = [c[j] * f[j] + i[j] * g[j] * factor[j] for j in range(D)]
    if norm is not None:
        c, hat, inv = normalized(c, norm[0][4], norm[1][4])
        hats, inv_std = [*hats, hat], [*inv_std, inv]
    y = [act(v) for v in c]
    return [y[j] * o[j] for j in range(D)], c, [i, g, f, o, y], hats, inv_std


LAYER_NORM_KINDS = [  # lengths, whether candidates are dropped, whether there is a norm, activation
    ([2, 3], True, True, "tanh"),
    ([3, 3], False, True, "sigmoid"),
    ([1, 3], False, True, "relu"),
    ([3, 2], True, False, "tanh"),
]


def layer_norm_lstm(module):
    for number, (lengths, dropped, norm, activation) in enumerate(LAYER_NORM_KINDS):
        projected, bias, weight, gain, shift, h0, c0, drop, dy = drawn(
            *(number + 20, (STEPS, N, 4 * D), 4 * D, (4 * D, D), (5, D), (5, D), (N, D), (N, D)),
            *((STEPS, N, D), (STEPS + 2, N, D)),
        )
        drop, lengths = drop if dropped else None, np.array(lengths)
        gain, shift = (gain, shift) if norm else (None, None)
        rest = drop, lengths, 0.7, activation
        arguments = projected, bias, weight, gain, shift, h0, c0, *rest, True
        states, cells, gates, hats, inv_std = module.layer_norm_forward(*arguments)
        for b in range(N):
            h, c = list(h0[b]), list(c0[b])
            for t in range(lengths[b]):
                close([states[t, b], cells[t, b]], [h, c])
                a = sums(t, b, 4, projected, bias, weight, h)
                scale = (gain, shift) if norm else None
                factor = drop[t, b] if dropped else [1] * D
                h, c, *kept = plain_step(a, c, 0.7, activation, scale, factor)
                for got, want in zip((gates, hats, inv_std), kept, strict=True):
                    close(got[t, b], want)
            for slot in resting(lengths[b]):
                close([states[slot, b], cells[slot, b]], [h, c])
            close(states[-1, b], c)
            for kept in (gates, hats, inv_std):
                close(kept[lengths[b] :, b], 0)
        quick = module.layer_norm_forward(*arguments[:-1], False)
        close(quick[0], states)
        assert [len(a) for a in quick[1:]] == [0] * 4
        kept = cells, gates, hats, inv_std
        rest = weight, gain, drop, lengths, activation
        dprojected, dgain, dshift, dh0, dc0 = module.layer_norm_backward(dy, *kept, *rest)
        dbias, dweight = dprojected.sum((0, 1)), by_weight(dprojected, states, False)
        found = {0: dprojected, 1: dbias, 2: dweight, 3: dgain, 4: dshift, 5: dh0, 6: dc0}
        if not norm:
            close([found.pop(3), found.pop(4)], 0)
        check_slope(module.layer_norm_forward, arguments, found, dy)


ORACLES = {"gru": [gru], "lstm": [lstm, layer_norm_lstm], "rnn": [rnn]}
