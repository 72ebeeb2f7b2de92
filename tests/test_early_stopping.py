"""Early stopping: when it stops, what it keeps, and both ways of going on with all data."""

import signal

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import nn, optim
from minidl.data import DataLoader, TensorDataset, WeightedRandomSampler
from minidl.errors import ArgumentError
from minidl.train import (
    Callback,
    EarlyStopping,
    Epoch,
    History,
    continue_training,
    evaluate,
    fit,
    join,
    retrain,
)


def noisy(n, seed):
    """Two classes of 12 features that overlap: small sets are learned by heart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    points = rng.standard_normal((n, 12)) + 0.4 * labels[:, None]
    return points.astype(np.float32), labels


def network():
    minidl.manual_seed(1)
    return nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 2))


class Told:
    """What EarlyStopping asks of a trainer, with a list of values to come."""

    def __init__(self, values, monitor="validation_loss"):
        self.values, self.monitor = list(values), monitor
        self.history, self.epoch, self.steps, self.stopped = History(), 0, 0, ""
        self.model = nn.Linear(1, 1)

    def stop(self, reason):
        self.stopped = reason

    def run(self, stopping):
        """Tell the values one by one; return the epoch that stopped, and its own weight."""
        stopping.on_train_begin(self)
        for value in self.values:
            self.epoch, self.steps = self.epoch + 1, self.steps + 10
            self.history.epochs.append(Epoch(self.epoch, {self.monitor: value}, 1.0, 1))
            self.model.weight.data = np.full((1, 1), self.epoch, np.float32)
            stopping.on_epoch_end(self)
            if self.stopped:
                break
        stopping.on_train_end(self)
        return self.epoch, self.model.weight.data.item()


@pytest.mark.parametrize(
    ("values", "options", "stopped", "best"),
    [
        ([3, 2, 1, 2, 3, 0], {"patience": 2}, 5, 3),
        ([3, 2, 1, 1, 1, 0], {"patience": 2}, 5, 3),  # equal is not better
        ([3, 2, 1, 2, 0.5, 2, 2], {"patience": 2}, 7, 5),
        ([3, 2.95, 2.9, 2.85], {"patience": 2, "min_delta": 0.2}, 3, 1),
        ([3, 2.9, 2.8, 2.7], {"patience": 3, "min_delta": 0.15}, 4, 3),
        ([np.nan, 1, np.nan, np.nan], {"patience": 2}, 4, 2),
        ([0.1, 0.9, 0.5], {"patience": 1, "mode": "max"}, 3, 2),
        ([3, 2, 1], {"patience": 1}, 3, 3),
    ],
)
def test_when_it_stops_and_what_it_keeps(values, options, stopped, best):
    stopping = EarlyStopping(**options)
    trainer = Told(values)
    assert trainer.run(stopping) == (stopped, best)
    assert (stopping.best_epoch, stopping.best_steps) == (best, 10 * best)
    assert stopping.best == values[best - 1]
    assert bool(trainer.stopped) == (stopping.waited == stopping.patience)


def test_accuracies_are_to_be_large_and_weights_may_stay():
    stopping = EarlyStopping(1, monitor="validation_accuracy", restore_best=False)
    assert Told([0.5, 0.9, 0.7], "validation_accuracy").run(stopping) == (3, 3)
    assert stopping.best == 0.9
    trainer = Told([np.nan, np.nan, np.nan])
    trainer.run(EarlyStopping(2))
    assert trainer.stopped == "the best validation_loss was NaN in epoch 0"


def test_a_second_run_begins_anew():
    stopping = EarlyStopping(2)
    Told([1, 2, 3]).run(stopping)
    assert Told([9, 8, 9, 9]).run(stopping) == (4, 2)


@pytest.fixture(scope="module")
def stopped():
    """A run that was stopped early: model, early stopping, history, and both sets."""
    train, validation = noisy(40, 0), noisy(60, 1)
    model, stopping = network(), EarlyStopping(4)
    history = fit(
        model,
        train,
        validation,
        epochs=200,
        optimizer="adam",
        lr=0.01,
        batch_size=10,
        callbacks=[stopping],
        progress=False,
    )
    return model, stopping, history, train, validation


def test_fit_stops_and_gives_the_best_weights_back(stopped):
    model, stopping, history, _, validation = stopped
    assert len(history) == stopping.best_epoch + 4 < 200
    assert stopping.best == min(history.validation_loss)
    assert stopping.best_steps == 4 * stopping.best_epoch
    assert evaluate(model, validation).loss == pytest.approx(stopping.best, rel=1e-6)
    assert history.stopped == (
        f"the best validation_loss was {stopping.best:.4g} in epoch {stopping.best_epoch}"
    )


def test_an_interrupted_run_ends_with_the_best_weights():
    class Press(Callback):
        def on_step_end(self, trainer):
            if trainer.steps == 90:
                signal.raise_signal(signal.SIGINT)

    train, validation = noisy(40, 0), noisy(60, 1)
    model, stopping = network(), EarlyStopping(100)
    callbacks = [stopping, Press()]
    history = fit(model, train, validation, epochs=99, lr=0.01, batch_size=10, callbacks=callbacks)
    assert history.stopped == "interrupted"
    assert stopping.best_epoch < len(history)
    assert evaluate(model, validation).loss == pytest.approx(stopping.best, rel=1e-6)


def test_retrained_for_as_many_epochs_on_all_data(stopped):
    _, stopping, _, train, validation = stopped
    options = {"lr": 0.01, "batch_size": 10, "progress": False}
    model, history = retrain(network, train, validation, stopping, **options)
    assert len(history) == stopping.best_epoch
    assert [epoch.samples for epoch in history] == [100] * len(history)
    whole = [np.concatenate(pair) for pair in zip(train, validation, strict=True)]
    other = network()
    fit(other, tuple(whole), epochs=stopping.best_epoch, **options)
    for name, array in other.state_dict().items():
        assert np.array_equal(array, model.state_dict()[name])


def test_retrained_for_as_many_steps_on_all_data(stopped):
    _, stopping, _, train, validation = stopped
    counted = []
    _, history = retrain(
        network,
        DataLoader(*train, batch_size=10, shuffle=True),
        validation,
        stopping,
        unit="steps",
        lr=0.01,
        progress=False,
        callbacks=[lambda trainer: counted.append(trainer.steps)],
    )
    assert counted[-1] == stopping.best_steps
    assert sum(epoch.samples for epoch in history) == 10 * stopping.best_steps


def test_continued_until_the_validation_loss_is_the_training_loss_at_the_stop(stopped):
    model, _, _, train, validation = stopped
    start = model.state_dict()
    limit = evaluate(model, train).loss
    assert evaluate(model, validation).loss > limit
    options = {"lr": 0.01, "batch_size": 10, "progress": False}
    history = continue_training(model, train, validation, epochs=200, **options)
    assert len(history) < 200
    assert history.validation_loss[-1] <= limit < min(history.validation_loss[:-1])
    assert history.last.samples == 100
    assert history.stopped == f"the validation loss is below {limit:.4g}"
    model.load_state_dict(start)
    short = continue_training(model, train, validation, epochs=1, **options)
    assert (len(short), short.stopped) == (1, "")
    swapped = continue_training(model, validation, train, epochs=5, **options)
    assert len(swapped) == 0
    assert "already" in swapped.stopped
    model.load_state_dict(start)


def test_stopping_after_t_steps_acts_as_l2_with_alpha_about_1_over_lr_t():
    """Descent from 0 on 1/2 sum h (w - w*)^2, against the minimum with alpha/2 ||w||^2.

    The descent keeps 1 - (1 - lr h)^t of w*, L2 keeps h / (h + alpha). With s = lr t h the two are
    1 - e^-s and s / (1 + s): the same for small and large s, never more than 0.21 apart.
    """
    curvature = np.array([1e-4, 1e-3, 1e-2, 0.1, 1.0])
    target = np.array([2.0, -1.0, 3.0, 0.5, -2.0])
    lr, steps = 0.04, 500

    class Point(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(np.zeros(5))

        def forward(self, x):
            return self.w + 0.0 * x.sum()

    point = Point()
    fit(
        point,
        np.zeros((1, 1)),
        epochs=steps,
        optimizer=optim.SGD(point.parameters(), lr=lr),
        loss=lambda w, _: 0.5 * (Tensor(curvature) * (w - Tensor(target)) ** 2).sum(),
        progress=False,
    )
    alpha = 1 / (lr * steps)
    kept, shrunk = point.w.data / target, curvature / (curvature + alpha)
    np.testing.assert_allclose(kept, 1 - (1 - lr * curvature) ** steps, rtol=1e-10)
    assert np.abs(kept - shrunk).max() < 0.21
    np.testing.assert_allclose(kept[[0, 1, -1]], shrunk[[0, 1, -1]], rtol=0.05)
    np.testing.assert_allclose(kept / shrunk, 1, rtol=0.35)
    for wrong in (alpha / 4, alpha * 4):
        assert np.abs(kept - curvature / (curvature + wrong)).max() > 0.21


# -- bad input ----------------------------------------------------------------------------------


def test_bad_options_are_named():
    for options, words in [
        ({"patience": 0}, "patience as an integer of at least 1, got 0"),
        ({"min_delta": -1}, "min_delta of at least 0, got -1"),
        ({"min_delta": np.nan}, "min_delta of at least 0, got nan"),
        ({"mode": "low"}, '"auto", "min" or "max", got \'low\''),
    ]:
        with pytest.raises(ArgumentError, match=f"EarlyStopping: expected {words}"):
            EarlyStopping(**options)
    with pytest.raises(ArgumentError, match=r"'validation_loss' in the history, .*; give fit val"):
        fit(network(), noisy(40, 0), epochs=2, callbacks=[EarlyStopping()])


def test_retraining_says_what_it_needs(stopped):
    _, stopping, _, train, validation = stopped
    with pytest.raises(ArgumentError, match=r"that found a best, got none; train with it first"):
        retrain(network, train, validation, EarlyStopping())
    with pytest.raises(ArgumentError, match='unit "epochs" or "steps", got \'days\''):
        retrain(network, train, validation, stopping, unit="days")
    old = optim.SGD(network().parameters(), lr=0.1)
    with pytest.raises(ArgumentError, match=r"name or maker, got an optimizer of another model"):
        retrain(network, train, validation, stopping, optimizer=old)


def test_joined_loaders_keep_their_options():
    train, validation = noisy(10, 0), noisy(4, 1)
    loader = DataLoader(*train, batch_size=7, transform=lambda x, rng: x + 1, drop_last=True)
    joined = join(loader, TensorDataset(*validation))
    assert (joined.samples, len(joined)) == (14, 2)
    x = np.concatenate([batch.data for batch, _ in joined])
    assert np.array_equal(x, np.concatenate([train[0], validation[0]]) + 1)
    sampler = WeightedRandomSampler(np.ones(10), 5)
    with pytest.raises(ArgumentError, match="join: expected a loader without a sampler"):
        join(DataLoader(*train, sampler=sampler), validation)
