"""The training loop learns, measures honestly, and stops with one clear error."""

import doctest
import importlib
import pkgutil
import signal
import threading

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import functional, nn, optim, random, train
from minidl.data import DataLoader, TensorDataset
from minidl.errors import ArgumentError, DTypeError, ShapeError
from minidl.train import DivergenceError, evaluate, fit


def blobs(n=200, seed=0):
    """Two classes that a line separates."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    points = rng.standard_normal((n, 2)) + np.where(labels, 3.0, -3.0)[:, None]
    return points.astype(np.float32), labels


def linear(seed=0):
    minidl.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 2))
    return model, optim.SGD(model.parameters(), lr=0.1)


def loader(seed=0, n=200, **options):
    options = {"batch_size": 32, "shuffle": True, "rng": np.random.default_rng(seed), **options}
    return DataLoader(*blobs(n, seed), **options)


class Recorder(nn.Module):
    """Passes through, and notes each call's mode and number of rows."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x):
        self.calls.append((self.training, len(x.data)))
        return x


# -- fit ----------------------------------------------------------------------------------------


def test_fit_learns_and_measures_both_sets():
    model, optimizer = linear()
    history = fit(model, loader(), loader(1), epochs=3, optimizer=optimizer, measure_train=True)
    assert len(history) == 3
    assert history.loss[-1] < history.loss[0]
    assert history.train_accuracy[-1] > 0.98
    assert history.validation_accuracy[-1] > 0.98
    assert history.last.number == 3
    assert history.last.samples == 200
    assert history.seconds > 0


def test_fit_follows_its_seeds():
    losses = []
    for _ in range(2):
        model, optimizer = linear(3)
        losses.append(fit(model, loader(3), epochs=2, optimizer=optimizer).loss)
    assert losses[0] == losses[1]


def test_loss_is_the_mean_over_samples_even_of_unequal_batches():
    x, y = blobs(5)
    model, _ = linear()
    still = optim.SGD(model.parameters(), lr=0.0)
    history = fit(model, DataLoader(x, y, batch_size=4), epochs=1, optimizer=still)
    logits = x.astype(np.float64) @ model[0].weight.data.T + model[0].bias.data
    log_sum = np.log(np.exp(logits).sum(1))
    assert history.loss[0] == pytest.approx(np.mean(log_sum - logits[np.arange(5), y]), rel=1e-5)


def test_training_accuracy_is_measured_in_evaluation_mode_without_augmentation():
    recorder = Recorder()
    model, _ = linear()
    model = nn.Sequential(recorder, model[0])
    data = loader(n=40, batch_size=32, drop_last=True, transform=lambda x, rng: x * 0)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    history = fit(model, data, epochs=1, optimizer=optimizer, measure_train=True)
    assert recorder.calls == [(True, 32), (False, 32), (False, 8)]
    logits = blobs(40)[0] @ model[1].weight.data.T + model[1].bias.data
    assert history.last.train_accuracy == np.mean(logits.argmax(1) == blobs(40)[1])
    assert history.last.samples == 32


def test_each_epoch_trains_in_training_mode():
    recorder = Recorder()
    model = nn.Sequential(recorder, nn.Linear(2, 2))
    model.eval()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    fit(model, loader(n=32), loader(1, n=16), epochs=2, optimizer=optimizer)
    assert recorder.calls == [(True, 32), (False, 16)] * 2


def test_seconds_are_those_of_training_alone(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("minidl.train.evaluation.time", clock)
    model, optimizer = linear()

    def tick(module, inputs, output):
        clock.now += 2.0 if module.training else 100.0

    model.register_forward_hook(tick)
    history = fit(model, loader(n=64), loader(1), epochs=1, optimizer=optimizer)
    assert history.last.seconds == 4.0
    assert history.last.samples_per_second == 16.0


def test_gradients_do_not_pile_up():
    x, y = blobs(8)
    weights = []
    for dirty in (False, True):
        model, optimizer = linear(5)
        if dirty:
            for parameter in model.parameters():
                parameter.grad = np.full(parameter.shape, 100.0, np.float32)
        fit(model, DataLoader(x, y, batch_size=4), epochs=1, optimizer=optimizer)
        weights.append(model[0].weight.data.copy())
    assert np.array_equal(*weights)


class Counter:
    """A schedule that keeps what a parameter was at each of its steps."""

    def __init__(self, parameter):
        self.parameter, self.seen = parameter, []

    def step(self):
        self.seen.append(self.parameter.data.copy())


def test_schedules_move_on_after_every_step_of_the_optimizer():
    model, optimizer = linear()
    start = model[0].weight.data.copy()
    schedules = [Counter(model[0].weight), Counter(model[0].bias)]
    fit(model, loader(n=80), epochs=2, optimizer=optimizer, schedules=schedules)
    assert [len(schedule.seen) for schedule in schedules] == [6, 6]
    assert not np.array_equal(schedules[0].seen[0], start)
    assert np.array_equal(schedules[0].seen[-1], model[0].weight.data)


def test_drop_blocks_schedule_reaches_its_target():
    block = nn.DropBlock2d(0.8, 1)
    flat = nn.Sequential(block, nn.Flatten(), nn.Linear(4, 2))
    images, labels = np.ones((20, 1, 2, 2), np.float32), np.zeros(20, int)
    optimizer = optim.SGD(flat.parameters(), lr=0.1)
    schedule = nn.DropBlockSchedule(flat, steps=6)
    batches = DataLoader(images, labels, batch_size=10)
    fit(flat, batches, epochs=2, optimizer=optimizer, schedules=[schedule])
    assert block.keep_prob == pytest.approx(1 - 0.2 * 4 / 6)


def test_without_validation_there_is_no_such_number():
    model, optimizer = linear()
    history = fit(model, loader(), epochs=1, optimizer=optimizer)
    assert history.validation_accuracy == history.validation_loss == []
    assert "validation" not in str(history.last)
    with pytest.raises(ArgumentError, match=r"Epoch: expected a name among .*; validation values"):
        _ = history.last.validation_accuracy


def test_diverging_training_stops_before_it_damages_the_parameters():
    model, _ = linear()
    optimizer = optim.SGD(model.parameters(), lr=1e38)
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            DivergenceError, match=r"a finite loss, got .* in epoch \d+, step \d+; lower"
        ),
    ):
        fit(model, loader(), epochs=20, optimizer=optimizer)


def test_nan_in_the_data_is_named_and_nothing_is_learned_from_it():
    x, y = blobs(64)
    x[40, 0] = np.nan
    model, optimizer = linear()
    weights = []
    model.register_forward_hook(lambda *_: weights.append(model[0].weight.data.copy()))
    with pytest.raises(
        DivergenceError, match="got nan in epoch 1, step 2; the inputs of this batch"
    ):
        fit(model, DataLoader(x, y, batch_size=32), epochs=3, optimizer=optimizer)
    assert np.array_equal(model[0].weight.data, weights[-1])


@pytest.mark.parametrize(
    ("data", "validation", "epochs", "words"),
    [
        (loader(n=32), None, 0, "epochs as an integer of at least 1, got 0"),
        (loader(n=0), None, 1, "at least one batch in an epoch, got none"),
        (loader(n=8, drop_last=True), None, 1, "drop_last=False"),
        (loader(n=32), loader(n=0), 1, "validation data, got no sample"),
    ],
)
def test_fit_says_what_is_wrong_before_it_starts(data, validation, epochs, words):
    model, optimizer = linear()
    with pytest.raises(ArgumentError, match=f"fit: expected .*{words}"):
        fit(model, data, validation, epochs=epochs, optimizer=optimizer)


def test_a_gradient_of_nan_is_named_and_nothing_is_learned_from_it():
    """The loss is finite where the square root's gradient is 0 / 0."""
    model, _ = linear()
    before = model[0].weight.data.copy()

    def rooted(outputs, targets):
        return ((outputs * 0.0) ** 2).sum().sqrt()

    with (
        np.errstate(all="ignore"),
        pytest.raises(DivergenceError, match=r"a finite gradient of 0.weight, got NaN or inf"),
    ):
        fit(model, blobs(8), epochs=1, loss=rooted)
    assert np.array_equal(model[0].weight.data, before)
    assert model[0].weight.grad is None


def test_a_large_gradient_is_no_divergence():
    model, optimizer = linear()
    optimizer.param_groups[0]["lr"] = 1e-30
    history = fit(
        model,
        blobs(8),
        epochs=1,
        optimizer=optimizer,
        loss=lambda o, t: o.mean() * np.float32(1e25),
    )
    assert len(history) == 1


def test_divergence_leaves_running_statistics_and_gives_the_history():
    norm = nn.BatchNorm1d(2)
    model = nn.Sequential(norm, nn.Linear(2, 2))
    x, y = blobs(64)
    calls = []

    def poison(batch, rng):
        calls.append(1)
        return batch if len(calls) < 4 else batch * np.float32(np.nan)

    data = DataLoader(x, y, batch_size=32, transform=poison)
    states = []
    with pytest.raises(DivergenceError, match="in epoch 2, step 2") as caught:
        fit(
            model,
            data,
            epochs=3,
            callbacks=[Steps(lambda trainer: states.append(model.state_dict()))],
        )
    assert len(caught.value.history) == 1
    for name, array in model.state_dict().items():
        assert np.array_equal(array, states[-1][name]), name


class Steps(train.Callback):
    """Calls a function after each step."""

    def __init__(self, function):
        self.function = function

    def on_step_end(self, trainer):
        self.function(trainer)


# -- what fit accepts ---------------------------------------------------------------------------


def test_arrays_a_dataset_and_a_loader_are_the_same_data():
    x, y = blobs(50)
    weights = []
    for data in ((x, y), [x, y], TensorDataset(x, y), DataLoader(x, y, shuffle=True)):
        model, _ = linear(7)
        fit(model, data, (x, y), epochs=2, optimizer="SGD", lr=0.1)
        weights.append(model[0].weight.data.copy())
    for other in weights[1:]:
        assert np.array_equal(weights[0], other)


def test_inputs_alone_are_their_own_targets():
    x, _ = blobs(40)
    model, _ = linear()
    seen = []

    def squared(outputs, targets):
        seen.append(targets)
        return ((outputs - targets) ** 2).mean()

    history = fit(model, x, epochs=5, optimizer="sgd", lr=0.01, loss=squared)
    assert history.loss[-1] < history.loss[0]
    assert history.names == ["loss", "lr"]  # no accuracy where there are no classes
    assert seen[0].shape == (32, 2)


def test_several_inputs_are_given_in_order():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, left, right):
            return self.layer(left - right)

    x, y = blobs(40)
    assert fit(Sum(), (x, np.zeros_like(x), y), epochs=3, lr=0.1).accuracy[-1] > 0.9


def test_a_fraction_holds_out_the_same_samples_every_time():
    seen = []
    for seed in (0, 1):
        recorder = Recorder()
        inputs = []
        recorder.register_forward_hook(lambda module, x, y, kept=inputs: kept.append(x[0].data))
        minidl.manual_seed(seed)
        fit(nn.Sequential(recorder, nn.Linear(2, 2)), blobs(40), 0.25, epochs=1)
        held = [
            rows for rows, (training, _) in zip(inputs, recorder.calls, strict=True) if not training
        ]
        learned = [
            rows for rows, (training, _) in zip(inputs, recorder.calls, strict=True) if training
        ]
        assert sum(map(len, learned)) == 30
        seen.append(np.concatenate(held))
        rows = {row.tobytes() for row in np.concatenate(learned)}
        assert not rows & {row.tobytes() for row in seen[-1]}
    assert np.array_equal(*seen)
    assert seen[0].shape == (10, 2)


@pytest.mark.parametrize(
    ("data", "fraction", "words"),
    [
        (blobs(8), 0.0, "a validation fraction between 0 and 1, got 0.0"),
        (blobs(8), 1.5, "a validation fraction between 0 and 1, got 1.5"),
        (blobs(8), 0.01, "at least one sample on either side, got 0 of 8"),
        (loader(n=8), 0.5, "arrays or a dataset to hold out from, got a loader; split with"),
    ],
)
def test_fractions_that_do_not_fit(data, fraction, words):
    with pytest.raises(ArgumentError, match=f"fit: expected {words}"):
        fit(linear()[0], data, fraction, epochs=1)


def test_optimizers_by_name_by_function_and_as_they_are():
    x, y = blobs(40)
    weights = []
    for optimizer, lr in [
        ("sgd", 0.1),
        (lambda parameters: optim.SGD(parameters, lr=0.1), None),
        (None, None),
    ]:
        model, own = linear(3)
        fit(model, DataLoader(x, y), epochs=1, optimizer=optimizer or own, lr=lr)
        weights.append(model[0].weight.data.copy())
    assert np.array_equal(weights[0], weights[1])
    assert np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"optimizer": "adamm"}, ArgumentError, "an optimizer among .*'adam'.*, got 'adamm'"),
        ({"optimizer": 3}, DTypeError, r"an optimizer with step\(\), got int"),
        ({"accumulate": 0}, ArgumentError, "accumulate as an integer of at least 1, got 0"),
        ({"callbacks": [3]}, DTypeError, "callbacks, or functions of the trainer, got int"),
        ({"callbacks": [Steps]}, DTypeError, ".*got Steps; give an instance"),
        ({"loss": lambda o, t: o}, ShapeError, r"a loss of one element, got \(32, 2\); use red"),
        ({"metrics": [3]}, DTypeError, ".*number under 'int', got int"),
    ],
)
def test_options_that_do_not_fit(options, error, words):
    with pytest.raises(error, match=f"expected {words}"):
        fit(linear()[0], blobs(40), epochs=1, **options)


def test_a_rate_belongs_to_an_optimizer_given_by_name():
    model, optimizer = linear()
    with pytest.raises(ArgumentError, match="lr with an optimizer's name, got an optimizer; set"):
        fit(model, blobs(8), epochs=1, optimizer=optimizer, lr=0.1)


# -- steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "accumulate", "whole"), [(4, 3, 12), (5, 2, 10), (7, 4, 28)])
def test_accumulated_gradients_are_those_of_the_large_batch(batch, accumulate, whole):
    """26 samples: the last group, and a batch in it, are smaller than the others."""
    x, y = blobs(26)
    weights = []
    for size, count in ((batch, accumulate), (whole, 1)):
        model, _ = linear(2)
        model.double()
        optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        data = DataLoader(x.astype(np.float64), y, batch_size=size)
        fit(model, data, epochs=3, optimizer=optimizer, accumulate=count)
        weights.append(model[0].weight.data.copy())
    np.testing.assert_allclose(*weights, rtol=1e-12)


def test_momentum_that_looks_ahead_takes_its_gradients_there():
    (model, _), (again, _) = linear(), linear()
    made = {"lr": 0.1, "momentum": 0.9, "lookahead": True}
    images, labels = blobs(40)
    optimizer = optim.Momentum(model.parameters(), **made)
    penalty = optim.L2(0.1)
    given = DataLoader(images, labels, batch_size=20)
    fit(model, given, epochs=2, optimizer=optimizer, regularizers=[penalty], progress=False)
    wanted = optim.Momentum(again.parameters(), **made)
    for _ in range(2):
        for x, y in given:
            with wanted.ahead():
                wanted.zero_grad()
                (functional.cross_entropy(again(x), y) + penalty(again)).backward()
            wanted.step()
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-5, atol=1e-7)


def test_a_clipped_gradient_has_the_norm_it_may_have():
    x, y = blobs(32)
    model, optimizer = linear()
    before = np.concatenate([p.data.ravel() for p in model.parameters()])
    fit(model, DataLoader(x, y), epochs=1, optimizer=optimizer, clip_norm=0.01)
    after = np.concatenate([p.data.ravel() for p in model.parameters()])
    assert np.linalg.norm(after - before) == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_regularizers_act_where_they_belong():
    """One step of gradient descent by hand: w - lr (g + alpha w), then rows of norm 0.3 at most."""
    x, y = blobs(32)
    weights = []
    for regularizers in ([], [optim.L2(0.5)], [optim.L2(0.5), optim.MaxNorm(0.3)]):
        model, optimizer = linear(4)
        before = model[0].weight.data.copy()
        data = DataLoader(x, y)
        fit(model, data, epochs=1, optimizer=optimizer, regularizers=regularizers)
        weights.append(model[0].weight.data.copy())
    np.testing.assert_allclose(weights[1], weights[0] - 0.1 * 0.5 * before, rtol=1e-5)
    norms = np.linalg.norm(weights[1], axis=1, keepdims=True)
    np.testing.assert_allclose(weights[2], weights[1] * np.minimum(1, 0.3 / norms), rtol=1e-5)


class Plateau:
    """A schedule that keeps what it is given."""

    def __init__(self):
        self.seen = []

    def step(self, metric):
        self.seen.append(metric)


def test_schedules_of_epochs_move_on_after_each_and_plateaus_are_given_the_loss():
    model, optimizer = linear()
    counter, plateau = Counter(model[0].weight), Plateau()
    schedules = [counter, plateau]
    history = fit(
        model, loader(), loader(1), epochs=3, optimizer=optimizer, epoch_schedules=schedules
    )
    assert len(counter.seen) == 3
    assert plateau.seen == history.validation_loss
    alone = Plateau()
    history = fit(model, loader(), epochs=2, optimizer=optimizer, epoch_schedules=[alone])
    assert alone.seen == history.loss
    with pytest.raises(ArgumentError, match="no loss, got Plateau; give it as one of"):
        fit(model, loader(), epochs=2, optimizer=optimizer, schedules=[Plateau()])


# -- callbacks ----------------------------------------------------------------------------------


class Log(train.Callback):
    """Notes the events, with epochs and steps so far."""

    def __init__(self, seen):
        for event in [name for name in dir(train.Callback) if name.startswith("on_")]:
            note = self.noting(event.removeprefix("on_"), seen)
            setattr(self, event, note)

    @staticmethod
    def noting(event, seen):
        return lambda trainer: seen.append((event, trainer.epoch, trainer.steps))


def test_events_come_in_order():
    seen = []
    model, optimizer = linear()
    fit(model, loader(n=64), epochs=2, optimizer=optimizer, callbacks=[Log(seen)])
    assert seen == [
        ("train_begin", 0, 0),
        ("epoch_begin", 0, 0),
        ("step_end", 0, 1),
        ("step_end", 0, 2),
        ("epoch_end", 1, 2),
        ("epoch_begin", 1, 2),
        ("step_end", 1, 3),
        ("step_end", 1, 4),
        ("epoch_end", 2, 4),
        ("train_end", 2, 4),
    ]


def test_a_function_is_called_after_each_epoch():
    seen = []
    model, optimizer = linear()
    fit(
        model,
        loader(),
        epochs=3,
        optimizer=optimizer,
        callbacks=[lambda trainer: seen.append(trainer.history.last.number)],
    )
    assert seen == [1, 2, 3]


def test_what_a_callback_raises_arrives_with_its_name():
    def broken(trainer):
        raise KeyError("no such thing")

    with pytest.raises(KeyError, match="no such thing") as caught:
        fit(linear()[0], loader(n=32), epochs=2, callbacks=[broken])
    assert caught.value.__notes__ == [
        "fit: raised by the callback broken.on_epoch_end, after 1 epochs and 1 steps"
    ]


def test_a_stop_ends_the_epoch_after_the_step():
    model, optimizer = linear()
    halt = Steps(lambda trainer: trainer.stop("enough") if trainer.steps == 3 else None)
    seen = []
    history = fit(
        model, loader(n=64), loader(1), epochs=9, optimizer=optimizer, callbacks=[halt, Log(seen)]
    )
    assert history.stopped == "enough"
    assert [epoch.samples for epoch in history] == [64, 32]
    assert len(history.validation_loss) == 2
    assert seen[-1] == ("train_end", 2, 3)


# -- Ctrl-C -------------------------------------------------------------------------------------


def test_the_first_interrupt_ends_the_run_cleanly():
    before = signal.getsignal(signal.SIGINT)
    model, optimizer = linear()
    seen = []

    def press(trainer):
        if trainer.steps == 5:
            signal.raise_signal(signal.SIGINT)

    history = fit(
        model, loader(n=64), epochs=9, optimizer=optimizer, callbacks=[Steps(press), Log(seen)]
    )
    assert history.stopped == "interrupted"
    assert len(history) == 2  # whole epochs
    assert seen[-2:] == [("interrupt", 2, 5), ("train_end", 2, 5)]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_ends_it_at_once():
    before = signal.getsignal(signal.SIGINT)
    model, optimizer = linear()
    seen = []

    def press(trainer):
        signal.raise_signal(signal.SIGINT)
        seen.append(trainer.steps)
        signal.raise_signal(signal.SIGINT)
        seen.append("never")

    with pytest.raises(KeyboardInterrupt):
        fit(model, loader(n=64), epochs=9, optimizer=optimizer, callbacks=[Steps(press)])
    assert seen == [1]
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_interrupts_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    model, optimizer = linear()
    seen = []
    run = threading.Thread(
        target=fit,
        args=(model, loader(n=32)),
        kwargs={
            "epochs": 1,
            "optimizer": optimizer,
            "callbacks": [lambda _: seen.append(signal.getsignal(signal.SIGINT))],
        },
    )
    run.start()
    run.join()
    assert seen == [before]


# -- evaluate -----------------------------------------------------------------------------------


def test_evaluate_counts_right_answers_and_leaves_no_trace():
    model, _ = linear()
    model[0].weight.data = np.array([[-1, -1], [1, 1]], np.float32)
    model[0].bias.data = np.zeros(2, np.float32)
    points = np.array([[1, 1], [2, 2], [-1, -1], [3, 3], [-2, 0]], np.float32)
    labels = np.array([1, 1, 0, 0, 0])
    score = evaluate(model, DataLoader(points, labels, batch_size=2))
    assert score.accuracy == 0.8
    margins = 2 * points.sum(1) * np.where(labels, 1, -1)
    assert score.loss == pytest.approx(np.log1p(np.exp(-margins.astype(float))).mean(), rel=1e-5)
    assert model[0].weight.grad is None


def test_evaluate_records_nothing():
    model, _ = linear()
    recorded = []
    model.register_forward_hook(lambda module, x, y: recorded.append(y.requires_grad))
    evaluate(model, loader(n=40))
    assert recorded == [False, False]


def test_evaluate_puts_every_modules_mode_back():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.train()
    model[1].eval()
    evaluate(model, loader(n=8))
    assert (model.training, model[0].training, model[1].training) == (True, True, False)


def test_evaluate_puts_the_mode_back_after_an_error():
    model = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(minidl.MinidlError):
        evaluate(model, loader(n=8))
    assert model.training


def test_evaluate_needs_data():
    with pytest.raises(ArgumentError, match="evaluate: expected at least one sample, got none"):
        evaluate(linear()[0], loader(n=0))


def test_evaluate_gives_metrics_the_whole_set():
    x, y = blobs(50)
    model, _ = linear()

    def spread(outputs, targets):
        return outputs.max() - targets.min()

    score = evaluate(model, (x, y), metrics=[spread], batch_size=7)
    logits = x @ model[0].weight.data.T + model[0].bias.data
    assert score["spread"] == pytest.approx(logits.max() - y.min(), rel=1e-6)
    named = evaluate(model, (x, y), metrics={"mine": spread})
    assert list(named.values) == ["loss", "accuracy", "mine"]
    assert str(named).startswith("loss ")
    with pytest.raises(ArgumentError, match=r"Score: expected a name among .*'mine'.*, got 'nine'"):
        named["nine"]


def test_regression_has_no_accuracy():
    x, _ = blobs(20)
    model, _ = linear()
    score = evaluate(model, (x, x), lambda o, t: abs(o - t).mean())
    assert list(score.values) == ["loss"]
    with pytest.raises(ArgumentError, match=r"a name among \['loss'\], got 'accuracy'"):
        _ = score.accuracy


def test_accuracy_of_many_places_leaves_out_negative_labels():
    """Scores (n, k, t) and labels (n, t), as a network over sequences gives them."""
    scores = np.zeros((2, 3, 2), np.float32)
    scores[0, 1, 0] = scores[0, 2, 1] = scores[1, 0, 0] = 1
    model = nn.Sequential(nn.Identity())
    labels = np.array([[1, 0], [0, -100]])
    score = evaluate(model, (scores, labels), lambda o, t: o.mean())
    assert score.accuracy == pytest.approx(2 / 3)


def test_predict_and_the_confusion_matrix():
    model, _ = linear()
    model[0].weight.data = np.array([[-1, -1], [1, 1]], np.float32)
    model[0].bias.data = np.zeros(2, np.float32)
    points = np.array([[1, 1], [2, 2], [-1, -1], [3, 3], [-2, 0]], np.float32)
    labels = np.array([1, 1, 0, 0, 0])
    outputs = train.predict(model, points, batch_size=2)
    assert np.array_equal(outputs, model(Tensor(points)).data)
    assert np.array_equal(train.predict(model, (points, labels)), outputs)
    matrix = train.confusion_matrix(model, DataLoader(points, labels, batch_size=2))
    assert matrix.tolist() == [[2, 1], [0, 2]]
    with pytest.raises(DTypeError, match=r"labels .* of integers, got .* float32"):
        train.confusion_matrix(model, (points, points))
    with pytest.raises(ArgumentError, match="at least one sample, got none"):
        train.confusion_matrix(model, blobs(0))
    with pytest.raises(ArgumentError, match="predict: expected at least one sample"):
        train.predict(model, blobs(0))


# -- examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [f"minidl.train.{module.name}" for module in pkgutil.iter_modules(train.__path__)]
)
def test_examples_in_docstrings_run(name, monkeypatch):
    monkeypatch.setattr(random._Source, "generator", np.random.default_rng(0))
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_all_public_names_are_there():
    assert sorted(set(train.__all__)) == sorted(train.__all__)
    assert all(hasattr(train, name) for name in train.__all__)
