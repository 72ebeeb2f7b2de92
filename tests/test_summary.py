"""The summary table: its rows, its sums, and that it leaves the network as it was."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import nn
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.models import LeNet, ResNet


class Scaled(nn.Module):
    """A layer and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(np.ones((1, 3), np.float32))
        self.inner = nn.Linear(4, 3)

    def forward(self, x):
        return self.inner(x) * self.scale


def test_jupyter_gets_the_text_as_well(monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert "MaxPool2d" in repr(nn.summary(LeNet(), (2, 1, 28, 28)))


def test_rows_in_the_order_they_ran():
    found = nn.summary(LeNet(), (2, 1, 28, 28))
    assert [(r.path, r.layer, r.output_shape, r.parameters) for r in found.rows][:4] == [
        ("0", "Conv2d", (2, 6, 28, 28), 156),
        ("1", "ReLU", (2, 6, 28, 28), 0),
        ("2", "MaxPool2d", (2, 6, 14, 14), 0),
        ("3", "Conv2d", (2, 16, 10, 10), 2416),
    ]
    assert found.rows[-1].output_shape == (2, 10)
    assert found.parameters == found.trainable == sum(r.parameters for r in found.rows) == 61_706


def test_the_text():
    text = str(nn.summary(nn.Sequential(nn.Linear(1000, 20), nn.ReLU()), (3, 1000)))
    lines = [line.split() for line in text.splitlines()]
    assert ["│", "0", "│", "Linear", "│", "(3,", "20)", "│", "20,020", "│"] in lines
    assert "20,020 parameters, 20,020 trainable" in text
    assert "(model)" in repr(nn.summary(nn.ReLU(), (1, 2)))


def test_parameters_of_a_module_with_layers_inside_have_a_row():
    found = nn.summary(Scaled(), (2, 4))
    assert [(r.path, r.parameters) for r in found.rows] == [("inner", 15), ("(model)", 3)]
    assert found.parameters == 18


def test_shared_and_frozen_parameters():
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, layer, nn.Linear(3, 2))
    model[2].requires_grad_(False)
    found = nn.summary(model, (1, 3))
    assert [r.path for r in found.rows] == ["0", "0", "2"]
    assert (found.parameters, found.trainable) == (20, 12)


def test_the_network_is_left_as_it_was():
    model = ResNet(1, 3, (1, 1), (2, 4), drop_groups=(1,), keep_prob=0.5, block_size=2)
    model.groups[0].eval()
    model.fc.weight.grad = np.ones_like(model.fc.weight.data)
    state, modes = model.state_dict(), [m.training for m in model.modules()]
    nn.summary(model, (1, 1, 8, 8))
    assert [m.training for m in model.modules()] == modes
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[key], key)
    np.testing.assert_array_equal(model.fc.weight.grad, 1)
    assert not any(len(m.forward_hooks) for m in model.modules())


def test_a_shape_that_does_not_fit_is_named_and_leaves_nothing_behind():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout())
    with pytest.raises(ShapeError, match="linear: expected x of shape"):
        nn.summary(model, (1, 5))
    assert model.training
    assert not any(len(m.forward_hooks) for m in model.modules())
    assert model(Tensor(np.ones((1, 3), np.float32))).shape == (1, 4)


@pytest.mark.parametrize(
    ("model", "shape", "says"),
    [
        (nn.ReLU(), 3, r"input_shape as a tuple of sizes, got 3; with the batch axis"),
        (nn.ReLU(), "12", "input_shape as a tuple of sizes, got '12'"),
        (nn.ReLU(), (1, 2.5), r"input_shape\[1\] as an integer of at least 1, got 2.5"),
        (nn.ReLU(), (0, 3), r"input_shape\[0\] as an integer of at least 1, got 0"),
        ([nn.ReLU()], (1, 3), "a Module, got list"),
    ],
)
def test_bad_input(model, shape, says):
    with pytest.raises((DTypeError, ArgumentError), match=f"summary: expected {says}"):
        nn.summary(model, shape)
