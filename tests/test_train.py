"""The training loop learns, measures honestly, and stops with one clear error."""

import io

import numpy as np
import pytest
from rich.console import Console

import minidl
from minidl import nn, optim
from minidl.data import DataLoader
from minidl.errors import ArgumentError
from minidl.train import DivergenceError, Epoch, History, evaluate, fit


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
    history = fit(model, loader(), loader(1), epochs=3, optimizer=optimizer)
    assert len(history) == 3
    assert history.loss[-1] < history.loss[0]
    assert history.train_accuracy[-1] > 0.98
    assert history.validation_accuracy[-1] > 0.98
    assert history.last.number == 3
    assert history.last.images == 200
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
    train = loader(n=40, batch_size=32, drop_last=True, transform=lambda x, rng: x * 0)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    history = fit(model, train, epochs=1, optimizer=optimizer)
    assert recorder.calls == [(True, 32), (False, 32), (False, 8)]
    logits = blobs(40)[0] @ model[1].weight.data.T + model[1].bias.data
    assert history.last.train_accuracy == np.mean(logits.argmax(1) == blobs(40)[1])
    assert history.last.images == 32


def test_each_epoch_trains_in_training_mode():
    recorder = Recorder()
    model = nn.Sequential(recorder, nn.Linear(2, 2))
    model.eval()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    fit(model, loader(n=32), loader(1, n=16), epochs=2, optimizer=optimizer)
    assert recorder.calls == [(True, 32), (False, 32), (False, 16)] * 2


def test_seconds_are_those_of_training_alone(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("minidl.train.loop.time", clock)
    model, optimizer = linear()

    def tick(module, inputs, output):
        clock.now += 2.0 if module.training else 100.0

    model.register_forward_hook(tick)
    history = fit(model, loader(n=64), loader(1), epochs=1, optimizer=optimizer)
    assert history.last.seconds == 4.0
    assert history.last.images_per_second == 16.0


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
    train = DataLoader(images, labels, batch_size=10)
    fit(flat, train, epochs=2, optimizer=optimizer, schedules=[schedule])
    assert block.keep_prob == pytest.approx(1 - 0.2 * 4 / 6)


def test_without_validation_there_is_no_such_number():
    model, optimizer = linear()
    history = fit(model, loader(), epochs=1, optimizer=optimizer)
    assert history.last.validation_accuracy is None
    assert history.validation_accuracy == []
    assert "test" not in str(history.last)


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
        DivergenceError, match="got nan in epoch 1, step 2; the images of this batch"
    ):
        fit(model, DataLoader(x, y, batch_size=32), epochs=3, optimizer=optimizer)
    assert np.array_equal(model[0].weight.data, weights[-1])


@pytest.mark.parametrize(
    ("train", "validation", "epochs", "words"),
    [
        (loader(n=32), None, 0, "epochs of at least 1, got 0"),
        (loader(n=0), None, 1, "at least one batch in an epoch, got none"),
        (loader(n=8, drop_last=True), None, 1, "drop_last=False"),
        (loader(n=32), loader(n=0), 1, "validation data, got no sample"),
    ],
)
def test_fit_says_what_is_wrong_before_it_starts(train, validation, epochs, words):
    model, optimizer = linear()
    with pytest.raises(ArgumentError, match=f"fit: expected .*{words}"):
        fit(model, train, validation, epochs=epochs, optimizer=optimizer)


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


# -- history and progress -----------------------------------------------------------------------


def test_epoch_reads_well():
    epoch = Epoch(2, 0.12345, 0.98765, 0.5, 2.0, 3000)
    assert str(epoch) == "loss 0.1235   train  98.77 %   test  50.00 %   1,500 images/s"


def test_empty_history_says_so():
    with pytest.raises(ArgumentError, match="at least one epoch, got none"):
        _ = History().last


def test_lines_without_a_terminal_and_nothing_without_a_console(capsys):
    page = io.StringIO()
    model, optimizer = linear()
    console = Console(file=page, width=100, force_terminal=False)
    fit(model, loader(), loader(1), epochs=2, optimizer=optimizer, console=console)
    lines = page.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2   loss 0.")
    assert "train 100.00 %" in lines[1] or "train  9" in lines[1]
    fit(model, loader(), epochs=1, optimizer=optimizer)
    assert capsys.readouterr().out == ""


def test_bar_on_a_terminal_counts_every_step():
    page = io.StringIO()
    model, optimizer = linear()
    console = Console(file=page, width=140, force_terminal=True)
    fit(model, loader(n=96), epochs=2, optimizer=optimizer, console=console)
    text = page.getvalue()
    assert "6/6" in text
    assert "epoch 2/2" in text
    for part in ("loss", "accuracy", "images/s", "left"):
        assert part in text
