"""Checkpoints of a whole run: killed at any moment and resumed, it ends as if nothing happened."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minidl.errors import ArgumentError, MinidlError, check_sizes, expected
from minidl.serialization import CheckpointError, PathLike, load, load_metadata, save
from minidl.train.callback import Callback
from minidl.train.state import restore_run, state_of_run
from minidl.train.trainer import Trainer

# Counts the arrangements of a checkpoint; another one is refused, not guessed at.
FORMAT = 1
NAME = "minidl.train"


class Checkpoint(Callback):
    """Saves the run to a file as it goes on, and resumes it.

    The file holds the model, the optimizer, schedules, callbacks (early stopping with its best
    weights, averages), history, the loader's place in the epoch, and the states of the random
    generators: the library's, the loader's, and those that modules hold. It is written beside its
    place and renamed, so it is always whole. Arrays are in the safetensors format, the rest is
    JSON in its header: nothing in it is code.

    Parameters
    ----------
    path : of the file; by custom it ends in .safetensors
    resume : True goes on from the file where there is one; False starts afresh and overwrites it;
        None starts afresh and refuses to overwrite a file
    every_epochs : saved after so many epochs; the last one, and Ctrl-C, are saved always
    every_steps : saved after so many steps as well, where not None

    Raises
    ------
    CheckpointError
        by `fit`, where the file is damaged, of another version, or of another run: another
        architecture, optimizer, data set, batch size or list of callbacks. Nothing is changed then.
    """

    last: ClassVar[bool] = True

    def __init__(
        self,
        path: PathLike,
        resume: bool | None = None,
        every_epochs: int = 1,
        every_steps: int | None = None,
    ) -> None:
        check_sizes("Checkpoint", every_epochs=every_epochs)
        if every_steps is not None:
            check_sizes("Checkpoint", every_steps=every_steps)
        self.path, self.resume = Path(path), resume
        self.every_epochs, self.every_steps = every_epochs, every_steps

    def on_train_begin(self, trainer: Trainer) -> None:
        """Resume, or make sure that nothing is lost."""
        for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.*"):
            left.unlink()  # what a kill cut short while it was written
        if not self.path.exists():
            return
        if self.resume:
            resume(trainer, self.path)
        elif self.resume is None:
            hint = "pass resume=True to go on with it, or resume=False to start afresh"
            raise ArgumentError(expected("Checkpoint", "a new file", f"{self.path}", hint))

    def on_step_end(self, trainer: Trainer) -> None:
        """Save after so many steps."""
        if self.every_steps is not None and trainer.steps % self.every_steps == 0:
            save_run(trainer, self.path)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Save after so many epochs, and the last one."""
        over = trainer.stopped or trainer.epoch == trainer.epochs
        if over or trainer.epoch % self.every_epochs == 0:
            save_run(trainer, self.path)

    def on_interrupt(self, trainer: Trainer) -> None:
        """Save where the run was interrupted."""
        save_run(trainer, self.path)


def save_run(trainer: Trainer, path: PathLike) -> None:
    """Write everything that a run goes on from, also in the middle of an epoch."""
    arrays: dict[str, np.ndarray] = {}
    tree = _without_arrays(state_of_run(trainer), "", arrays)
    save(arrays, path, metadata={NAME: json.dumps({"format": FORMAT, "run": tree})})


def resume(trainer: Trainer, path: PathLike) -> None:
    """Put a run back to where `save_run` wrote it; nothing is changed when it does not fit.

    Raises
    ------
    CheckpointError
        naming the first keys that differ where the file is of another run, or what is wrong with it
    """
    state = _read(path)
    before = state_of_run(trainer)
    try:
        restore_run(trainer, state)
    except (MinidlError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        restore_run(trainer, before)
        wanted, hint = f"a checkpoint of this run in {path}", "resume with what it was saved from"
        text = str(error) if isinstance(error, MinidlError) else f"{type(error).__name__}: {error}"
        raise CheckpointError(expected("resume", wanted, f"another one ({text})", hint)) from None


def _read(path: PathLike) -> Any:
    """Return the state of a run that a file holds."""
    arrays, metadata = load(path), load_metadata(path)
    if NAME not in metadata:
        hint = "parameters alone are loaded with model.load_state_dict(minidl.load(path))"
        got = f"a file of {len(arrays)} arrays"
        raise CheckpointError(expected("resume", f"a checkpoint of a run in {path}", got, hint))
    try:
        kept = json.loads(metadata[NAME])
        version, tree = kept["format"], kept["run"]
    except (ValueError, KeyError, TypeError) as error:
        wanted = f"a checkpoint of a run in {path}"
        raise CheckpointError(expected("resume", wanted, f"a damaged one ({error})")) from None
    if version != FORMAT:
        hint = "resume it with the version of minidl that saved it"
        wanted = f"format {FORMAT} in {path}"
        raise CheckpointError(expected("resume", wanted, f"format {version}", hint))
    return _with_arrays(tree, arrays)


def _without_arrays(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """Return what JSON can hold of a state; its arrays go to `arrays` under their places."""
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return {"(array)": place}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        pairs = [(k, _without_arrays(v, f"{place}/{k}", arrays)) for k, v in value.items()]
        if all(isinstance(k, str) for k, _ in pairs):
            return dict(pairs)
        return {"(pairs)": [[k, v] for k, v in pairs]}
    if isinstance(value, list | tuple):
        items = [_without_arrays(v, f"{place}/{i}", arrays) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"(tuple)": items}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    wanted = f"arrays, numbers, texts, lists and dicts in the state at {place}"
    raise ArgumentError(expected("Checkpoint", wanted, type(value).__name__))


def _with_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the state that `_without_arrays` was given."""
    if isinstance(value, list):
        return [_with_arrays(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"(array)": place}:
            if place not in arrays:
                wanted = f"an array {place}"
                raise CheckpointError(expected("resume", wanted, f"only {list(arrays)[:3]}, ..."))
            return arrays[place]
        case {"(tuple)": items}:
            return tuple(_with_arrays(v, arrays) for v in items)
        case {"(pairs)": pairs}:
            return {k: _with_arrays(v, arrays) for k, v in pairs}
    return {k: _with_arrays(v, arrays) for k, v in value.items()}
