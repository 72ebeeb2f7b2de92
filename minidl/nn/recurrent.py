"""Recurrent layers: RNN, GRU and LSTM, several layers deep, in one direction or both."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    check_floating,
    check_range,
    check_size,
    check_sizes,
    expected,
)
from minidl.nn import init
from minidl.nn.module import Module, Parameter

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Recurrent(Module):
    """What RNN, GRU and LSTM share: layers, directions, batches of sequences; abstract.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameters of the first layer, (gates *
        hidden_size, ...); l1, l2, ... those of the layers above, whose inputs are all outputs of
        the layer below, and ..._reverse those of the other direction
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h0",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        rng: np.random.Generator | None,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        check_sizes(op, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_range(op, "dropout", dropout, 0.0, 1.0)
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{op}: dropout stands between layers, and there is one layer: nothing is dropped",
                stacklevel=3,
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, dropout
        self.bidirectional, self.rng = bidirectional, rng
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            for suffix in self.suffixes(layer):
                new = new_parameters(self.gates, inputs, hidden_size, bias, rng)
                for name, parameter in new.items():
                    setattr(self, name + suffix, parameter)

    def suffixes(self, layer: int) -> list[str]:
        """Return how the names of a layer's parameters end, for each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"][: 1 + self.bidirectional]

    def run(self, x: Tensor, arrays: dict[str, Any], lengths: Any, reverse: bool) -> Any:
        """Return (output, h_n, ...) of one layer in one direction; subclasses define it.

        `arrays` holds the initial states, both weights and both biases (or None), by name.
        """
        raise NotImplementedError(f"{type(self).__name__}.run: write this method")

    def weights(self, suffix: str) -> dict[str, Parameter | None]:
        """Return both weights and both biases (or None) of one layer in one direction."""
        return {name: getattr(self, name + suffix) for name in NAMES}

    def forward(self, x: Tensor, hx: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        """Run over whole sequences.

        Parameters
        ----------
        x : (steps, n, input_size), (n, steps, input_size) with batch_first, or (steps, input_size)
        hx : the initial state, (num_layers * directions, n, hidden_size), for LSTM a pair (h0, c0)
            of them; without n where x is unbatched; zeros when None
        lengths : (n,) integers, the length of each sequence in a right-padded batch, in any order;
            None where all are whole

        Returns
        -------
        output : h of the last layer at every step, both directions side by side, laid out as x;
            0 behind the end of a sequence
        h_n : the state after the last step of each sequence (in the reverse direction its first),
            laid out as hx; for LSTM the pair (h_n, c_n)
        """
        op = type(self).__name__
        x, batched = self._time_major(x)
        first = self._initial(hx, x, batched)
        if lengths is not None and not batched:
            raise ArgumentError(expected(op, "no lengths for a single sequence", "lengths"))
        last: list[list[Tensor]] = [[] for _ in self.states]
        for layer in range(self.num_layers):
            outputs = []
            for reverse, suffix in enumerate(self.suffixes(layer)):
                number = len(last[0])
                states = {name: state[number] for name, state in first.items()}
                arrays = {**states, **self.weights(suffix)}
                output, *ends = self.run(x, arrays, lengths, bool(reverse))
                outputs.append(output)
                for kept, end in zip(last, ends, strict=True):
                    kept.append(end)
            x = outputs[0] if len(outputs) == 1 else F.concatenate(outputs, axis=2)
            if layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training, rng=self.rng)
        ends = [F.stack(kept) for kept in last]
        if not batched:
            x, ends = x[:, 0], [end[:, 0] for end in ends]
        elif self.batch_first:
            x = x.transpose(1, 0, 2)
        return x, ends[0] if len(ends) == 1 else tuple(ends)

    def _time_major(self, x: Tensor) -> tuple[Tensor, bool]:
        """Return x as (steps, n, input_size), and whether it has a batch axis."""
        op = type(self).__name__
        check_floating(op, "x", x)
        axes = "(n, steps, d)" if self.batch_first else "(steps, n, d)"
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            wanted = f"x of shape {axes} or (steps, d) with d = {self.input_size}"
            raise ShapeError(expected(op, wanted, x.shape))
        if x.ndim == 2:
            return x.unsqueeze(1), False
        return (x.transpose(1, 0, 2) if self.batch_first else x), True

    def _initial(self, hx: Any, x: Tensor, batched: bool) -> dict[str, Tensor]:
        """Return the initial states by name, each (num_layers * directions, n, hidden_size)."""
        shape: tuple[int, ...] = (self.num_layers * (1 + self.bidirectional), x.shape[1])
        shape = (*shape, self.hidden_size) if batched else (shape[0], self.hidden_size)
        states = initial_states(type(self).__name__, self.states, hx, shape, x.dtype)
        if batched:
            return states
        return {name: state.unsqueeze(1) for name, state in states.items()}

    def extra_repr(self) -> str:
        """Return the options."""
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        for name, default in {**defaults, "bidirectional": False}.items():
            value = getattr(self, name)
            text += f", {name}={value}" if value != default else ""
        return text


def initial_states(
    op: str, names: tuple[str, ...], given: Any, shape: tuple[int, ...], dtype: np.dtype
) -> dict[str, Tensor]:
    """Return the states by name: those given (one, or a tuple of several), or zeros for None."""
    if given is None:
        return dict.fromkeys(names, Tensor(np.zeros(shape, dtype)))
    given = given if len(names) > 1 else (given,)
    if not isinstance(given, tuple | list) or len(given) != len(names):
        wanted = f"hx as a tuple ({', '.join(names)})"
        raise DTypeError(expected(op, wanted, type(given).__name__))
    for name, state in zip(names, given, strict=True):
        check_floating(op, name, state)
        check_size(op, name, state.shape, shape)
    return dict(zip(names, given, strict=True))


def new_parameters(
    gates: int, inputs: int, hidden: int, bias: bool, rng: np.random.Generator | None
) -> dict[str, Any]:
    """Draw the parameters of one layer in one direction, U(-1/sqrt(hidden), 1/sqrt(hidden))."""
    rows = gates * hidden
    shapes = ((rows, inputs), (rows, hidden), (rows,), (rows,))
    return {
        name: Parameter(init.default(shape, hidden, rng)) if bias or len(shape) > 1 else None
        for name, shape in zip(NAMES, shapes, strict=True)
    }


class RNN(Recurrent):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), f = tanh or relu.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
    nonlinearity : "tanh" or "relu"
    bias : whether there are bias_ih and bias_hh
    batch_first : whether x and output are (n, steps, d) instead of (steps, n, d)
    dropout : probability with which outputs are dropped between layers, in training
    bidirectional : whether a second set of weights walks each sequence from its end
    rng : where weights and masks are drawn; the library's generator when None

    References
    ----------
    Elman 1990; Schuster & Paliwal 1997 (both directions).
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        check_nonlinearity("RNN", nonlinearity)
        options = bias, batch_first, dropout, bidirectional, rng
        super().__init__(input_size, hidden_size, num_layers, *options)
        self.nonlinearity = nonlinearity

    def run(self, x: Tensor, arrays: dict[str, Any], lengths: Any, reverse: bool) -> Any:
        """One layer in one direction."""
        options = {"nonlinearity": self.nonlinearity, "lengths": lengths, "reverse": reverse}
        return F.rnn(x, **arrays, **options)


class GRU(Recurrent):
    """h' = (1 - z) n + z h,  n = tanh(W_in x + b_in + r (W_hn h + b_hn)); see functional.gru.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
    bias : whether there are bias_ih and bias_hh
    batch_first : whether x and output are (n, steps, d) instead of (steps, n, d)
    dropout : probability with which outputs are dropped between layers, in training
    bidirectional : whether a second set of weights walks each sequence from its end
    recurrent_dropout : probability with which candidates n are dropped, in training
    rng : where weights and masks are drawn; the library's generator when None

    References
    ----------
    Cho et al. 2014; Semeniuta, Severyn & Barth 2016 (recurrent dropout).
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        recurrent_dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        options = bias, batch_first, dropout, bidirectional, rng
        super().__init__(input_size, hidden_size, num_layers, *options)
        check_range("GRU", "recurrent_dropout", recurrent_dropout, 0.0, 1.0)
        self.recurrent_dropout = recurrent_dropout

    def run(self, x: Tensor, arrays: dict[str, Any], lengths: Any, reverse: bool) -> Any:
        """One layer in one direction."""
        p = self.recurrent_dropout if self.training else 0.0
        options = {"lengths": lengths, "reverse": reverse}
        return F.gru(x, **arrays, **options, recurrent_dropout=p, rng=self.rng)


class LSTM(Recurrent):
    """c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c'); see functional.lstm.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
    bias : whether there are bias_ih and bias_hh
    batch_first : whether x and output are (n, steps, d) instead of (steps, n, d)
    dropout : probability with which outputs are dropped between layers, in training
    bidirectional : whether a second set of weights walks each sequence from its end
    recurrent_dropout : probability with which candidates tanh(g) are dropped, in training
    rng : where weights and masks are drawn; the library's generator when None

    Examples
    --------
    >>> lstm = LSTM(3, 5, rng=np.random.default_rng(0))
    >>> output, (h_n, c_n) = lstm(Tensor(np.zeros((7, 2, 3), np.float32)), lengths=[7, 4])
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (1, 2, 5), (1, 2, 5))

    References
    ----------
    Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000; Semeniuta, Severyn & Barth
    2016 (recurrent dropout).
    """

    gates = 4
    states = ("h0", "c0")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        recurrent_dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        options = bias, batch_first, dropout, bidirectional, rng
        super().__init__(input_size, hidden_size, num_layers, *options)
        check_range("LSTM", "recurrent_dropout", recurrent_dropout, 0.0, 1.0)
        self.recurrent_dropout = recurrent_dropout

    def run(self, x: Tensor, arrays: dict[str, Any], lengths: Any, reverse: bool) -> Any:
        """One layer in one direction."""
        p = self.recurrent_dropout if self.training else 0.0
        options = {"lengths": lengths, "reverse": reverse}
        return F.lstm(x, **arrays, **options, recurrent_dropout=p, rng=self.rng)


def check_nonlinearity(op: str, nonlinearity: str) -> None:
    """Raise ArgumentError unless it is tanh or relu."""
    if nonlinearity not in ("tanh", "relu"):
        raise ArgumentError(expected(op, 'nonlinearity "tanh" or "relu"', repr(nonlinearity)))
