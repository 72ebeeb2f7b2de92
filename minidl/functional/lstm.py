"""Long short-term memory, one layer in one direction over a whole sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.functional.recurrent import (
    before,
    bias_or_zero,
    check_sequence,
    drop_factors,
    outputs,
    project,
    project_back,
    without_padding,
)

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class LSTM(Function):
    """c' = f c + i g,  h' = o tanh(c'), all steps."""

    def forward(self, x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, *, drop, lengths, reverse):
        """Return the states (steps + 2, n, d): h of every step, and the last c."""
        self.x, self.weight_ih, self.weight_hh = without_padding(x, lengths), weight_ih, weight_hh
        self.options = drop, lengths, reverse
        bias = bias_or_zero(bias_ih, weight_ih) + bias_or_zero(bias_hh, weight_hh)
        rest = bias, weight_hh, h0, c0, *self.options, any(self.needs)
        if backend.brought("lstm") or backend.brought("linear"):
            found = backend.call("lstm", "forward", project(self.x, weight_ih), *rest)
        else:
            found = backend.call("lstm", "fused_forward", self.x, weight_ih, *rest)
        self.states, self.cells, self.gates = found
        return self.states

    def backward(self, grad):
        """Return the gradients of x, h0, c0, both weights and both biases."""
        da, dh0, dc0 = backend.call(
            "lstm", "backward", grad, self.cells, self.gates, self.weight_hh, *self.options
        )
        h, needs = before(self.states, len(da), self.options[-1]), self.needs
        dx, dweight_ih, dbias = project_back(
            da, self.x, self.weight_ih, needs[0], needs[3], needs[5] or needs[6]
        )
        _, dweight_hh, _ = project_back(da, h, self.weight_hh, False, needs[4], False)
        return dx, dh0, dc0, dweight_ih, dweight_hh, *(dbias if n else None for n in needs[5:])


def lstm(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    lengths: Any = None,
    reverse: bool = False,
    recurrent_dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c') over a sequence.

    i, f, g, o = x weight_ih^T + bias_ih + h weight_hh^T + bias_hh; the forget gate keeps the
    memory, so errors flow through c undamped where it is open. Recurrent dropout multiplies the
    candidate tanh(g), never the memory itself.

    Parameters
    ----------
    x : (steps, n, inputs) float
    h0, c0 : (n, d)
    weight_ih : (4 d, inputs);  weight_hh : (4 d, d), gates in the order i, f, g, o
    bias_ih, bias_hh : (4 d,) or None
    lengths : (n,) integers from 1 to steps, the length of each sequence; None where all are whole
    reverse : whether time runs backwards, from each sequence's own end
    recurrent_dropout : probability that a candidate is dropped, in [0, 1]; the others / (1 - p)
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    output : (steps, n, d), h after every step, 0 behind the end of a sequence
    h_n, c_n : (n, d), h and c after the last step of each sequence

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        naming the array that does not fit, or lengths outside 1 to steps

    References
    ----------
    Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000; Semeniuta, Severyn & Barth
    2016, section 3.2.
    """
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh}
    biases = {"bias_ih": bias_ih, "bias_hh": bias_hh}
    lengths = check_sequence("lstm", x, {"h0": h0, "c0": c0}, weights, biases, 4, lengths)
    states = LSTM.apply(
        x,
        h0,
        c0,
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
        drop=drop_factors("lstm", recurrent_dropout, x, h0.shape[1], rng),
        lengths=lengths,
        reverse=reverse,
    )
    return *outputs(states, x, lengths, reverse), states[len(x) + 1]
