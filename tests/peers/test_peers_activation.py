"""The activations agree with PyTorch's, in value and gradient; layers under the same names."""

import numpy as np
import pytest
from peers.agreement import compare, normal

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn

pytestmark = pytest.mark.peers

CALLS = [
    ("relu", {}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": -0.3}),
    ("elu", {}),
    ("elu", {"alpha": 1.7}),
    ("selu", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("softplus", {}),
    ("softplus", {"beta": 2.5, "threshold": 3.0}),
    ("silu", {}),
    ("hardsigmoid", {}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -2.5, "max_val": 0.5}),
]
LAYERS = [
    ("LeakyReLU", {"negative_slope": 0.2}),
    ("ELU", {"alpha": 0.5}),
    ("SELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("Softplus", {"beta": 0.5, "threshold": 2.0}),
    ("SiLU", {}),
    ("Hardsigmoid", {}),
    ("Hardtanh", {"min_val": -0.5}),
]
NO_LIMIT = ("gelu", "silu")  # infinities give NaN in PyTorch, here the limits


def own_precision(name, dtype):
    """PyTorch's derivative of the hard sigmoid is 1/6 rounded to float32, in float64 too."""
    return "float32" if name.lower() == "hardsigmoid" else dtype


@pytest.mark.parametrize(("name", "options"), CALLS)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4, 5), (0, 3)], ids=str)
def test_activations(torch, name, options, shape, dtype):
    dtype = own_precision(name, dtype)
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    compare(
        torch,
        lambda x: ours(x, **options),
        lambda x: theirs(x, **options),
        [normal(*shape) * 4],
        dtype,
    )


@pytest.mark.parametrize("telling", ["numpy", "cython"], indirect=True)
@pytest.mark.parametrize(("name", "options"), CALLS[3:])
def test_kinks_extremes_and_nan(torch, name, options, telling, dtype):
    """0 and the borders of hard activations, values far out, infinities and NaN."""
    x = [0.0, -0.0, np.nan, 1e-6, -1e-6, 3, -3, 1, -1, -2.5, 0.5, 40, -40, 90, -90]
    x += [1e18, -1e18] if name in NO_LIMIT else [1e30, -1e30, np.inf, -np.inf]
    if name in ("elu", "selu", "celu"):
        # By the processor's instruction set PyTorch's gradient at NaN is NaN or the one upstream.
        x.remove(np.nan)
        nowhere = Tensor(np.full(20, np.nan, dtype), requires_grad=True)
        getattr(F, name)(nowhere, **options).backward(np.ones(20))
        assert np.isnan(nowhere.grad).all()
    dtype = own_precision(name, dtype)
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    compare(
        torch, lambda x: ours(x, **options), lambda x: theirs(x, **options), [np.array(x)], dtype
    )


@pytest.mark.parametrize("weights", [1, 4])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 3, 2), (0, 4, 2)], ids=str)
def test_prelu(torch, weights, shape, dtype):
    arrays = [normal(*shape), normal(weights)]
    compare(torch, F.prelu, torch.nn.functional.prelu, arrays, dtype)


def test_prelu_of_vectors(torch, dtype):
    for shape in [(5,), ()]:
        arrays = [np.asarray(normal(*shape)), normal(1)]
        compare(torch, F.prelu, torch.nn.functional.prelu, arrays, dtype)


def test_prelu_layer(torch):
    for options in ({}, {"num_parameters": 3, "init": 0.4}):
        mine, peer = nn.PReLU(**options), torch.nn.PReLU(**options)
        state, wanted = mine.state_dict(), peer.state_dict()
        assert list(state) == list(wanted)
        np.testing.assert_array_equal(state["weight"], wanted["weight"].numpy())
        compare(torch, mine, peer, [normal(2, 3, 4)], "float32")


@pytest.mark.parametrize(("name", "options"), LAYERS)
def test_layers(torch, name, options, dtype):
    mine, peer = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    compare(torch, mine, peer, [normal(3, 4) * 3], own_precision(name, dtype))


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_layers(torch, name, axis, dtype):
    mine, peer = getattr(nn, name)(axis), getattr(torch.nn, name)(axis)
    compare(torch, mine, peer, [normal(3, 4, 5) * 3], dtype)
