"""The learning-rate range test: what it measures, suggests, and leaves as it was."""

import numpy as np
import pytest

import minidl
from minidl import data, nn, optim, random
from minidl.errors import ArgumentError, DTypeError
from minidl.train import RateCurve, find_lr, fit


def digits(n=600):
    images, labels = data.digits()
    return images[:n].reshape(-1, 64), labels[:n]


def network():
    minidl.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(0.1, rng=np.random.default_rng(1)),
        nn.Linear(32, 10),
    )


def test_the_suggestion_trains_and_ten_times_the_end_does_not():
    curve = find_lr(network(), digits(), end=100.0)
    assert np.all(np.diff(curve.rates) > 0)
    assert curve.rates[0] == pytest.approx(1e-6)
    assert 1e-3 < curve.suggestion < 1.0
    losses = [
        fit(network(), digits(), epochs=1, optimizer="sgd", lr=lr, progress=False).loss[0]
        for lr in (curve.suggestion, curve.suggestion / 1000)
    ]
    assert losses[0] < 0.7 * losses[1]


def test_everything_is_put_back():
    model = network()
    model[3].eval()
    optimizer = optim.Adam(model.parameters(), lr=0.123)
    loader = data.DataLoader(*digits(), shuffle=True, rng=np.random.default_rng(3))
    fit(model, loader, epochs=1, optimizer=optimizer, progress=False)
    model[3].eval()
    before, adam = model.state_dict(), optimizer.state_dict()
    drawn = [g.bit_generator.state for g in (random.generator(), model[3].rng, loader.rng)]
    find_lr(model, loader, optimizer=optimizer, steps=30)
    for name, array in model.state_dict().items():
        assert np.array_equal(array, before[name]), name
    np.testing.assert_equal(optimizer.state_dict(), adam)
    after = [g.bit_generator.state for g in (random.generator(), model[3].rng, loader.rng)]
    assert after == drawn
    assert [module.training for module in model] == [True, True, True, False, True]
    assert all(p.grad is None for p in model.parameters())
    assert loader.state_dict()["seed"] is None


def test_losses_are_those_of_plain_training_with_these_rates():
    x, y = digits(96)
    curve = find_lr(nn.Linear(64, 10, rng=np.random.default_rng(0)), data.DataLoader(x, y), steps=5)
    model = nn.Linear(64, 10, rng=np.random.default_rng(0))
    losses = []
    for step, rate in enumerate(np.geomspace(1e-6, 10, 5)[: len(curve.losses)]):
        rows = slice(32 * (step % 3), 32 * (step % 3 + 1))
        losses.append(minidl.functional.cross_entropy(model(minidl.Tensor(x[rows])), y[rows]))
        model.zero_grad()
        losses[-1].backward()
        optim.SGD(model.parameters(), lr=float(rate)).step()
    assert curve.losses == pytest.approx([loss.item() for loss in losses])


def test_smoothing_and_suggestion_of_a_curve_known_by_formula():
    """A constant loss stays itself; a sigmoid in log(rate) falls fastest in its middle."""
    rates = np.geomspace(1e-4, 1, 200)
    flat = RateCurve(rates, np.full(200, 3.0))
    np.testing.assert_allclose(flat.smoothed, 3.0, rtol=1e-12)
    falling = RateCurve(rates, 1 / (1 + np.exp(4 * np.log(rates / 0.01))))
    assert falling.suggestion == pytest.approx(0.01, rel=0.6)
    assert falling.suggestion > 0.01  # the average is late


def test_the_picture_shows_the_curve():
    rates = np.geomspace(1e-4, 1, 50)
    curve = RateCurve(rates, 1 / (1 + np.exp(4 * np.log(rates / 0.01))))
    panel = curve.plot().axes[0]
    assert panel.get_xscale() == "log"
    assert panel.lines[0].get_ydata() == pytest.approx(curve.losses)
    assert panel.lines[2].get_xdata()[0] == curve.suggestion


def test_bad_input():
    model = network()
    for options, words in [
        ({"start": 0}, "0 < start < end, got 0 and 10"),
        ({"start": 1, "end": 1}, "0 < start < end, got 1 and 1"),
        ({"end": float("inf")}, "0 < start < end"),
        ({"steps": 2}, "at least 3 steps, got 2"),
        ({"start": 1e30, "end": 1e35}, "3 finite losses, got .; begin with a smaller rate"),
    ]:
        with np.errstate(all="ignore"), pytest.raises(ArgumentError, match=f"expected {words}"):
            find_lr(model, digits(100), **options)
    with pytest.raises(ArgumentError, match="suggestion: expected a loss that falls"):
        _ = RateCurve(np.geomspace(1, 2, 5), np.arange(5.0)).suggestion

    class Plain:
        def step(self):
            """Do nothing."""

        zero_grad = step

    with pytest.raises(DTypeError, match=r"an optimizer of minidl.optim, .*, got Plain"):
        find_lr(model, digits(100), optimizer=Plain())
