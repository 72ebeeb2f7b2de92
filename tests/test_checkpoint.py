"""A run that is killed and resumed ends to the bit as one that nothing happened to."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import interrupted_run
import numpy as np
import pytest

import minidl
from minidl import data, nn, optim, serialization
from minidl.errors import ArgumentError
from minidl.serialization import CheckpointError
from minidl.train import Callback, Checkpoint, EarlyStopping, fit
from minidl.train.checkpoint import FORMAT, NAME


def equal(left, right):
    """Assert equality of all arrays, to the bit."""
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert array.dtype == right[name].dtype, name
        assert np.array_equal(array, right[name]), name


class Copies(Callback):
    """Keeps a copy of the checkpoint as it is after every step and epoch."""

    last = True

    def __init__(self, path):
        self.path, self.copies = path, []

    def on_step_end(self, trainer):
        self.keep()

    def on_epoch_end(self, trainer):
        self.keep()

    def keep(self):
        self.copies.append(shutil.copy(self.path, self.path.with_name(f"{len(self.copies)}.copy")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The numbers of a whole run, and its checkpoints after every step and epoch."""
    path = tmp_path_factory.mktemp("whole") / "run.safetensors"
    copies = Copies(path)
    return interrupted_run.result(*interrupted_run.train(path, [copies])), copies.copies


def test_resumed_from_every_moment_it_ends_with_the_same_bits(undisturbed):
    whole, copies = undisturbed
    assert len(copies) == interrupted_run.EPOCHS * (5 + 1)
    for copy in copies[::5]:  # every place in an epoch once
        minidl.manual_seed(999)  # what other programs drew meanwhile
        equal(interrupted_run.result(*interrupted_run.train(copy)), whole)


def test_accumulated_steps_resume_as_well(tmp_path):
    """5 batches in groups of 2: the last group of an epoch is short."""
    path = tmp_path / "run.safetensors"
    copies = Copies(path)
    run = interrupted_run.train
    whole = interrupted_run.result(*run(path, [copies], accumulate=2, epochs=2))
    assert len(copies.copies) == 2 * (3 + 1)
    for copy in copies.copies:
        equal(interrupted_run.result(*run(copy, accumulate=2, epochs=2)), whole)


def test_killed_again_and_again_it_ends_with_the_same_bits(undisturbed, tmp_path):
    path, out = tmp_path / "run.safetensors", tmp_path / "out.safetensors"
    command = [sys.executable, interrupted_run.__file__, str(path), str(out)]
    draw, kills = random.Random(0), 0
    env = {**os.environ, "PYTHONPATH": str(Path(minidl.__file__).parent.parent)}
    while not out.exists():
        seen = path.stat().st_mtime_ns if path.exists() else 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as run:
            assert run.stdout.readline() == b"ready\n"
            while kills < 3 and run.poll() is None:
                if path.exists() and path.stat().st_mtime_ns != seen:
                    time.sleep(draw.uniform(0, 0.03))
                    run.send_signal(signal.SIGKILL)
                    kills += 1
                    break
                time.sleep(0.001)
        assert run.returncode in (0, -signal.SIGKILL)
    assert kills == 3
    equal(minidl.load(out), undisturbed[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == [out.name, path.name]


def test_interrupted_in_the_middle_of_an_epoch_it_goes_on_there(undisturbed, tmp_path):
    path = tmp_path / "run.safetensors"

    class Press(Callback):
        def on_step_end(self, trainer):
            if trainer.steps == 13:
                signal.raise_signal(signal.SIGINT)

    assert interrupted_run.train(path, [Press()])[1].stopped == "interrupted"
    equal(interrupted_run.result(*interrupted_run.train(path)), undisturbed[0])


def test_a_finished_run_only_gives_its_result_again(undisturbed):
    whole, copies = undisturbed
    model, history = interrupted_run.train(copies[-1])
    equal(interrupted_run.result(model, history), whole)


def test_a_run_that_was_stopped_early_stays_stopped_at_its_best(tmp_path):
    path = tmp_path / "run.safetensors"

    def run():
        stopping, model = EarlyStopping(1, monitor="validation_loss"), interrupted_run.build()
        callbacks = [stopping, Checkpoint(path, resume=True)]
        options = {"epochs": 50, "lr": 0.1, "callbacks": callbacks, "progress": False}
        history = fit(model, *interrupted_run.digits(), **options)
        return model.state_dict(), history, stopping

    (state, history, stopping), (again, same, other) = run(), run()
    equal(again, state)
    assert len(history) == len(same) == stopping.best_epoch + 1 < 50
    assert history.stopped == same.stopped != ""
    assert (other.best, other.best_epoch) == (stopping.best, stopping.best_epoch)
    equal(again, stopping.best_state)


def test_more_epochs_go_on_from_the_end(undisturbed, tmp_path):
    short = tmp_path / "short.safetensors"
    interrupted_run.train(short, epochs=3)
    equal(interrupted_run.result(*interrupted_run.train(short)), undisturbed[0])


# -- what is no checkpoint of this run ----------------------------------------------------------


@pytest.fixture
def saved(undisturbed, tmp_path):
    return Path(shutil.copy(undisturbed[1][7], tmp_path / "run.safetensors"))


def rewritten(path, change):
    """Change the JSON part of a checkpoint."""
    kept = json.loads(serialization.load_metadata(path)[NAME])
    change(kept)
    minidl.save(minidl.load(path), path, metadata={NAME: json.dumps(kept)})


def test_another_architecture_is_named_by_its_first_keys(saved):
    with pytest.raises(CheckpointError) as caught:
        interrupted_run.train(saved, width=16)
    assert (
        "another one (parameter 0.weight: here (16, 64), saved (12, 64); "
        "parameter 0.bias: here (16,), saved (12,); parameter 1.weight: here (16,), saved (12,), "
        "and 4 more); resume with what it was saved from"
    ) in str(caught.value)


def simple(path, model=None, optimizer=None, **options):
    """A run without anything around it."""
    minidl.manual_seed(0)
    model = model or nn.Linear(64, 10)
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.1)
    options = {"callbacks": [], "batch_size": 50, "epochs": 2, **options}
    callbacks = [Checkpoint(path, resume=True), *options.pop("callbacks")]
    pair = options.pop("data", interrupted_run.digits()[0])
    return fit(model, pair, optimizer=optimizer, callbacks=callbacks, progress=False, **options)


def adam(lr=0.1):
    return lambda params: optim.Adam(params, lr=lr)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": nn.Sequential(nn.Linear(64, 10))}, "parameter weight: here none, saved"),
        ({"optimizer": adam()}, "optimizer 0: here Adam, saved SGD"),
        ({"callbacks": [EarlyStopping(monitor="loss")]}, "callback 0: here EarlyStopping, saved n"),
        ({"batch_size": 20}, "batch_size 50 as in the state, got 20"),
        ({"data": interrupted_run.digits()[1]}, "samples 300 as in the state, got 200"),
    ],
)
def test_another_run_is_refused_and_nothing_is_changed(tmp_path, options, words):
    path = tmp_path / "run.safetensors"
    simple(path)
    options = {"model": nn.Linear(64, 10), **options}
    options.setdefault("optimizer", lambda params: optim.SGD(params, lr=0.5))
    before, raw = options["model"].state_dict(), path.read_bytes()
    with pytest.raises(
        CheckpointError, match=f"resume: expected a checkpoint of this run .*{words}"
    ):
        simple(path, **options)
    equal(options["model"].state_dict(), before)
    assert path.read_bytes() == raw


def test_a_misfit_found_late_changes_nothing_either(saved):
    """The loader's state is the last but one to be read."""
    rewritten(saved, lambda kept: kept["run"]["loader"].update(samples=1))
    models = []
    build = interrupted_run.build
    minidl.manual_seed(0)

    def remembered(width):
        models.append(build(width))
        return models[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interrupted_run, "build", remembered)
        with pytest.raises(CheckpointError, match="samples 1 as in the state, got 300"):
            interrupted_run.train(saved)
    equal(models[0].state_dict(), build().state_dict())


def test_another_version_is_said_to_be_one(saved):
    rewritten(saved, lambda kept: kept.update(format=FORMAT + 1))
    with pytest.raises(
        CheckpointError, match=f"format {FORMAT} in .*, got format 2; resume it with"
    ):
        interrupted_run.train(saved)


def test_a_file_that_was_cut_and_files_that_are_none(saved):
    raw = saved.read_bytes()
    for cut in (0, 5, 100, len(raw) // 2, len(raw) - 1):
        saved.write_bytes(raw[:cut])
        with pytest.raises(
            CheckpointError, match=r"a whole safetensors file at .*, got a damaged one"
        ):
            interrupted_run.train(saved)
    minidl.save(interrupted_run.build(), saved)
    with pytest.raises(
        CheckpointError, match="got a file of 9 arrays; parameters alone are loaded"
    ):
        interrupted_run.train(saved)
    minidl.save({}, saved, metadata={NAME: "{}"})
    with pytest.raises(CheckpointError, match="got a damaged one"):
        interrupted_run.train(saved)


def test_missing_keys_are_named(saved):
    rewritten(saved, lambda kept: kept["run"].pop("steps"))
    with pytest.raises(CheckpointError, match=r"another one .KeyError: 'steps'."):
        interrupted_run.train(saved)
    arrays = minidl.load(saved)
    arrays.pop("/model/0.weight")
    metadata = serialization.load_metadata(saved)
    minidl.save(arrays, saved, metadata=metadata)
    with pytest.raises(CheckpointError, match="expected an array /model/0"):
        interrupted_run.train(saved)


def test_a_checkpoint_is_not_overwritten_by_chance(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"precious")
    model, pair = nn.Linear(64, 10), interrupted_run.digits()[0]
    with pytest.raises(ArgumentError, match=r"expected a new file, got .*; pass resume"):
        fit(model, pair, epochs=1, callbacks=[Checkpoint(path)])
    assert path.read_bytes() == b"precious"
    fit(model, pair, epochs=1, callbacks=[Checkpoint(path, resume=False)])
    assert minidl.load(path)


class Bare:
    """A schedule without a state."""

    def step(self):
        """Do nothing."""


def test_what_cannot_be_saved_is_named(tmp_path):
    path = tmp_path / "run.safetensors"
    with pytest.raises(ArgumentError, match="Bare with state_dict and load_state_dict, got none"):
        simple(path, schedules=[Bare()])

    class Odd(Callback):
        def state_dict(self):
            return {"what": object()}

    with pytest.raises(ArgumentError, match=r"in the state at /callback/0/1/what, got object"):
        simple(path, callbacks=[Odd()])


def test_states_of_all_kinds_come_back(tmp_path):
    """What JSON alone would lose: tuples, keys that are numbers, NaN, arrays inside."""
    kept = {
        "tuple": (1, (2.5, None)),
        3: {"array": np.arange(3, dtype=np.int16)},
        "nan": [float("inf"), True, "text"],
        "number": np.float64(0.1),
        "(array)": "a name like ours",
    }
    seen = []

    class Rich(Callback):
        def state_dict(self):
            return kept

        def load_state_dict(self, state):
            seen.append(state)

    for epochs in (1, 2):
        simple(tmp_path / "run.safetensors", callbacks=[Rich()], epochs=epochs)
    (state,) = seen
    assert state.pop(3)["array"].tolist() == [0, 1, 2]
    assert state == {name: value for name, value in kept.items() if name != 3}


def test_how_often_it_is_saved(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(
        "minidl.train.checkpoint.save_run", lambda trainer, path: saved.append(trainer.steps)
    )
    loader = data.DataLoader(*interrupted_run.digits()[0], batch_size=100)
    callbacks = [Checkpoint(tmp_path / "x", every_epochs=2, every_steps=4)]
    fit(nn.Linear(64, 10), loader, epochs=5, callbacks=callbacks)
    assert saved == [4, 6, 8, 12, 12, 15]
    for options in ({"every_epochs": 0}, {"every_steps": 1.5}):
        with pytest.raises(ArgumentError, match="Checkpoint: expected every_"):
            Checkpoint("x", **options)
