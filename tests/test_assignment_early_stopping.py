"""The assignment's classes and functions do what the library's do inside its training loop."""

import ast
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from minidl.tensor import Tensor
from minidl import data, nn, train
from minidl.grading import bank
from minidl.grading.assignment import Assignment
from minidl.grading.check import Recorder, run_check
from minidl.grading.grade import grade_source
from minidl.grading.student import LocalSandbox, LocalStudent

SECRET = b"a secret of the instructor's own"
NAN = float("nan")


@cache
def assignment():
    return Assignment.load("early_stopping_and_ensembles")


@cache
def solution():
    return bank.load_module(assignment().folder / "solution.py")


def passed(source, task):
    """Return, for each check of a task, whether a module passes it under a secret."""
    student = LocalStudent.from_source(source, scenarios=assignment().scenarios)
    found = {}
    for check in assignment().checks_of(task):
        recorder = Recorder(student, assignment().returns, assignment().parameters)
        outcome = run_check(check, recorder, SECRET, f"{task.id}/{check.name}", True)
        found[check.name] = outcome.failure is None
    return found


# --- the library's twins


def trainer_of(model, epoch, **values):
    """Return what a callback looks at after an epoch."""
    last = SimpleNamespace(values=values)
    stops = []
    return SimpleNamespace(
        model=model,
        epoch=epoch,
        steps=epoch,
        history=SimpleNamespace(last=last),
        stop=stops.append,
        stops=stops,
    )


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (3, 0.0), (2, 0.5), (4, 0.25)])
def test_early_stopping_is_the_librarys(mode, patience, min_delta):
    rng = np.random.default_rng(patience)
    for values in rng.integers(0, 12, (20, 30)) / 4 * (1 if mode == "max" else -1):
        values[rng.random(30) < 0.1] = NAN
        model = nn.Linear(2, 2)
        arrays = [p.data for p in model.parameters()]
        theirs = train.EarlyStopping(patience, min_delta, "loss", mode)
        mine = solution().EarlyStopping(patience, min_delta, mode)
        for epoch, value in enumerate(values.tolist(), 1):
            for array in arrays:
                array[...] = rng.normal(size=array.shape)
            at = trainer_of(model, epoch, loss=value)
            theirs.on_epoch_end(at)
            assert mine.update(value, arrays) == bool(at.stops)
            assert (mine.best, mine.best_step) == (theirs.best, theirs.best_epoch)
            assert mine.waited == theirs.waited
        mine.restore(arrays)
        kept = [array.copy() for array in arrays]
        theirs.on_train_end(at)
        for array, p in zip(kept, model.parameters(), strict=True):
            np.testing.assert_array_equal(array, p.data)


@pytest.mark.parametrize(("start", "every"), [(1, 1), (3, 2), (4, 3)])
def test_swa_is_the_librarys(start, every):
    rng, model = np.random.default_rng(0), nn.Linear(3, 2).double()
    theirs, mine = train.SWA(start, every), solution().SWA(start, every)
    arrays = [p.data for p in model.parameters()]
    for epoch in range(1, 12):
        for array in arrays:
            array[...] = rng.normal(size=array.shape)
        theirs.on_epoch_end(trainer_of(model, epoch))
        mine.update(epoch, arrays)
        assert mine.taken == theirs.taken
        for ours, wanted in zip(mine.average(), theirs.average.values(), strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=1e-12)


def test_ema_differs_from_the_librarys_by_where_it_begins():
    """The library begins at w_1, which so counts decay^t more than in a sum that begins at 0."""
    rng, model, decay = np.random.default_rng(1), nn.Linear(3, 2).double(), 0.8
    theirs, mine = train.EMA(decay), solution().EMA(decay)
    arrays = [p.data for p in model.parameters()]
    first = []
    for step in range(1, 9):
        for array in arrays:
            array[...] = rng.normal(size=array.shape)
        first = first or [array.copy() for array in arrays]
        theirs.on_step_end(trainer_of(model, step))
        mine.update(arrays)
        for ours, wanted, w in zip(mine.average(), theirs.average.values(), first, strict=True):
            begun_at_zero = (1 - decay**step) * ours
            np.testing.assert_allclose(begun_at_zero + decay**step * w, wanted, rtol=1e-12)


def test_retraining_takes_as_many_steps_as_the_library():
    x, y = data.digits()
    x, y = x[:50].reshape(50, -1), y[:50]
    first, held = (x[:30], y[:30]), (x[30:], y[30:])

    class Count(train.Callback):
        steps = 0

        def on_step_end(self, trainer):
            self.steps = trainer.steps

    stopping, options = train.EarlyStopping(2), {"lr": 0.05, "progress": False}
    history = train.fit(
        nn.Linear(64, 10), first, held, epochs=8, batch_size=8, callbacks=[stopping], **options
    )
    losses = np.array(history.validation_loss)
    same_steps, same_epochs = solution().retraining_steps(losses, 50, 20, 8)
    assert same_steps == stopping.best_steps
    for unit, wanted in (("steps", same_steps), ("epochs", same_epochs)):
        count = Count()
        train.retrain(
            lambda: nn.Linear(64, 10),
            first,
            held,
            stopping,
            unit=unit,
            batch_size=8,
            callbacks=[count],
            **options,
        )
        assert count.steps == wanted


class Constant(nn.Module):
    """Returns the same outputs whatever comes in."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, x):
        return Tensor(self.outputs)


def test_the_average_is_the_librarys_ensemble():
    logits = np.random.default_rng(2).normal(size=(4, 6, 3)) * 3
    of_probabilities, of_logits = solution().average(logits)
    x = Tensor(np.zeros((6, 1)))
    ensemble = train.Ensemble([Constant(z) for z in logits])
    np.testing.assert_allclose(np.exp(ensemble(x).data), of_probabilities, rtol=1e-12)
    means = train.Ensemble([Constant(z) for z in logits], average="outputs")(x).data
    odds = np.exp(means - means[:, :1])
    np.testing.assert_allclose(of_logits, odds / odds.sum(axis=1, keepdims=True), rtol=1e-12)


def test_ambiguity_is_the_librarys_comparison():
    rng = np.random.default_rng(3)
    predictions, targets = rng.normal(size=(5, 7)), rng.normal(size=7)
    parts = [part.mean() for part in solution().ambiguity(predictions, targets)]
    members = [Constant(row[:, None]) for row in predictions]
    theirs = train.compare_with_random_pick(members, (np.zeros((7, 1)), targets[:, None]))
    np.testing.assert_allclose(parts, theirs, rtol=1e-12)
    np.testing.assert_allclose(parts[0], parts[1] + parts[2], rtol=1e-12)


def test_neither_average_can_raise_the_cross_entropy():
    rng = np.random.default_rng(4)
    logits, labels = rng.normal(size=(5, 200, 4)) * 4, rng.integers(0, 4, 200)
    alone = -np.log([solution().average(z[None])[0][np.arange(200), labels] for z in logits])
    for p in solution().average(logits):
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
        together = -np.log(p[np.arange(200), labels])
        assert (together <= alone.mean(axis=0) + 1e-12).all()


# --- the specification


def test_tasks_hints_and_banks():
    assert assignment().points == 100
    assert len(assignment().tasks) == 13
    assert len(assignment().mistakes) >= 120
    for task in assignment().tasks:
        assert len(task.hints) == 3
        assert task.hints[0].endswith("?")
        assert sum(a.target == task.name for a in assignment().alternatives) >= 3
        assert sum(m.target == task.name for m in assignment().mistakes) >= 5
        answer = ast.parse(assignment().reference.functions[task.function])
        for node in ast.walk(answer):
            if isinstance(node, (ast.BinOp, ast.Call)) and len(ast.unparse(node)) > 12:
                assert ast.unparse(node) not in " ".join(task.hints)
    for mistake in assignment().mistakes:
        assert mistake.says.endswith("."), mistake.id
        assert mistake.question.endswith("?"), mistake.id


@pytest.mark.parametrize("key", [None, SECRET])
def test_the_reference_keeps_every_point_and_the_starter_none(key):
    whole = grade_source(assignment().solution(), assignment(), key, LocalSandbox())
    assert [c for task in whole.tasks for c in task.checks if c.seen] == []
    empty = grade_source(assignment().starter(), assignment(), key, LocalSandbox())
    assert empty.score == 0


def test_every_mistake_fails_a_check_and_every_alternative_passes_them_all():
    for task in assignment().tasks:
        for mistake in assignment().mistakes:
            if mistake.target == task.name:
                source = assignment().with_mistake(mistake.id)
                assert not all(passed(source, task).values()), mistake.id
        for other in assignment().alternatives:
            if other.target == task.name:
                source = assignment().with_alternative(other.id)
                assert all(passed(source, task).values()), other.id
