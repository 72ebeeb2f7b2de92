"""Weight normalization: the formulas of the paper, layers taken apart and put together again."""

import copy

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, optim
from minidl.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(37)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_the_papers_formulas(rng, dim):
    """w = g v / ||v|| and both gradients, one slice at a time; dv is orthogonal to v."""
    v, dw = rng.normal(size=(2, 3, 4))
    g = rng.normal(size=[1, 4] if dim else [3, 1])
    tensors = Tensor(v, requires_grad=True), Tensor(g, requires_grad=True)
    w = F.weight_norm(*tensors, dim=dim)
    w.backward(dw)
    for i in range(g.size):
        at = (slice(None), i) if dim else i
        norm = sum(v[at] ** 2) ** 0.5
        np.testing.assert_allclose(w.data[at], g.flat[i] / norm * v[at], rtol=1e-12)
        dg = dw[at] @ v[at] / norm
        np.testing.assert_allclose(tensors[1].grad.flat[i], dg, rtol=1e-12)
        dv = g.flat[i] / norm * dw[at] - g.flat[i] * dg / norm**2 * v[at]
        np.testing.assert_allclose(tensors[0].grad[at], dv, rtol=1e-12)
        assert abs(tensors[0].grad[at] @ v[at]) < 1e-12


def test_tiny_and_huge_directions():
    for scale in (1e-30, 1e30):
        v = np.array([[3.0, 4.0]], np.float32) * np.float32(scale)
        w = F.weight_norm(Tensor(v), Tensor(np.ones((1, 1), np.float32))).data
        np.testing.assert_allclose(w, [[0.6, 0.8]], rtol=1e-6)


LAYERS = [(lambda: nn.Linear(4, 3), (5, 4)), (lambda: nn.Conv2d(2, 3, 3), (2, 2, 5, 4))]


@pytest.mark.parametrize(("make", "shape"), LAYERS)
@pytest.mark.parametrize("dim", [0, 1, None])
def test_a_layer_computes_what_it_computed(rng, make, shape, dim):
    layer = make().double()
    x = Tensor(rng.normal(size=shape))
    before, weight = layer(x).data, layer.weight.data.copy()
    assert nn.weight_norm(layer, dim=dim) is layer
    np.testing.assert_allclose(layer(x).data, before, rtol=1e-12)
    assert list(layer.state_dict()) == ["bias", "weight_g", "weight_v"]
    assert [name for name, _ in layer.named_parameters()] == ["bias", "weight_g", "weight_v"]
    sizes = [n if dim == i else 1 for i, n in enumerate(weight.shape)]
    assert layer.weight_g.shape == (() if dim is None else tuple(sizes))
    assert nn.remove_weight_norm(layer) is layer
    np.testing.assert_allclose(layer.weight.data, weight, rtol=1e-12)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert len(layer.forward_pre_hooks) == 0
    np.testing.assert_allclose(layer(x).data, before, rtol=1e-12)


def test_what_is_learned_is_the_length_and_the_direction(rng):
    """A step with the length frozen leaves the norms of all rows as they were."""
    layer = nn.weight_norm(nn.Linear(4, 3).double())
    optimizer = optim.SGD([layer.weight_v, layer.bias], lr=0.3)
    x, upstream = Tensor(rng.normal(size=(5, 4))), rng.normal(size=(5, 3))
    norms = np.linalg.norm(layer.weight.data, axis=1)
    before = layer.weight.data.copy()
    layer(x).backward(upstream)
    assert layer.weight_g.grad.shape == (3, 1)
    optimizer.step()
    layer(x)
    np.testing.assert_allclose(np.linalg.norm(layer.weight.data, axis=1), norms, rtol=1e-12)
    assert np.abs(layer.weight.data - before).max() > 1e-3
    assert (np.linalg.norm(layer.weight_v.data, axis=1) > norms).all()


def test_copies_types_and_states(rng):
    layer = nn.weight_norm(nn.Linear(4, 3))
    x = Tensor(rng.normal(size=(5, 4)).astype(np.float32))
    layer(x)
    other = copy.deepcopy(layer)
    other.weight_g.data = other.weight_g.data * 2
    wanted = 2 * (layer(x).data - layer.bias.data) + layer.bias.data
    np.testing.assert_allclose(other(x).data, wanted, rtol=1e-5, atol=1e-6)
    layer.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(layer(x).data, other(x).data)
    assert layer.double()(x.astype(np.float64)).dtype == np.float64


def test_two_weights_of_one_layer(rng):
    cell = nn.LSTM(3, 2).double()
    x = Tensor(rng.normal(size=(4, 1, 3)))
    before = cell(x)[0].data
    for name in ("weight_ih_l0", "weight_hh_l0"):
        nn.weight_norm(cell, name)
    np.testing.assert_allclose(cell(x)[0].data, before, rtol=1e-12)
    nn.remove_weight_norm(cell, "weight_ih_l0")
    assert "weight_hh_l0_g" in cell.state_dict()
    np.testing.assert_allclose(cell(x)[0].data, before, rtol=1e-12)


def test_names_of_the_other_form():
    state = {
        "0.bias": 1,
        "0.parametrizations.weight.original0": 2,
        "0.parametrizations.weight.original1": 3,
        "parametrizations.weight_ih.original1": 4,
        "1.weight": 5,
    }
    assert nn.weight_norm_state(state) == {
        "0.bias": 1,
        "0.weight_g": 2,
        "0.weight_v": 3,
        "weight_ih_v": 4,
        "1.weight": 5,
    }


def test_initialization_from_data(rng):
    """Every layer's results have mean 0 and standard deviation 1 on the batch it was shown."""
    minidl.manual_seed(3)
    model = nn.Sequential(
        nn.weight_norm(nn.Conv2d(2, 3, 3)),
        nn.ReLU(),
        nn.Flatten(),
        nn.weight_norm(nn.Linear(36, 5)),
        nn.Tanh(),
        nn.Linear(5, 2),
    ).double()
    x = Tensor(rng.normal(size=(50, 2, 5, 6)) * 3 + 2)
    plain = model[5].state_dict()
    nn.init_weight_norm(model, x)
    seen = []
    for layer in (model[0], model[3]):
        layer.register_forward_hook(lambda module, inputs, y: seen.append(y.data))
    model(x)
    for y in seen:
        rows = np.moveaxis(y, 1, 0).reshape(y.shape[1], -1)
        np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-12)
        np.testing.assert_allclose(rows.std(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model[5].weight.data, plain["weight"])


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ArgumentError, "a Parameter 'w' in Linear, got none", (nn.weight_norm, "w")),
        (ArgumentError, "dim as an axis of 2", (nn.weight_norm, "weight", 2)),
        (ArgumentError, "weight normalization of 'weight'", (nn.remove_weight_norm,)),
    ],
)
def test_bad_layers(kind, says, call):
    function, *arguments = call
    layer = nn.Linear(3, 2)
    with pytest.raises(kind, match=f"{function.__name__}: expected .*{says}"):
        function(layer, *arguments)
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_twice_is_refused():
    layer = nn.weight_norm(nn.Linear(3, 2))
    with pytest.raises(ArgumentError, match="a Parameter 'weight' in Linear, got one already"):
        nn.weight_norm(layer)


def test_a_direction_of_zeros_is_refused():
    layer = nn.Linear(3, 2)
    layer.weight.data[1] = 0
    with pytest.raises(ArgumentError, match="vectors v of which none is all 0"):
        nn.weight_norm(layer)
    assert isinstance(layer.weight, nn.Parameter)


ONES = Tensor(np.ones((3, 2)))


@pytest.mark.parametrize(
    ("kind", "says", "arguments"),
    [
        (DTypeError, "v of a floating type", (Tensor(np.ones((3, 2), int)), ONES)),
        (DTypeError, "g as a Tensor", (ONES, 1.0)),
        (ShapeError, r"g of shape \(3, 1\), got \(3, 2\)", (ONES, ONES)),
        (ShapeError, r"g of shape \(\), got \(3, 2\)", (ONES, ONES, None)),
        (ArgumentError, "dim as an axis of 2, or None for one length in all", (ONES, ONES, "0")),
    ],
)
def test_bad_input(kind, says, arguments):
    with pytest.raises(kind, match=f"weight_norm: expected {says}"):
        F.weight_norm(*arguments)


@pytest.mark.parametrize(
    ("says", "model", "x"),
    [
        ("a model with weight-normalized layers", lambda: nn.Linear(3, 2), np.ones((4, 3))),
        ("that have a bias", lambda: nn.weight_norm(nn.Linear(3, 2, bias=False)), np.eye(3)),
        ("along dim 0", lambda: nn.weight_norm(nn.Linear(3, 2), dim=None), np.eye(3)),
        ("features that differ", lambda: nn.weight_norm(nn.Linear(3, 2)), np.ones((4, 3))),
    ],
)
def test_bad_initialization(says, model, x):
    with pytest.raises(ArgumentError, match=f"init_weight_norm: expected .*{says}"):
        nn.init_weight_norm(model().double(), Tensor(x))
