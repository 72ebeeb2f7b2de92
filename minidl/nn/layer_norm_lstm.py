"""LSTM with layer normalization and recurrent dropout: the cell, and the layer over sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ShapeError, check_floating, check_range, check_sizes, expected
from minidl.functional.layer_norm_lstm import check_activation
from minidl.nn.module import Module, Parameter
from minidl.nn.recurrent import initial_states, new_parameters

STATES = ("h0", "c0")


class LayerNormRecurrent(Module):
    """What the cell and the layer share; abstract.

    Attributes
    ----------
    weight_ih : (4 * hidden_size, input_size);  weight_hh : (4 * hidden_size, hidden_size), gates in
        the order i, g, f, o
    gain, shift : (5, hidden_size), of i, g, f, o and c, or None
    bias : (4 * hidden_size,), or None
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget_bias: float,
        activation: str,
        layer_norm: bool,
        norm_gain: float,
        norm_shift: float,
        dropout_keep_prob: float,
        dropout_prob_seed: int | None,
        rng: np.random.Generator | None,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        check_sizes(op, input_size=input_size, hidden_size=hidden_size)
        check_activation(op, activation)
        check_range(op, "dropout_keep_prob", dropout_keep_prob, 0.0, 1.0)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.forget_bias, self.activation, self.layer_norm = forget_bias, activation, layer_norm
        self.dropout_keep_prob = dropout_keep_prob
        self.rng = rng if dropout_prob_seed is None else np.random.default_rng(dropout_prob_seed)
        new = new_parameters(4, input_size, hidden_size, not layer_norm, rng)
        self.weight_ih, self.weight_hh = new["weight_ih"], new["weight_hh"]
        self.gain = self.shift = self.bias = None
        if layer_norm:
            self.gain = Parameter(np.full((5, hidden_size), norm_gain, np.float32))
            self.shift = Parameter(np.full((5, hidden_size), norm_shift, np.float32))
        else:
            self.bias = new["bias_ih"]

    def run(self, x: Tensor, hx: Any, lengths: Any = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return (output, h_n, c_n) of sequences (steps, n, input_size)."""
        shape = (x.shape[1], self.hidden_size)
        states = initial_states(type(self).__name__, STATES, hx, shape, x.dtype)
        return F.layer_norm_lstm(
            x,
            **states,
            weight_ih=self.weight_ih,
            weight_hh=self.weight_hh,
            gain=self.gain,
            shift=self.shift,
            bias=self.bias,
            forget_bias=self.forget_bias,
            activation=self.activation,
            lengths=lengths,
            recurrent_dropout=1 - self.dropout_keep_prob if self.training else 0.0,
            rng=self.rng,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.input_size}, {self.hidden_size}, forget_bias={self.forget_bias}, "
            f"activation={self.activation}, layer_norm={self.layer_norm}, "
            f"dropout_keep_prob={self.dropout_keep_prob}"
        )


class LayerNormLSTMCell(LayerNormRecurrent):
    """c' = LN(sigmoid(LN(f) + forget_bias) c + sigmoid(LN(i)) drop(act(LN(g)))), one step.

    h' = act(c') sigmoid(LN(o)),  i, g, f, o = W_ih x + W_hh h. A layer norm for each gate and for
    the new state, epsilon 1e-12; the normalized c is carried. Recurrent dropout drops candidates,
    never the memory.

    Parameters
    ----------
    input_size, hidden_size : int
    forget_bias : added to the forget gate after its normalization
    activation : "tanh", "relu" or "sigmoid", of the candidate and of c
    layer_norm : whether gates and state are normalized; where not, the gates have a bias
    norm_gain, norm_shift : what gain and shift start with
    dropout_keep_prob : share of the candidates kept in training; 1 drops nothing
    dropout_prob_seed : seed of the masks; `rng` draws them when None
    rng : where weights and masks are drawn; the library's generator when None

    References
    ----------
    Ba, Kiros & Hinton 2016; Semeniuta, Severyn & Barth 2016; the arrangement is that of
    TensorFlow's LayerNormBasicLSTMCell.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget_bias: float = 1.0,
        activation: str = "tanh",
        layer_norm: bool = True,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        dropout_keep_prob: float = 1.0,
        dropout_prob_seed: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            forget_bias,
            activation,
            layer_norm,
            norm_gain,
            norm_shift,
            dropout_keep_prob,
            dropout_prob_seed,
            rng,
        )

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """(n, input_size) and (h, c), each (n, hidden_size), zeros when None, to the next ones."""
        check_floating("LayerNormLSTMCell", "x", x)
        if x.ndim != 2 or x.shape[-1] != self.input_size:
            wanted = f"x of shape (n, {self.input_size})"
            raise ShapeError(expected("LayerNormLSTMCell", wanted, x.shape))
        _, h, c = self.run(x.unsqueeze(0), hx)
        return h, c


class LayerNormLSTM(LayerNormRecurrent):
    """LayerNormLSTMCell over whole sequences.

    Parameters
    ----------
    input_size, hidden_size : int
    forget_bias : added to the forget gate after its normalization
    activation : "tanh", "relu" or "sigmoid", of the candidate and of c
    layer_norm : whether gates and state are normalized; where not, the gates have a bias
    norm_gain, norm_shift : what gain and shift start with
    dropout_keep_prob : share of the candidates kept in training; 1 drops nothing
    dropout_prob_seed : seed of the masks; `rng` draws them when None
    batch_first : whether x and output are (n, steps, d) instead of (steps, n, d)
    rng : where weights and masks are drawn; the library's generator when None

    References
    ----------
    Ba, Kiros & Hinton 2016; Semeniuta, Severyn & Barth 2016; the arrangement is that of
    TensorFlow's LayerNormBasicLSTMCell.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget_bias: float = 1.0,
        activation: str = "tanh",
        layer_norm: bool = True,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        dropout_keep_prob: float = 1.0,
        dropout_prob_seed: int | None = None,
        batch_first: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            forget_bias,
            activation,
            layer_norm,
            norm_gain,
            norm_shift,
            dropout_keep_prob,
            dropout_prob_seed,
            rng,
        )
        self.batch_first = batch_first

    def forward(
        self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None, lengths: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over whole sequences.

        Parameters
        ----------
        x : (steps, n, input_size), or (n, steps, input_size) with batch_first
        hx : the initial (h0, c0), each (n, hidden_size); zeros when None
        lengths : (n,) integers, the length of each sequence; None where all are whole

        Returns
        -------
        output : h after every step, laid out as x; 0 behind the end of a sequence
        (h_n, c_n) : the state after the last step of each sequence, each (n, hidden_size)
        """
        op = type(self).__name__
        check_floating(op, "x", x)
        if x.ndim != 3 or x.shape[-1] != self.input_size:
            axes = "n, steps" if self.batch_first else "steps, n"
            raise ShapeError(expected(op, f"x of shape ({axes}, {self.input_size})", x.shape))
        if self.batch_first:
            x = x.transpose(1, 0, 2)
        output, *last = self.run(x, hx, lengths)
        return output.transpose(1, 0, 2) if self.batch_first else output, (last[0], last[1])
