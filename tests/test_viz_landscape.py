"""Loss landscapes: directions, lines, planes and smoothness measure what they say."""

import io

import numpy as np
import pytest
from rich.console import Console

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, viz
from minidl.errors import ArgumentError


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, rng=rng),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12, 4, rng=rng),
    )
    images = rng.normal(size=(6, 1, 4, 4)).astype(np.float32)
    return model, images, rng.integers(0, 4, 6)


def everything(model):
    return {k: v.copy() for k, v in model.state_dict().items()}


def assert_unchanged(model, before):
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key], key)


def test_direction_has_the_models_filter_norms(case):
    model = case[0]
    direction = viz.filter_normalized_direction(model, np.random.default_rng(0))
    for step, parameter in zip(direction, model.parameters(), strict=True):
        assert step.dtype == parameter.dtype
        if parameter.ndim < 2:
            np.testing.assert_array_equal(step, 0)
            continue
        for ours, theirs in zip(step, parameter.data, strict=True):
            np.testing.assert_allclose(np.linalg.norm(ours), np.linalg.norm(theirs), rtol=1e-5)


def test_line_is_the_loss_along_the_direction(case):
    model, images, labels = case
    before = everything(model)
    line = viz.loss_line(model, images, labels, reach=0.5, points=5, rng=np.random.default_rng(4))
    assert_unchanged(model, before)
    assert model.training
    np.testing.assert_allclose(line.alphas, [-0.5, -0.25, 0, 0.25, 0.5])
    direction = viz.filter_normalized_direction(model, np.random.default_rng(4))
    model.eval()
    for alpha, loss in zip(*line, strict=True):
        for parameter, step in zip(model.parameters(), direction, strict=True):
            parameter.data = parameter.data + np.float32(alpha) * step
        np.testing.assert_allclose(
            loss, F.cross_entropy(model(Tensor(images)), labels).item(), rtol=1e-5
        )
        model.load_state_dict(before)


def test_plane_holds_the_line_of_its_first_direction_and_shows_its_progress(case):
    model, images, labels = case
    console = Console(record=True, force_terminal=True, width=60, file=io.StringIO())
    plane = viz.loss_plane(
        model, images, labels, points=3, rng=np.random.default_rng(4), console=console
    )
    assert "loss surface" in console.export_text()
    assert plane.losses.shape == (3, 3)
    line = viz.loss_line(model, images, labels, points=3, rng=np.random.default_rng(4))
    np.testing.assert_allclose(plane.losses[1], line.losses, rtol=1e-6)
    assert np.ptp(plane.losses[:, 1]) > 1e-4


def test_model_is_put_back_after_an_error(case):
    model, images, labels = case
    before = everything(model)

    def broken(output, labels):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        viz.loss_line(model, images, labels, loss=broken)
    assert_unchanged(model, before)
    assert model.training


def test_smoothness_of_a_quadratic_is_its_curvature():
    """loss = c/2 |w|^2: the gradient changes by c times the way, and the loss falls as it must."""
    model = nn.Linear(3, 1, bias=False)
    start = model.weight.data.copy()
    c = 2.5
    found = viz.smoothness(
        model,
        np.zeros((1, 3), np.float32),
        None,
        [0.1, 0.3],
        lambda y, _: (model.weight * model.weight).sum() * (c / 2),
    )
    np.testing.assert_allclose(found.ratio, c, rtol=1e-5)
    square = float((start**2).sum())
    wanted = [c / 2 * square * (1 - rate * c) ** 2 for rate in (0.1, 0.3)]
    np.testing.assert_allclose(found.losses, wanted, rtol=1e-4)
    np.testing.assert_allclose(
        found.gradients, [c * r * c * square**0.5 for r in (0.1, 0.3)], rtol=1e-4
    )
    np.testing.assert_array_equal(model.weight.data, start)


def test_smoothness_leaves_statistics_and_gradients(case):
    model, images, labels = case
    F.cross_entropy(model(Tensor(images)), labels).backward()
    before, grads = everything(model), [p.grad.copy() for p in model.parameters()]
    viz.smoothness(model, images, labels)
    assert_unchanged(model, before)
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)


def test_pictures(case):
    model, images, labels = case
    line = viz.loss_line(model, images, labels, points=3)
    figure = viz.landscape_line({"a": line, "b": line})
    assert [drawn.get_label() for drawn in figure.axes[0].lines] == ["a", "b"]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), line.losses)
    plane = viz.loss_plane(model, images, labels, points=3)
    plane.losses[0, 0] = np.inf
    figure = viz.landscape_surface({"a": plane, "b": plane})
    assert [panel.get_title(loc="left") for panel in figure.axes[:2]] == ["a", "b"]
    assert viz.png(figure).startswith(b"\x89PNG")
    measured = [viz.smoothness(model, images, labels)] * 2
    figure = viz.smoothness_bands({"a": measured})
    np.testing.assert_array_equal(figure.axes[2].lines[0].get_ydata(), [measured[0].ratio] * 2)


@pytest.mark.parametrize(
    ("says", "call"),
    [
        ("rates above 0", lambda m, x, t: viz.smoothness(m, x, t, [0.1, 0.0])),
        ("points as an integer of at least 1", lambda m, x, t: viz.loss_line(m, x, t, points=0)),
        ("a model with parameters", lambda m, x, t: viz.loss_line(nn.ReLU(), x, t)),
        ("at least one line", lambda m, x, t: viz.landscape_line({})),
        ("at least one plane", lambda m, x, t: viz.landscape_surface({})),
        ("at least one measurement", lambda m, x, t: viz.smoothness_bands({"a": []})),
    ],
)
def test_bad_input(case, says, call):
    with pytest.raises(ArgumentError, match=says):
        call(*case)
