"""SWA and EMA: the averages by their formulas, and the statistics that belong to them."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import DataLoader
from minidl.errors import ArgumentError
from minidl.train import EMA, SWA, Callback, evaluate, fit


class Path(Callback):
    """Notes the parameters after every step and every epoch."""

    def __init__(self):
        self.steps, self.epochs = [], []

    def on_step_end(self, trainer):
        self.steps.append({n: p.data.copy() for n, p in trainer.model.named_parameters()})

    def on_epoch_end(self, trainer):
        self.epochs.append(self.steps[-1])


def blobs(n=60):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    return (rng.standard_normal((n, 3)) + labels[:, None]).astype(np.float32), labels


def run(average, norm=False, epochs=5):
    minidl.manual_seed(0)
    layers = [nn.Linear(3, 4), *([nn.BatchNorm1d(4)] if norm else []), nn.ReLU(), nn.Linear(4, 2)]
    model, path = nn.Sequential(*layers), Path()
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    data = DataLoader(*blobs(), batch_size=20, shuffle=True)
    fit(model, data, epochs=epochs, optimizer=optimizer, callbacks=[path, average], progress=False)
    return model, path


def close(model, wanted):
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.data, wanted[name], rtol=1e-5, atol=1e-7)
        assert p.dtype == np.float32


def test_swa_is_the_mean_from_its_start_on():
    for options, members in [({}, [1, 2, 3, 4]), ({"every": 2}, [1, 3])]:
        model, path = run(SWA(2, **options))
        mean = {n: np.mean([path.epochs[i][n] for i in members], axis=0) for n in path.epochs[0]}
        close(model, mean)


def test_ema_follows_its_recursion():
    model, path = run(EMA(0.8))
    average = {name: array.astype(np.float64) for name, array in path.steps[0].items()}
    for weights in path.steps[1:]:
        average = {n: 0.8 * a + 0.2 * weights[n] for n, a in average.items()}
    assert len(path.steps) == 15
    close(model, average)


def test_statistics_are_those_of_the_average():
    """The first layer's output of all batches, computed by hand with the averaged weights."""
    model, _ = run(SWA(1), norm=True)
    x, _ = blobs()
    z = x @ model[0].weight.data.T + model[0].bias.data
    np.testing.assert_allclose(model[1].running_mean, z.mean(0), rtol=1e-5, atol=1e-6)
    within = 20 / 19 * z.var(0)  # of one batch of 20; the means of batches differ a little
    np.testing.assert_allclose(model[1].running_var, within, rtol=0.25)
    assert evaluate(model, (x, blobs()[1])).accuracy > 0.6


def test_the_average_can_wait_and_be_given_to_another_model():
    average = EMA(0.5, apply=False)
    model, path = run(average, norm=True)
    close(model, path.steps[-1])
    other, _ = run(EMA(0.5, apply=False), norm=True, epochs=1)
    average.load_into(other, DataLoader(*blobs(), batch_size=20))
    close(other, average.average)
    assert not np.array_equal(other[1].running_mean, model[1].running_mean)


def test_bad_input():
    for make, words in [
        (lambda: SWA(0), "SWA: expected start as an integer of at least 1"),
        (lambda: SWA(1, every=0), "SWA: expected every as an integer"),
        (lambda: EMA(1.5), "EMA: expected decay between"),
        (lambda: EMA().load_into(nn.Linear(1, 1), []), "EMA: expected an average, got none"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            make()
    model, path = run(SWA(99))
    close(model, path.steps[-1])  # never began
