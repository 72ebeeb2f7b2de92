"""Calls of the recurrent kernels, drawn at random; `calls` lists them with the others."""

import numpy as np
from fuzz.drawing import EDGES, Given, near, normal
from hypothesis import strategies as st

WORK = 300_000


@st.composite
def walks(draw):
    """Sizes, and who takes part in which step: (steps, n, d, masked, dropped, reverse, keep)."""
    steps, n = draw(st.integers(1, 4)), draw(near(6, 12, 14, 28))
    d = draw(near(*EDGES, 256).filter(lambda d: steps * n * 4 * d * d <= WORK or n <= 2))
    return steps, draw(st.sampled_from([n, n, n, 0])), d, *(draw(st.booleans()) for _ in range(4))


def drawn(rng, dtype, walk, gates=4):
    """Projected inputs, bias, weights and states; factors; lengths."""
    steps, n, d, masked, dropped, *_ = walk
    shapes = (steps, n, gates * d), (gates * d,), (gates * d, d), (n, d), (n, d)
    arrays = [normal(rng, dtype, *shape) for shape in shapes]
    arrays[2] /= dtype(d**0.5)
    drop = (rng.random((steps, n, d)) < 0.7) / dtype(0.7) if dropped else None
    lengths = rng.integers(1, steps + 1, n) if masked else np.full(n, steps)
    return arrays, None if drop is None else Given(drop.astype(dtype)), lengths


@st.composite
def lstms(draw):
    walk = draw(walks())
    steps, n, d, *_, reverse, keep = walk

    def calls(rng, dtype):
        arrays, drop, lengths = drawn(rng, dtype, walk)
        arguments = *arrays, drop, lengths, reverse
        yield "forward", (*arguments, keep)
        x, weight_ih = normal(rng, dtype, steps, n, d + 2), normal(rng, dtype, 4 * d, d + 2)
        yield "fused_forward", (x, weight_ih, *arguments[1:], keep)
        (_, _, weight, *_), (_, cells, gates) = yield "forward", (*arguments, True)
        dstates = normal(rng, dtype, steps + 2, n, d)
        kept = Given(cells), Given(gates), Given(weight)
        yield "backward", (dstates, *kept, drop, lengths, reverse)

    return calls


@st.composite
def grus(draw):
    walk = draw(walks())
    steps, n, d, *_, reverse, keep = walk

    def calls(rng, dtype):
        (projected, bias, weight, h0, _), drop, lengths = drawn(rng, dtype, walk, gates=3)
        arguments = projected, bias, weight, bias[::-1].copy(), h0, drop, lengths, reverse
        yield "forward", (*arguments, keep)
        (_, _, weight, *_), kept = yield "forward", (*arguments, True)
        kept = (Given(array) for array in (*kept, weight))
        dstates = normal(rng, dtype, steps + 1, n, d)
        yield "backward", (dstates, *kept, drop, lengths, reverse)

    return calls


@st.composite
def normalized(draw):
    """Numbers stay as they are: what is divided by a standard deviation of 0 is all rounding."""
    walk, activation = draw(walks()), draw(st.sampled_from(["tanh", "relu", "sigmoid"]))
    steps, n, d, *_, norm, keep = walk

    def calls(rng, dtype):
        arrays, drop, lengths = drawn(rng, dtype, walk)
        gain, shift = (Given(normal(rng, dtype, 5, d)) if norm else None for _ in range(2))
        projected, bias, weight, h0, c0 = (Given(array) for array in arrays)
        rest = gain, shift, h0, c0, drop, lengths, 0.7, activation
        yield "layer_norm_forward", (projected, bias, weight, *rest, keep)
        call = projected, bias, weight, *rest, True
        _, (_, *kept) = yield "layer_norm_forward", call
        dstates = Given(normal(rng, dtype, steps + 2, n, d))
        kept = (Given(array) for array in kept)
        yield "layer_norm_backward", (dstates, *kept, weight, gain, drop, lengths, activation)

    return calls


RECURRENT = {"gru": {"any": grus()}, "lstm": {"plain": lstms(), "normalized": normalized()}}
