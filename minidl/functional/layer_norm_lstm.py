"""LSTM with layer normalization, one layer over a whole sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ArgumentError, check_floating, check_size, expected
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

ACTIVATIONS = ("tanh", "relu", "sigmoid")


class LayerNormLSTM(Function):
    """c' = LN(f c + i g),  h' = act(c') o, all steps."""

    def forward(
        self, x, h0, c0, weight_ih, weight_hh, gain, shift, bias, *, drop, lengths, forget, act
    ):
        """Return the states (steps + 2, n, d): h of every step, and the last c."""
        self.x, self.weight_ih, self.weight_hh = without_padding(x, lengths), weight_ih, weight_hh
        self.gain, self.options = gain, (drop, lengths)
        self.act = act
        self.states, *self.kept = backend.call(
            "lstm",
            "layer_norm_forward",
            project(self.x, weight_ih),
            bias_or_zero(bias, weight_ih),
            *(weight_hh, gain, shift, h0, c0),
            *self.options,
            *(forget, act, any(self.needs)),
        )
        return self.states

    def backward(self, grad):
        """Return the gradients of x, h0, c0, both weights, gain, shift and bias."""
        da, dgain, dshift, dh0, dc0 = backend.call(
            "lstm",
            "layer_norm_backward",
            grad,
            *self.kept,
            *(self.weight_hh, self.gain),
            *self.options,
            self.act,
        )
        h, needs = before(self.states, len(da), False), self.needs
        dx, dweight_ih, dbias = project_back(
            da, self.x, self.weight_ih, needs[0], needs[3], needs[7]
        )
        _, dweight_hh, _ = project_back(da, h, self.weight_hh, False, needs[4], False)
        dgain, dshift = (d if n else None for d, n in zip((dgain, dshift), needs[5:7], strict=True))
        return dx, dh0, dc0, dweight_ih, dweight_hh, dgain, dshift, dbias


def layer_norm_lstm(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    gain: Tensor | None = None,
    shift: Tensor | None = None,
    bias: Tensor | None = None,
    forget_bias: float = 1.0,
    activation: str = "tanh",
    lengths: Any = None,
    recurrent_dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """c' = LN(sigmoid(LN(f) + forget_bias) c + sigmoid(LN(i)) drop(act(LN(g)))) over a sequence.

    h' = act(c') sigmoid(LN(o)),  i, g, f, o = x weight_ih^T + h weight_hh^T + bias. Each LN has its
    own gain and shift and epsilon 1e-12; the normalized c is carried to the next step.

    Parameters
    ----------
    x : (steps, n, inputs) float
    h0, c0 : (n, d)
    weight_ih : (4 d, inputs);  weight_hh : (4 d, d), gates in the order i, g, f, o
    gain, shift : (5, d), of i, g, f, o and c; None, both, where nothing is normalized
    bias : (4 d,) or None
    forget_bias : added to the forget gate after its normalization
    activation : "tanh", "relu" or "sigmoid", of the candidate and of c
    lengths : (n,) integers from 1 to steps, the length of each sequence; None where all are whole
    recurrent_dropout : probability that a candidate is dropped, in [0, 1]; the others / (1 - p)
    rng : where the mask's 64-bit seed is drawn; the library's generator when None

    Returns
    -------
    output : (steps, n, d), h after every step, 0 behind the end of a sequence
    h_n, c_n : (n, d), h and c after the last step of each sequence

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        naming the array that does not fit, lengths outside 1 to steps, another activation

    References
    ----------
    Ba, Kiros & Hinton 2016; Semeniuta, Severyn & Barth 2016; TensorFlow's LayerNormBasicLSTMCell.
    """
    op = "layer_norm_lstm"
    check_activation(op, activation)
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh}
    lengths = check_sequence(op, x, {"h0": h0, "c0": c0}, weights, {"bias": bias}, 4, lengths)
    if (gain is None) != (shift is None):
        raise ArgumentError(expected(op, "both gain and shift, or neither", "one of them"))
    for name, vector in {"gain": gain, "shift": shift}.items():
        if vector is not None:
            check_floating(op, name, vector)
            hint = "a row for each of i, g, f, o and c"
            check_size(op, name, vector.shape, (5, h0.shape[1]), hint)
    states = LayerNormLSTM.apply(
        *(x, h0, c0, weight_ih, weight_hh, gain, shift, bias),
        drop=drop_factors(op, recurrent_dropout, x, h0.shape[1], rng),
        lengths=lengths,
        forget=float(forget_bias),
        act=activation,
    )
    return *outputs(states, x, lengths, False), states[len(x) + 1]


def check_activation(op: str, activation: str) -> None:
    """Raise ArgumentError unless it is one of ACTIVATIONS."""
    if activation not in ACTIVATIONS:
        wanted = f"activation among {', '.join(ACTIVATIONS)}"
        raise ArgumentError(expected(op, wanted, repr(activation)))
