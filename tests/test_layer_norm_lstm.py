"""The layer-normalized LSTM against its formula, written out; dropout, padding, bad input."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.gradcheck import gradcheck

STEPS, N, INPUTS, D = 4, 3, 2, 5
ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
}


def rng(seed=0):
    return np.random.default_rng(seed)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def layer_norm(v, gain, shift):
    mean, var = v.mean(axis=1, keepdims=True), v.var(axis=1, keepdims=True)
    return gain * (v - mean) / np.sqrt(var + 1e-12) + shift


def reference(module, x, h, c, factors=None):
    """The cell of the original, step by step: concat [x, h] W, split, norm, gates, norm, output."""
    act, outputs = ACTIVATIONS[module.activation], []
    kernel = np.concatenate([module.weight_ih.data, module.weight_hh.data], axis=1).T
    for t in range(len(x)):
        joined = np.concatenate([x[t], h], axis=1) @ kernel
        if not module.layer_norm:
            joined = joined + module.bias.data
        i, j, f, o = np.split(joined, 4, axis=1)
        if module.layer_norm:
            gain, shift = module.gain.data, module.shift.data
            i, j, f, o = (layer_norm(v, gain[k], shift[k]) for k, v in enumerate((i, j, f, o)))
        g = act(j)
        if factors is not None:
            g = g * factors[t]
        c = c * sigmoid(f + module.forget_bias) + sigmoid(i) * g
        if module.layer_norm:
            c = layer_norm(c, gain[4], shift[4])
        h = act(c) * sigmoid(o)
        outputs.append(h)
    return np.stack(outputs), h, c


def module_of(kind, **options):
    """A module in float64 whose gains and shifts are not all alike."""
    module = kind(INPUTS, D, rng=rng(1), **options).double()
    for parameter in (module.gain, module.shift):
        if parameter is not None:
            parameter.data = parameter.data + 0.3 * rng(2).normal(size=parameter.shape)
    return module


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", [True, False])
def test_layer_and_cell_follow_the_formula(activation, norm):
    options = {"activation": activation, "layer_norm": norm, "forget_bias": 0.7}
    layer, cell = (module_of(kind, **options) for kind in (nn.LayerNormLSTM, nn.LayerNormLSTMCell))
    x, h0, c0 = (rng(3).normal(size=s) for s in [(STEPS, N, INPUTS), (N, D), (N, D)])
    wanted = reference(layer, x, h0, c0)
    output, (h_n, c_n) = layer(Tensor(x), (Tensor(h0), Tensor(c0)))
    for got, want in zip((output, h_n, c_n), wanted, strict=True):
        np.testing.assert_allclose(got.data, want, rtol=1e-10, atol=1e-12)
    state = Tensor(h0), Tensor(c0)
    for t in range(STEPS):
        state = cell(Tensor(x[t]), state)
    for got, want in zip(state, wanted[1:], strict=True):
        np.testing.assert_allclose(got.data, want, rtol=1e-10, atol=1e-12)
    zeros = np.zeros((N, D))
    np.testing.assert_allclose(layer(Tensor(x))[0].data, reference(layer, x, zeros, zeros)[0])


@pytest.mark.parametrize("norm", [True, False])
def test_gradients_of_all_parameters_match_differences(norm):
    layer = module_of(nn.LayerNormLSTM, layer_norm=norm)
    names = [name for name, _ in layer.named_parameters()]
    values = [p.data for p in layer.parameters()]

    def call(x, *parameters):
        for name, value in zip(names, parameters, strict=True):
            vars(layer)[name] = value
        output, (_, c_n) = layer(x)
        return F.concatenate([output, c_n.unsqueeze(0)])

    gradcheck(call, [rng(4).normal(size=(3, 2, INPUTS)), *values], seed=2)


def test_what_the_parameters_begin_with():
    layer = nn.LayerNormLSTM(INPUTS, D, norm_gain=0.3, norm_shift=-0.2)
    assert {name: p.shape for name, p in layer.named_parameters()} == {
        "weight_ih": (4 * D, INPUTS),
        "weight_hh": (4 * D, D),
        "gain": (5, D),
        "shift": (5, D),
    }
    assert (layer.gain.data == np.float32(0.3)).all()
    assert (layer.shift.data == np.float32(-0.2)).all()
    plain = nn.LayerNormLSTMCell(INPUTS, D, layer_norm=False)
    assert list(plain.state_dict()) == ["weight_ih", "weight_hh", "bias"]
    assert "layer_norm=False" in repr(plain)


def test_the_carried_c_is_normalized():
    layer = nn.LayerNormLSTM(INPUTS, 50, rng=rng(1)).double()
    _, (_, c_n) = layer(Tensor(rng(5).normal(size=(STEPS, N, INPUTS))))
    np.testing.assert_allclose(c_n.data.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(c_n.data.std(axis=1), 1, rtol=1e-6)


def test_the_scale_of_the_weights_does_not_matter():
    """LN(a W) = LN(W): what makes it stand a bad initialization."""
    layer, x = module_of(nn.LayerNormLSTM), Tensor(rng(6).normal(size=(STEPS, N, INPUTS)))
    before = layer(x)[0].data
    layer.weight_ih.data, layer.weight_hh.data = layer.weight_ih.data * 9, layer.weight_hh.data * 9
    np.testing.assert_allclose(layer(x)[0].data, before, rtol=1e-7, atol=1e-9)


def test_recurrent_dropout_is_seeded_and_for_training_alone():
    x = Tensor(rng(7).normal(size=(STEPS, N, INPUTS)))
    options = {"dropout_keep_prob": 0.6, "dropout_prob_seed": 5}
    first, again = (module_of(nn.LayerNormLSTM, **options) for _ in range(2))
    one = first(x)[0].data
    np.testing.assert_array_equal(again(x)[0].data, one)
    assert not np.allclose(first(x)[0].data, one)
    plain = module_of(nn.LayerNormLSTM)
    np.testing.assert_array_equal(first.eval()(x)[0].data, plain(x)[0].data)
    nothing = module_of(nn.LayerNormLSTM, dropout_keep_prob=0.0)
    zeros = np.zeros((N, D))
    wanted = reference(nothing, x.data, zeros, zeros, np.zeros((STEPS, N, D)))
    np.testing.assert_allclose(nothing(x)[0].data, wanted[0], rtol=1e-10, atol=1e-12)


def test_a_padded_batch_is_each_sequence_alone():
    lengths, layer = [3, 1, 4], module_of(nn.LayerNormLSTM, batch_first=True)
    values = rng(8).normal(size=(N, STEPS, INPUTS))
    for b, length in enumerate(lengths):
        values[b, length:] = np.inf
    output, (h_n, c_n) = layer(Tensor(values), lengths=lengths)
    for b, length in enumerate(lengths):
        alone, (h, c) = layer(Tensor(values[b : b + 1, :length]))
        np.testing.assert_allclose(output.data[b, :length], alone.data[0], rtol=1e-12)
        assert not output.data[b, length:].any()
        np.testing.assert_allclose(h_n.data[b], h.data[0], rtol=1e-12)
        np.testing.assert_allclose(c_n.data[b], c.data[0], rtol=1e-12)


def test_one_unit_and_equal_sums_are_finite():
    """A variance of zero: the normalized is 0, and gradients are finite."""
    for d in (1, 4):
        layer = nn.LayerNormLSTM(2, d, rng=rng())
        x = Tensor(np.zeros((3, 2, 2), np.float32), requires_grad=True)
        output, _ = layer(x)
        assert not output.data.any()
        output.backward(rng(9).normal(size=output.shape).astype(np.float32))
        assert np.isfinite(x.grad).all()


X = Tensor(np.zeros((STEPS, N, INPUTS)))
H = Tensor(np.zeros((N, D)))
W = Tensor(np.zeros((4 * D, INPUTS))), Tensor(np.zeros((4 * D, D)))
G = Tensor(np.zeros((5, D)))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: nn.LayerNormLSTM(0, D), ArgumentError, "LayerNormLSTM: expected input_size"),
        (lambda: nn.LayerNormLSTM(2, D, activation="elu"), ArgumentError, "tanh, relu, sigmoid"),
        (
            lambda: nn.LayerNormLSTMCell(2, D, dropout_keep_prob=1.1),
            ArgumentError,
            "LayerNormLSTMCell: expected dropout_keep_prob between",
        ),
        (lambda: nn.LayerNormLSTM(3, D)(X), ShapeError, r"x of shape \(steps, n, 3\)"),
        (lambda: nn.LayerNormLSTMCell(2, D)(X), ShapeError, r"x of shape \(n, 2\)"),
        (lambda: nn.LayerNormLSTM(2, D)(X, H), DTypeError, r"hx as a tuple \(h0, c0\)"),
        (lambda: F.layer_norm_lstm(X, H, H, *W, G), ArgumentError, "both gain and shift"),
        (lambda: F.layer_norm_lstm(X, H, H, *W, G, G[:4]), ShapeError, r"shift of shape \(5, 5\)"),
        (lambda: F.layer_norm_lstm(X, H, H, *W, activation="no"), ArgumentError, "activation"),
    ],
)
def test_bad_input_is_told(call, error, says):
    with pytest.raises(error, match=says):
        call()
