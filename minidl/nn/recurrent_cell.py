"""One time step of a recurrent layer, for loops of one's own."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import (
    ShapeError,
    check_floating,
    check_range,
    check_sizes,
    expected,
)
from minidl.nn.module import Module
from minidl.nn.recurrent import NAMES, check_nonlinearity, initial_states, new_parameters


class RecurrentCell(Module):
    """What RNNCell, GRUCell and LSTMCell share; abstract.

    Attributes
    ----------
    weight_ih : (gates * hidden_size, input_size);  weight_hh : (gates * hidden_size, hidden_size)
    bias_ih, bias_hh : (gates * hidden_size,) or None
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h0",)

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, rng: np.random.Generator | None
    ) -> None:
        super().__init__()
        check_sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias, self.rng = input_size, hidden_size, bias, rng
        new = new_parameters(self.gates, input_size, hidden_size, bias, rng)
        for name, parameter in new.items():
            setattr(self, name, parameter)

    def step(self, x: Tensor, arrays: dict[str, Any]) -> tuple[Tensor, ...]:
        """Return the states after one step of a batch; subclasses define it.

        `arrays` holds the states before, both weights and both biases (or None), by name.
        """
        raise NotImplementedError(f"{type(self).__name__}.step: write this method")

    def take_step(self, x: Tensor, hx: Any) -> tuple[Tensor, ...]:
        """Return the states after one step of (n, input_size), or of one (input_size,)."""
        op = type(self).__name__
        check_floating(op, "x", x)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            wanted = f"x of shape (n, {self.input_size}) or ({self.input_size},)"
            raise ShapeError(expected(op, wanted, x.shape))
        shape = (*x.shape[:-1], self.hidden_size)
        states = initial_states(op, self.states, hx, shape, x.dtype)
        weights = {name: getattr(self, name) for name in NAMES}
        if x.ndim == 2:
            return self.step(x.unsqueeze(0), {**states, **weights})
        rows = {name: state.unsqueeze(0) for name, state in states.items()}
        ends = self.step(x.reshape(1, 1, -1), {**rows, **weights})
        return tuple(end[0] for end in ends)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(RecurrentCell):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), f = tanh or relu.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : whether there are bias_ih and bias_hh
    nonlinearity : "tanh" or "relu"
    rng : where weights are drawn; the library's generator when None
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        rng: np.random.Generator | None = None,
    ) -> None:
        check_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, rng)
        self.nonlinearity = nonlinearity

    def step(self, x: Tensor, arrays: dict[str, Any]) -> tuple[Tensor, ...]:
        """One step of a batch."""
        return F.rnn(x, **arrays, nonlinearity=self.nonlinearity)[1:]

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        """(n, input_size) and h (n, hidden_size), zeros when None, to the next h."""
        return self.take_step(x, hx)[0]


class GRUCell(RecurrentCell):
    """h' = (1 - z) n + z h,  n = tanh(W_in x + b_in + r (W_hn h + b_hn)); see functional.gru.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : whether there are bias_ih and bias_hh
    recurrent_dropout : probability with which candidates n are dropped, in training
    rng : where weights and masks are drawn; the library's generator when None
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        recurrent_dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, rng)
        check_range("GRUCell", "recurrent_dropout", recurrent_dropout, 0.0, 1.0)
        self.recurrent_dropout = recurrent_dropout

    def step(self, x: Tensor, arrays: dict[str, Any]) -> tuple[Tensor, ...]:
        """One step of a batch."""
        p = self.recurrent_dropout if self.training else 0.0
        return F.gru(x, **arrays, recurrent_dropout=p, rng=self.rng)[1:]

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        """(n, input_size) and h (n, hidden_size), zeros when None, to the next h."""
        return self.take_step(x, hx)[0]


class LSTMCell(RecurrentCell):
    """c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c'); see functional.lstm.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : whether there are bias_ih and bias_hh
    recurrent_dropout : probability with which candidates tanh(g) are dropped, in training
    rng : where weights and masks are drawn; the library's generator when None
    """

    gates = 4
    states = ("h0", "c0")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        recurrent_dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, rng)
        check_range("LSTMCell", "recurrent_dropout", recurrent_dropout, 0.0, 1.0)
        self.recurrent_dropout = recurrent_dropout

    def step(self, x: Tensor, arrays: dict[str, Any]) -> tuple[Tensor, ...]:
        """One step of a batch."""
        p = self.recurrent_dropout if self.training else 0.0
        return F.lstm(x, **arrays, recurrent_dropout=p, rng=self.rng)[1:]

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """(n, input_size) and (h, c), each (n, hidden_size), zeros when None, to the next ones."""
        h, c = self.take_step(x, hx)
        return h, c
