"""Pictures of the inside: activations, gradients, filters, confusion, the tape, and paths."""

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, optim, viz
from minidl.errors import ArgumentError, ShapeError
from minidl.nn import Parameter


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, rng=rng), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4, rng=rng)
    )
    return model, rng.normal(size=(6, 1, 4, 4)).astype(np.float32), rng.integers(0, 4, 6)


def test_activations_are_the_layers_outputs(case):
    model, x, _ = case
    found = viz.activations(model, x)
    assert list(found) == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(found["1"], np.maximum(found["0"], 0))
    np.testing.assert_array_equal(found["3"], model(Tensor(x)).data)
    assert not any(module.has_hooks() for module in model.modules())


def test_histograms_count_every_value(case):
    model, x, labels = case
    figure = viz.activation_histograms(model, x, bins=7)
    for panel, (name, values) in zip(figure.axes, viz.activations(model, x).items(), strict=False):
        assert panel.get_title(loc="left") == name
        assert sum(bar.get_height() for bar in panel.patches) == values.size
    model[0].weight.grad = kept = np.ones_like(model[0].weight.data)
    figure = viz.gradient_histograms(model, x, labels)
    titles = [panel.get_title(loc="left") for panel in figure.axes if panel.get_visible()]
    assert titles == [name for name, _ in model.named_parameters()]
    assert model[0].weight.grad is kept


def test_what_is_not_finite_is_told():
    figure = viz.activation_histograms(nn.Sequential(nn.Identity()), np.array([[np.nan, 1.0, 2.0]]))
    assert "1 not finite" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize(("channels", "pictures"), [(1, 5), (3, 5), (2, 10)])
def test_first_filters(channels, pictures):
    figure = viz.first_filters(nn.Sequential(nn.ReLU(), nn.Conv2d(channels, 5, 3)))
    assert sum(len(panel.images) for panel in figure.axes) == pictures
    assert "5 filters of 3x3" in figure._suptitle.get_text()


def test_confusion_matrix_counts():
    figure = viz.confusion_matrix([0, 0, 1, 2, 2], [0, 1, 1, 2, 0], ["a", "b", "c"])
    axes = figure.axes[0]
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "1", (1, 0): "1", (1, 1): "1", (2, 2): "1", (0, 2): "1"}
    assert axes.get_title(loc="left") == "60.0% right of 5"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]


def test_graph_has_a_node_for_each_operation_and_leaf():
    x, w, b = (Parameter(np.ones((2, 2))) for _ in range(3))
    result = ((x @ w + b) * (x @ w)).sum()
    axes = viz.computation_graph(result, {"w": w, "b": b}).axes[0]
    labels = [text.get_text() for text in axes.texts if text.get_text()]
    names = sorted(label.split("\n")[0] for label in labels)
    assert names == sorted(["MatMul", "MatMul", "Add", "Mul", "Sum", "w", "b", "leaf"])
    rows = {text.get_text(): -text.get_position()[1] for text in axes.texts if text.get_text()}
    assert rows["Add\n2x2"] < rows["Mul\n2x2"] < rows["Sum\nscalar"]
    arrows = [text for text in axes.texts if not text.get_text()]
    assert len(arrows) == 2 + 2 + 2 + 2 + 1


def test_path_is_what_the_optimizer_does():
    path = viz.optimizer_path(viz.BOWL, lambda p: optim.SGD(p, lr=0.01), steps=5, start=(2.0, 1.0))
    wanted = [(2 * 0.99**i, 0.5**i) for i in range(6)]
    np.testing.assert_allclose(path, wanted, rtol=1e-12)


@pytest.mark.parametrize("surface", viz.SURFACES, ids=lambda s: s.name)
def test_minima_of_the_surfaces(surface):
    for minimum in surface.minima:
        x, y = (Parameter(np.array(v, np.float64)) for v in minimum)
        value = surface.f(x, y)
        value.backward()
        np.testing.assert_allclose([value.item(), x.grad, y.grad], 0, atol=1e-12)


def test_saddle_holds_plain_descent_and_not_adam():
    slow = viz.optimizer_path(viz.SADDLE, lambda p: optim.SGD(p, lr=0.01), 100)
    fast = viz.optimizer_path(viz.SADDLE, lambda p: optim.Adam(p, lr=0.01), 100)
    assert abs(slow[-1, 1]) < 0.05
    assert abs(fast[-1, 1]) > 0.5


def test_paths_side_by_side_end_where_they_leave_the_numbers():
    ways = {"wild": lambda p: optim.SGD(p, lr=10.0), "mild": lambda p: optim.SGD(p, lr=1e-3)}
    figure = viz.optimizer_paths([viz.ROSENBROCK, viz.BEALE, viz.SADDLE], ways, steps=30)
    assert [p.get_title(loc="left") for p in figure.axes[:3]] == ["Rosenbrock", "Beale", "Saddle"]
    assert [text.get_text() for text in figure.legends[0].texts] == ["wild", "mild"]
    assert viz.png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("kind", "says", "call"),
    [
        (ArgumentError, "a model with a convolution", lambda: viz.first_filters(nn.Linear(2, 2))),
        (ArgumentError, "a computed tensor", lambda: viz.computation_graph(Tensor([1.0]))),
        (
            ArgumentError,
            "1 to 8 optimizers, got 1 and 0",
            lambda: viz.optimizer_paths(viz.BEALE, {}),
        ),
        (ShapeError, "labels and predictions", lambda: viz.confusion_matrix([1, 2], [1])),
        (
            ArgumentError,
            "classes 0 to 1, got 2",
            lambda: viz.confusion_matrix([2], [1], ["a", "b"]),
        ),
        (
            ArgumentError,
            "steps as an integer",
            lambda: viz.optimizer_path(viz.BEALE, lambda p: optim.SGD(p), 0),
        ),
    ],
)
def test_bad_input(kind, says, call):
    with pytest.raises(kind, match=says):
        call()


def test_gradients_of_another_loss(case):
    model, x, _ = case
    figure = viz.gradient_histograms(model, x, np.zeros((6, 4), np.float32), F.mse_loss)
    assert len([panel for panel in figure.axes if panel.get_visible()]) == 4
