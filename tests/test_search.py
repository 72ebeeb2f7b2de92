"""Hyper-parameter search: spaces, seeds, pruning, shared studies, and what goes wrong."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
import searching

import minidl
from minidl import nn
from minidl.errors import ArgumentError, DTypeError
from minidl.models import MLP
from minidl.train import DivergenceError, Epoch, History, fit, log_uniform, search


def quadratic(trial):
    """Its minimum is 3 at x = 0.5."""
    return (trial["x"] - 0.5) ** 2 + 3


def test_it_finds_the_minimum_of_a_quadratic():
    result = search(quadratic, {"x": (-10.0, 10.0)}, 40)
    assert result.value == pytest.approx(3, abs=0.1)
    assert abs(result.params["x"] - 0.5) < 0.4
    assert result.history is None
    assert len(result.trials) == 40
    assert result.value == min(trial["value"] for trial in result.trials)


def test_every_kind_of_range():
    space = {"x": (0.0, 1.0), "lr": log_uniform(1e-6, 1.0), "n": (2, 5), "kind": ["a", None, 3]}
    seen = []

    def objective(trial):
        seen.append(trial.params)
        return 0

    search(objective, space, 40)
    x, lr, n, kind = ([params[name] for params in seen] for name in space)
    assert 0 <= min(x) < 0.2 < 0.8 < max(x) <= 1
    assert set(n) == {2, 3, 4, 5}
    assert all(isinstance(value, int) for value in n)
    assert set(kind) == {"a", None, 3}
    assert min(lr) < 1e-4  # as likely as any other magnitude
    assert all(1e-6 <= value <= 1 for value in lr)


def test_fit_in_one_call_and_the_best_history():
    result = searching.run(6)
    assert [trial["number"] for trial in result.trials] == list(range(6))
    assert {"complete"} <= {trial["state"] for trial in result.trials} <= {"complete", "pruned"}
    best = min((t for t in result.trials if t["state"] == "complete"), key=lambda t: t["value"])
    assert (result.value, result.params) == (best["value"], best["params"])
    assert min(result.history.validation_loss) == result.value
    assert len(result.history) == 3
    assert str(result).startswith(f"best {result.value:.4g} with width=")


def test_a_search_is_the_same_every_time_and_leaves_the_generator_alone():
    minidl.manual_seed(0)
    state = minidl.random.generator().bit_generator.state
    results = [searching.run(4) for _ in range(2)]
    assert minidl.random.generator().bit_generator.state == state
    first, second = ([(t["params"], t["value"]) for t in result.trials] for result in results)
    assert first == second
    other = searching.run(4, seed=1)
    assert [t["params"] for t in other.trials] != [t["params"] for t in results[0].trials]


def test_each_trial_has_a_seed_of_its_own():
    drawn = []

    def objective(trial):
        drawn.append((trial.number, trial.seed, nn.Linear(1, 1).weight.data.item()))
        return 1.0

    search(objective, {"x": (0.0, 1.0)}, 3)
    search(objective, {"x": (0.0, 1.0)}, 3)
    assert drawn[:3] == drawn[3:]
    assert len({seed for _, seed, _ in drawn}) == len({weight for *_, weight in drawn}) == 3


def test_accuracies_are_to_be_large():
    def objective(trial):
        values = [{"validation_accuracy": a} for a in (trial["x"], trial["x"] / 2)]
        return History([Epoch(i + 1, given, 1.0, 1) for i, given in enumerate(values)])

    result = search(objective, {"x": (0.0, 1.0)}, 8, monitor="validation_accuracy")
    assert result.value == max(trial["params"]["x"] for trial in result.trials)


def test_bad_trials_are_ended_early_through_the_callback():
    """Learning rates of 1e-9 learn nothing: the median of the others is better after an epoch."""
    epochs = []

    def objective(trial):
        model = MLP([4, 8, 3])
        lr = 0.1 if trial.number < 6 else 1e-9
        history = fit(
            model,
            searching.points(),
            0.3,
            epochs=3,
            lr=lr,
            progress=False,
            callbacks=[lambda trainer: epochs.append(trial.number), trial.pruning],
        )
        return history

    result = search(objective, {"x": (0.0, 1.0)}, 8)
    assert [t["state"] for t in result.trials] == ["complete"] * 6 + ["pruned"] * 2
    assert epochs.count(5) == 3
    assert epochs.count(6) == epochs.count(7) == 1
    epochs.clear()
    search(objective, {"x": (0.0, 1.0)}, 8, prune=False)
    assert epochs.count(7) == 3


def test_a_trial_that_diverges_does_not_end_the_search():
    def objective(trial):
        if trial.number % 2:
            raise DivergenceError("nan", History())
        return float(trial.number)

    result = search(objective, {"x": (0.0, 1.0)}, 4)
    assert [t["state"] for t in result.trials] == ["complete", "pruned"] * 2
    assert str(result).endswith("4 trials: 2 complete, 2 pruned")


def test_two_processes_share_one_study(tmp_path):
    storage = tmp_path / "study.db"
    env = {**os.environ, "PYTHONPATH": str(Path(minidl.__file__).parent.parent)}
    command = [sys.executable, "-W", "error", searching.__file__, str(storage), "3"]
    runs = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE) for _ in range(2)]
    for run in runs:
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 0, errors.decode()
    result = searching.run(1, storage)
    assert [trial["number"] for trial in result.trials] == list(range(7))
    assert len({str(trial["params"]) for trial in result.trials}) == 7
    assert len(result.history) == 3
    with pytest.raises(
        ArgumentError, match="in which validation_accuracy is compared, got 'search'"
    ):
        searching.run(1, storage, monitor="validation_accuracy")


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [3, (1, 2, 3), (2, 1), (1.0, 1.0), (0.0, float("nan")), [], ("a", "b"), "ab"]
)
def test_what_is_no_range(given):
    with pytest.raises(
        ArgumentError, match=r"\(low, high\), log_uniform.* or a list .* for x, got"
    ):
        search(quadratic, {"x": given}, 1)


def test_other_bad_arguments():
    x = {"x": (0.0, 1.0)}
    for call, error, words in [
        (lambda: log_uniform(0, 1), ArgumentError, "0 < low < high, got 0 and 1"),
        (lambda: search(quadratic, x, 0), ArgumentError, "trials as an integer of at least 1"),
        (lambda: search(quadratic, {"x": [nn.ReLU]}, 1), ArgumentError, "choices of x that are"),
        (lambda: search(quadratic, x, 1, epochs=3), ArgumentError, r"got \['epochs'\]; give data"),
        (lambda: search(lambda t: t["y"], x, 1), ArgumentError, r"among \['x'\], got 'y'"),
        (lambda: search(lambda t: "text", x, 1), DTypeError, "a History or a number .*, got str"),
        (lambda: search(lambda t: History(), x, 1), ArgumentError, "'validation_loss' in the his"),
        (lambda: search(lambda t: np.nan, x, 2), ArgumentError, "a trial that came to its end"),
        (
            lambda: search(quadratic, x, 1, storage="/nowhere/at/all.db"),
            ArgumentError,
            "a folder /nowhere/at, got none; create it",
        ),
    ]:
        with pytest.raises(error, match=words):
            call()


def test_a_file_that_is_no_database(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["minidl.train.search"], "ATTEMPTS", 2)
    storage = tmp_path / "study.db"
    storage.write_text("something else, and longer than the head of a database" * 40)
    with pytest.raises(ArgumentError, match=r"a database at sqlite.*, got .*; check the path"):
        search(quadratic, {"x": (0.0, 1.0)}, 1, storage=storage)


def test_what_the_objective_raises_arrives_and_the_study_stays_usable(tmp_path):
    def broken(trial):
        raise KeyError("mine")

    storage = tmp_path / "study.db"
    with pytest.raises(KeyError, match="mine"):
        search(broken, {"x": (0.0, 1.0)}, 2, storage=storage)
    result = search(quadratic, {"x": (0.0, 1.0)}, 2, storage=storage)
    assert [trial["state"] for trial in result.trials] == ["fail", "complete", "complete"]
    assert optuna.logging.get_verbosity() == optuna.logging.INFO


def test_an_interrupted_fit_ends_the_search():
    history = History([Epoch(1, {"validation_loss": 1.0}, 1.0, 1)], stopped="interrupted")
    result = search(lambda trial: history if trial.number == 2 else 1.0, {"x": (0.0, 1.0)}, 9)
    assert [trial["state"] for trial in result.trials] == ["complete", "complete", "fail"]


def test_without_optuna_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ArgumentError, match=r"the package optuna, got none; pip install"):
        search(quadratic, {"x": (0.0, 1.0)}, 1)
