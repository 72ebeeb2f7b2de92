"""Inputs for the kernels of recurrent layers, as kernel_cases has them for the others."""

import numpy as np

SIZES = [
    # steps, n, d
    (3, 2, 5),
    (1, 1, 1),
    (5, 7, 8),
    (4, 13, 19),
    (2, 3, 64),
    (3, 33, 70),
    (2, 0, 4),
]


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def sequences(rng, dtype):
    """(steps, n, d, candidates' factors or None, lengths, reverse) of every kind."""
    for number, (steps, n, d) in enumerate(SIZES):
        for masked in (False, True):
            reverse = masked == (number % 2 == 0)
            lengths = rng.integers(1, steps + 1, n) if masked else np.full(n, steps)
            drop = None
            if number % 3:
                drop = (rng.random((steps, n, d)) < 0.7).astype(dtype) / dtype(0.7)
            yield steps, n, d, drop, lengths, reverse


def lstm(rng, dtype):
    for steps, n, d, drop, lengths, reverse in sequences(rng, dtype):
        weight_hh = normal(rng, dtype, 4 * d, d) / dtype(d**0.5)
        projected, bias = 2 * normal(rng, dtype, steps, n, 4 * d), normal(rng, dtype, 4 * d)
        h0, c0 = normal(rng, dtype, n, d), normal(rng, dtype, n, d)
        x, weight_ih = normal(rng, dtype, steps, n, 3), normal(rng, dtype, 4 * d, 3)
        for keep in (True, False):
            rest = bias, weight_hh, h0, c0, drop, lengths, reverse, keep
            yield "forward", (projected, *rest)
            yield "fused_forward", (x, weight_ih, *rest)
        gates = np.tanh(normal(rng, dtype, steps, n, 4 * d))
        cells = normal(rng, dtype, steps + 1, n, d)
        dstates = normal(rng, dtype, steps + 2, n, d)
        yield "backward", (dstates, cells, gates, weight_hh, drop, lengths, reverse)


def gru(rng, dtype):
    for steps, n, d, drop, lengths, reverse in sequences(rng, dtype):
        weight_hh = normal(rng, dtype, 3 * d, d) / dtype(d**0.5)
        projected = 2 * normal(rng, dtype, steps, n, 3 * d)
        biases = normal(rng, dtype, 3 * d), normal(rng, dtype, 3 * d)
        h0 = normal(rng, dtype, n, d)
        for keep in (True, False):
            rest = h0, drop, lengths, reverse, keep
            yield "forward", (projected, biases[0], weight_hh, biases[1], *rest)
        gates = np.tanh(normal(rng, dtype, steps, n, 4 * d))
        states, dstates = (normal(rng, dtype, steps + 1, n, d) for _ in range(2))
        yield "backward", (dstates, states, gates, weight_hh, drop, lengths, reverse)


def rnn(rng, dtype):
    for steps, n, d, _, lengths, reverse in sequences(rng, dtype):
        weight_hh = normal(rng, dtype, d, d) / dtype(d**0.5)
        projected, bias = normal(rng, dtype, steps, n, d), normal(rng, dtype, d)
        states, dstates = (normal(rng, dtype, steps + 1, n, d) for _ in range(2))
        for relu in (False, True):
            yield "forward", (projected, bias, weight_hh, states[0], relu, lengths, reverse)
            yield "backward", (dstates, states, weight_hh, relu, lengths, reverse)


def layer_norm(rng, dtype):
    for number, (steps, n, d, drop, lengths, reverse) in enumerate(sequences(rng, dtype)):
        if reverse:
            continue
        activation = ("tanh", "relu", "sigmoid")[number % 3]
        gain, shift = (normal(rng, dtype, 5, d) for _ in range(2))
        if number % 7 == 0:
            gain = shift = None
        weight_hh = normal(rng, dtype, 4 * d, d) / dtype(d**0.5)
        projected, bias = 2 * normal(rng, dtype, steps, n, 4 * d), normal(rng, dtype, 4 * d)
        h0, c0 = normal(rng, dtype, n, d), normal(rng, dtype, n, d)
        for keep in (True, False):
            rest = gain, shift, h0, c0, drop, lengths, 0.7, activation, keep
            yield "layer_norm_forward", (projected, bias, weight_hh, *rest)
        gates, hats = (np.tanh(normal(rng, dtype, steps, n, 5, d)) for _ in range(2))
        cells, dstates = (normal(rng, dtype, steps + more, n, d) for more in (1, 2))
        inv_std = normal(rng, dtype, steps, n, 5)
        rest = weight_hh, gain, drop, lengths, activation
        yield "layer_norm_backward", (dstates, cells, gates, hats, inv_std, *rest)


def lstms(rng, dtype):
    yield from lstm(rng, dtype)
    yield from layer_norm(rng, dtype)


CASES = {"gru": gru, "lstm": lstms, "rnn": rnn}
