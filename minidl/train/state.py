"""All that a run goes on from, as arrays, numbers, texts, lists and dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from minidl import random
from minidl.errors import ArgumentError, expected
from minidl.nn import Module
from minidl.train.evaluation import Running
from minidl.train.trainer import Trainer


@runtime_checkable
class Stateful(Protocol):
    """What optimizers, schedules and callbacks need so that a checkpoint can hold them."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""

    def load_state_dict(self, state: Any) -> None:
        """Take it back."""


def state_of_run(trainer: Trainer) -> dict[str, Any]:
    """Return the state of a run between two steps.

    Raises
    ------
    ArgumentError
        naming an optimizer or schedule that has no state_dict and load_state_dict
    """
    return {
        "model": trainer.model.state_dict(),
        **{name: [_state(one) for one in ones] for name, ones in _parts(trainer).items()},
        "epoch": trainer.epoch,
        "steps": trainer.steps,
        "stopped": trainer.stopped,
        "history": trainer.history.state_dict(),
        "running": trainer.running and trainer.running.state_dict(),
        "loader": trainer.train.state_dict(),
        "random": {name: rng.bit_generator.state for name, rng in _generators(trainer.model)},
    }


def restore_run(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Take over a state; where it is of another run, some of it may have been taken over.

    Raises
    ------
    ArgumentError, or what load_state_dict raises
        where it is of another run
    """
    _compare("parameter", _shapes(trainer.model.state_dict()), _shapes(state["model"]))
    for name, ones in _parts(trainer).items():
        kinds = [type(one).__name__ for one in ones], [kind for kind, _ in state[name]]
        _compare(name, dict(enumerate(kinds[0])), dict(enumerate(kinds[1])))
    generators = dict(_generators(trainer.model))
    kinds_of_rng = [_kinds({n: rng.bit_generator.state for n, rng in generators.items()})]
    _compare("random generator", kinds_of_rng[0], _kinds(state["random"]))
    trainer.model.load_state_dict(state["model"])
    for name, ones in _parts(trainer).items():
        for one, (_, saved) in zip(ones, state[name], strict=True):
            one.load_state_dict(saved)
    trainer.epoch, trainer.steps = state["epoch"], state["steps"]
    trainer.stopped = state["stopped"]
    trainer.history.load_state_dict(state["history"])
    trainer.running = None if state["running"] is None else Running(**state["running"])
    trainer.train.load_state_dict(state["loader"])
    for name, rng in generators.items():
        rng.bit_generator.state = state["random"][name]


def _parts(trainer: Trainer) -> dict[str, Sequence[Any]]:
    """Return what has a state of its own, by kind."""
    return {
        "schedule": [*trainer.schedules, *trainer.epoch_schedules],
        # After the schedules: each of them writes the rate that it set last, and the optimizer has
        # what the last of all made of it.
        "optimizer": [trainer.optimizer],
        # Those that only look on may come and go.
        "callback": [one for one in trainer.callbacks if one.state_dict()],
    }


def _state(one: Any) -> list[Any]:
    name = type(one).__name__
    if not isinstance(one, Stateful):
        hint = "define both, or train without a checkpoint"
        wanted = f"{name} with state_dict and load_state_dict"
        raise ArgumentError(expected("Checkpoint", wanted, "none", hint))
    return [name, one.state_dict()]


def _generators(model: Module) -> Iterator[tuple[str, np.random.Generator]]:
    """Yield the library's random generator and those that modules hold, by path."""
    yield "library", random.generator()
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, np.random.Generator):
                yield f"{path}.{name}", value


def _shapes(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.shape(array) for name, array in state.items()}


def _kinds(states: Mapping[str, Any]) -> dict[str, str]:
    return {name: state["bit_generator"] for name, state in states.items()}


def _compare(what: str, mine: Mapping[Any, Any], saved: Mapping[Any, Any]) -> None:
    """Raise ArgumentError naming the first three keys under which two runs differ."""
    names = [name for name in dict.fromkeys([*mine, *saved]) if mine.get(name) != saved.get(name)]
    if not names:
        return
    told = [f"{what} {n}: here {mine.get(n, 'none')}, saved {saved.get(n, 'none')}" for n in names]
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    raise ArgumentError("; ".join(told[:3]) + more)
