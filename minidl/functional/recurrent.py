"""What all recurrent layers share, and the plain recurrent layer.

Each function here and beside it is one layer in one direction over a whole sequence, time-major:
one product gives the inputs' share of the gates for all steps, a kernel walks the steps, and
backward again takes the gradients of the inputs and weights in one product each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import backend, random
from minidl.autograd import Function
from minidl.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    check_floating,
    check_range,
    check_rank,
    check_size,
    expected,
)

if TYPE_CHECKING:
    from minidl.tensor import Tensor


class Outputs(Function):
    """h after every step, from the states of a kernel: 0 in the steps an example does not take."""

    def forward(self, states, *, lengths, steps, reverse):
        """Return (steps, n, d): a view where every example takes every step."""
        self.shape, self.first = states.shape, 0 if reverse else 1
        self.rests = None if lengths.min(initial=steps) == steps else resting(lengths, steps)
        outputs = states[self.first : self.first + steps]
        return outputs if self.rests is None else np.where(self.rests, 0, outputs)

    def backward(self, grad):
        """Return the gradient in its slots, 0 in the others."""
        dstates = np.empty(self.shape, grad.dtype)
        last = self.first + len(grad)
        dstates[: self.first] = dstates[last:] = 0
        dstates[self.first : last] = grad if self.rests is None else np.where(self.rests, 0, grad)
        return dstates


def resting(lengths: np.ndarray, steps: int) -> np.ndarray:
    """Return where examples rest, their sequences being over: bool (steps, n, 1)."""
    return (np.arange(steps)[:, None] >= lengths)[:, :, None]


def without_padding(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return x with zeros behind the end of each sequence: what stands there may be anything."""
    if lengths.min(initial=len(x)) == len(x):
        return x
    return np.where(resting(lengths, len(x)), 0, x)


def rows(x: np.ndarray) -> np.ndarray:
    """Return (steps, n, d) as a matrix (steps n, d)."""
    return x.reshape(-1, x.shape[-1])


def project(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return x weight^T of all steps, in one product."""
    y = backend.call("linear", "forward", rows(x), weight, None, False)
    return y.reshape(*x.shape[:2], len(weight))


def project_back(da: Any, x: np.ndarray, weight: np.ndarray, *needs: bool) -> tuple[Any, Any, Any]:
    """Return the gradients of x, weight and a bias, None where `needs` says so, from that of a."""
    wanted = (True, True, True) if backend.brought("linear") else needs
    found = backend.call("linear", "backward", rows(da), rows(x), weight, None, wanted)
    dx, dweight, dbias = (grad if need else None for grad, need in zip(found, needs, strict=True))
    return None if dx is None else dx.reshape(x.shape), dweight, dbias


def before(states: np.ndarray, steps: int, reverse: bool) -> np.ndarray:
    """Return h before each step."""
    return states[1 : steps + 1] if reverse else states[:steps]


def bias_or_zero(bias: np.ndarray | None, weight: np.ndarray) -> np.ndarray:
    """Return the bias, or zeros where there is none."""
    return np.zeros(len(weight), weight.dtype) if bias is None else bias


class RNN(Function):
    """h' = f(x W_ih^T + b_ih + h W_hh^T + b_hh), all steps."""

    def forward(self, x, h0, weight_ih, weight_hh, bias_ih, bias_hh, *, relu, lengths, reverse):
        """Return the states (steps + 1, n, d)."""
        self.x, self.weight_ih, self.weight_hh = without_padding(x, lengths), weight_ih, weight_hh
        self.options = relu, lengths, reverse
        bias = bias_or_zero(bias_ih, weight_ih) + bias_or_zero(bias_hh, weight_hh)
        projected = project(self.x, weight_ih)
        self.states = backend.call(
            "rnn", "forward", projected, bias, weight_hh, h0, relu, lengths, reverse
        )
        return self.states

    def backward(self, grad):
        """Return the gradients of x, h0, both weights and both biases."""
        da, dh0 = backend.call("rnn", "backward", grad, self.states, self.weight_hh, *self.options)
        h, needs = before(self.states, len(da), self.options[-1]), self.needs
        dx, dweight_ih, dbias = project_back(
            da, self.x, self.weight_ih, needs[0], needs[2], needs[4] or needs[5]
        )
        _, dweight_hh, _ = project_back(da, h, self.weight_hh, False, needs[3], False)
        return dx, dh0, dweight_ih, dweight_hh, *(dbias if n else None for n in needs[4:])


def rnn(
    x: Tensor,
    h0: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    nonlinearity: str = "tanh",
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """h' = f(x weight_ih^T + bias_ih + h weight_hh^T + bias_hh) over a sequence, one layer.

    Parameters
    ----------
    x : (steps, n, inputs) float
    h0 : (n, d)
    weight_ih : (d, inputs);  weight_hh : (d, d)
    bias_ih, bias_hh : (d,) or None
    nonlinearity : "tanh" or "relu"
    lengths : (n,) integers from 1 to steps, the length of each sequence; None where all are whole
    reverse : whether time runs backwards, from each sequence's own end

    Returns
    -------
    output : (steps, n, d), h after every step, 0 behind the end of a sequence
    h_n : (n, d), h after the last step of each sequence

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        naming the array that does not fit, lengths outside 1 to steps, another nonlinearity

    References
    ----------
    Elman 1990.
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ArgumentError(expected("rnn", '"tanh" or "relu"', repr(nonlinearity)))
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh}
    biases = {"bias_ih": bias_ih, "bias_hh": bias_hh}
    lengths = check_sequence("rnn", x, {"h0": h0}, weights, biases, 1, lengths)
    relu = nonlinearity == "relu"
    states = RNN.apply(
        x, h0, weight_ih, weight_hh, bias_ih, bias_hh, relu=relu, lengths=lengths, reverse=reverse
    )
    return outputs(states, x, lengths, reverse)


def outputs(states: Tensor, x: Tensor, lengths: np.ndarray, reverse: bool) -> tuple[Tensor, Tensor]:
    """Return (h after every step, h after each sequence's last step) from a kernel's states."""
    steps = len(x)
    output = Outputs.apply(states, lengths=lengths, steps=steps, reverse=reverse)
    return output, states[0 if reverse else steps]


def check_sequence(
    op: str,
    x: Any,
    states: dict[str, Any],
    weights: dict[str, Any],
    biases: dict[str, Any],
    gates: int,
    lengths: Any,
) -> np.ndarray:
    """Raise the error that says what does not fit; return the lengths as an array."""
    floating = {"x": x, **states, **weights, **biases}
    for name, array in floating.items():
        if array is not None or name not in biases:
            check_floating(op, name, array)
    check_rank(op, "x", x.shape, "steps n inputs", "one time step has an axis of its own")
    steps, n, inputs = x.shape
    if steps == 0:
        raise ShapeError(expected(op, "at least one time step", x.shape))
    first = next(iter(states.values()))
    check_rank(op, next(iter(states)), first.shape, "n d")
    d = first.shape[1]
    for name, array in states.items():
        check_size(op, name, array.shape, (n, d), "one state for each example of the batch")
    for (name, array), width in zip(weights.items(), (inputs, d), strict=True):
        check_size(op, name, array.shape, (gates * d, width), "build the layer with these sizes")
    for name, array in biases.items():
        if array is not None:
            check_size(op, name, array.shape, (gates * d,))
    return check_lengths(op, lengths, steps, n)


def check_lengths(op: str, lengths: Any, steps: int, n: int) -> np.ndarray:
    """Return lengths as int64 (n,), `steps` for all where they are None."""
    if lengths is None:
        return np.full(n, steps)
    lengths = np.asarray(lengths)
    if lengths.dtype.kind not in "iu" and lengths.size:
        raise DTypeError(expected(op, "lengths as integers", lengths.dtype))
    check_size(op, "lengths", lengths.shape, (n,), "one for each example of the batch")
    if lengths.min(initial=1) < 1 or lengths.max(initial=1) > steps:
        got = f"{lengths.min()} to {lengths.max()}"
        hint = "leave empty sequences out of the batch"
        raise ArgumentError(expected(op, f"lengths from 1 to {steps}, x's time steps", got, hint))
    return lengths.astype(np.int64)


def drop_factors(
    op: str, p: float, x: Any, d: int, rng: np.random.Generator | None
) -> np.ndarray | None:
    """Return what recurrent dropout multiplies candidates with, (steps, n, d); None for p = 0."""
    check_range(op, "recurrent_dropout", p, 0.0, 1.0)
    if p == 0:
        return None
    seed = int(random.generator(rng).integers(2**64, dtype=np.uint64))
    keep = backend.call("dropout", "mask", (*x.shape[:2], d), seed, float(p))
    return keep.astype(x.dtype) / x.dtype.type(1 - p if p < 1 else 1)
