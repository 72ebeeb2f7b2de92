"""Gated recurrent units, one layer in one direction over a whole sequence."""

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


class GRU(Function):
    """h' = (1 - z) n + z h, all steps."""

    def forward(self, x, h0, weight_ih, weight_hh, bias_ih, bias_hh, *, drop, lengths, reverse):
        """Return the states (steps + 1, n, d)."""
        self.x, self.weight_ih, self.weight_hh = without_padding(x, lengths), weight_ih, weight_hh
        self.options = drop, lengths, reverse
        self.states, self.gates = backend.call(
            "gru",
            "forward",
            project(self.x, weight_ih),
            bias_or_zero(bias_ih, weight_ih),
            weight_hh,
            bias_or_zero(bias_hh, weight_hh),
            h0,
            *self.options,
            any(self.needs),
        )
        return self.states

    def backward(self, grad):
        """Return the gradients of x, h0, both weights and both biases."""
        da, dhidden, dh0 = backend.call(
            "gru", "backward", grad, self.states, self.gates, self.weight_hh, *self.options
        )
        h, needs = before(self.states, len(da), self.options[-1]), self.needs
        dx, dweight_ih, dbias_ih = project_back(
            da, self.x, self.weight_ih, needs[0], needs[2], needs[4]
        )
        _, dweight_hh, dbias_hh = project_back(
            dhidden, h, self.weight_hh, False, needs[3], needs[5]
        )
        return dx, dh0, dweight_ih, dweight_hh, dbias_ih, dbias_hh


def gru(
    x: Tensor,
    h0: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    lengths: Any = None,
    reverse: bool = False,
    recurrent_dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """h' = (1 - z) n + z h,  n = tanh(x_n + r h_n) over a sequence.

    r = sigmoid(x_r + h_r) and z = sigmoid(x_z + h_z), with x_r, x_z, x_n = x weight_ih^T + bias_ih
    and h_r, h_z, h_n = h weight_hh^T + bias_hh: r scales the product, its bias included, as in
    cuDNN and PyTorch (in the paper it scales h before the product).

    Parameters
    ----------
    x : (steps, n, inputs) float
    h0 : (n, d)
    weight_ih : (3 d, inputs);  weight_hh : (3 d, d), gates in the order r, z, n
    bias_ih, bias_hh : (3 d,) or None
    lengths : (n,) integers from 1 to steps, the length of each sequence; None where all are whole
    reverse : whether time runs backwards, from each sequence's own end
    recurrent_dropout : probability that a candidate n is dropped, in [0, 1]; the others / (1 - p)
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    output : (steps, n, d), h after every step, 0 behind the end of a sequence
    h_n : (n, d), h after the last step of each sequence

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        naming the array that does not fit, or lengths outside 1 to steps

    References
    ----------
    Cho et al. 2014, section 2.3; Semeniuta, Severyn & Barth 2016, section 3.2.
    """
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh}
    biases = {"bias_ih": bias_ih, "bias_hh": bias_hh}
    lengths = check_sequence("gru", x, {"h0": h0}, weights, biases, 3, lengths)
    states = GRU.apply(
        x,
        h0,
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
        drop=drop_factors("gru", recurrent_dropout, x, h0.shape[1], rng),
        lengths=lengths,
        reverse=reverse,
    )
    return outputs(states, x, lengths, reverse)
