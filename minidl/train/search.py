"""Hyper-parameter search: Optuna over `fit` in one call; several processes may share a study."""

from __future__ import annotations

import importlib
import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidl import random
from minidl.errors import ArgumentError, DTypeError, check_sizes, expected
from minidl.train.callback import Callback
from minidl.train.early_stopping import monitored
from minidl.train.history import History
from minidl.train.interrupt import INTERRUPTED
from minidl.train.loop import fit
from minidl.train.trainer import DivergenceError, Trainer

# To open a database that another process is creating.
ATTEMPTS = 6


class LogUniform(NamedTuple):
    """Between low and high, each magnitude as likely as another; integers where both are."""

    low: float
    high: float


# What a name in a space may stand for.
Range = LogUniform | tuple[float, float] | list[Any]


def log_uniform(low: float, high: float) -> LogUniform:
    """Return a range in which each magnitude is as likely as another: for learning rates, say.

    Raises
    ------
    ArgumentError
        unless 0 < low < high
    """
    if not 0 < low < high < math.inf:
        raise ArgumentError(expected("log_uniform", "0 < low < high", f"{low} and {high}"))
    return LogUniform(low, high)


class Trial:
    """One choice of the parameters: `trial["lr"]`.

    Attributes
    ----------
    params : all of them by name
    number : of the trial in its study, from 0
    seed : its own; while the objective runs, everything random follows from it
    pruning : a callback for `fit` that ends a trial which does worse than others did by then
    """

    def __init__(self, given: Any, params: dict[str, Any], seed: int, monitor: str) -> None:
        self.given, self.params, self.seed = given, params, seed
        self.number: int = given.number
        self.pruning = Pruning(given, monitor)

    def __getitem__(self, name: str) -> Any:
        if name not in self.params:
            raise ArgumentError(expected("Trial", f"a name among {list(self.params)}", repr(name)))
        return self.params[name]


class Pruning(Callback):
    """Reports each epoch's value to the study, and ends the trial when the study asks for it."""

    def __init__(self, trial: Any, monitor: str) -> None:
        self.trial, self.monitor = trial, monitor

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Report, and ask."""
        value = monitored("search", trainer.history, self.monitor)
        self.trial.report(value, trainer.epoch)
        if self.trial.should_prune():
            raise _optuna().TrialPruned(f"{self.monitor} {value:.4g} in epoch {trainer.epoch}")


@dataclass(frozen=True)
class SearchResult:
    """What a search found, in all processes that share its study so far.

    Parameters
    ----------
    params : the best ones by name
    value : what they came to
    history : of the best trial, where the objective was a History
    trials : each as a dict of number, state, value, seconds and params
    study : Optuna's own, for its plots and tables
    """

    params: dict[str, Any]
    value: float
    history: History | None
    trials: list[dict[str, Any]]
    study: Any

    def __str__(self) -> str:
        best = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        states = [trial["state"] for trial in self.trials]
        counts = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))
        return f"best {self.value:.4g} with {best}; {len(states)} trials: {counts}"


def search(
    objective: Callable[[Trial], Any],
    space: Mapping[str, Range],
    trials: int = 20,
    *,
    data: Any = None,
    monitor: str = "validation_loss",
    study: str = "search",
    storage: str | Path | None = None,
    seed: int = 0,
    prune: bool = True,
    **options: Any,
) -> SearchResult:
    """Look for the parameters with the best value.

    Parameters
    ----------
    objective : (trial) -> the History of a `fit`, whose best value of `monitor` counts, or a
        number. With `data`: (trial) -> a model, and `fit` is called here
    space : for each name (low, high), whole numbers where both are; log_uniform(low, high); or a
        list of choices
    trials : how many this call runs; other processes, and calls before, add theirs
    data : what `fit` trains on. Names in the space that are options of `fit` (lr, batch_size, ...)
        are given to it
    monitor : the name of a value; accuracies are to be large, everything else small. A number that
        the objective returns is compared likewise
    study : its name in the storage; one that is there is gone on with
    storage : a file (SQLite) that several processes may share, or a database's URL; None keeps the
        study in memory
    seed : of the study: trial n draws, and is proposed, from (seed, n) and the trials before
    prune : whether trials that do worse than the median of the others by the same epoch end early:
        `trial.pruning` is to be among the callbacks of `fit` (with `data` it is)
    **options : of `fit`, with `data`

    Returns
    -------
    SearchResult

    Raises
    ------
    ArgumentError
        without Optuna (pip install 'minidl[search]'), for a space that cannot be read, and where no
        trial came to an end. A trial that diverges counts as pruned.

    References
    ----------
    Akiba et al. 2019 (Optuna); Bergstra et al. 2011 (the tree-structured Parzen estimator).

    Examples
    --------
    >>> from minidl import data, models
    >>> images, labels = data.digits()
    >>> result = search(
    ...     lambda trial: models.MLP([64, trial["width"], 10]),
    ...     {"width": [16, 32], "lr": log_uniform(1e-4, 0.1)},
    ...     trials=3,
    ...     data=(images.reshape(-1, 64), labels),
    ...     validation=0.2,
    ...     epochs=1,
    ... )
    >>> sorted(result.params), result.value == min(result.history.validation_loss)
    (['lr', 'width'], True)
    """
    optuna = _optuna()
    check_sizes("search", trials=trials)
    distributions = {name: _distribution(optuna, name, given) for name, given in space.items()}
    if data is not None:
        objective = _Fit(objective, data, {"progress": False, **options})
    elif options:
        hint = "give data as well, or call fit in the objective"
        raise ArgumentError(expected("search", "options of fit with data", list(options), hint))
    maximize = monitor.endswith("accuracy")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        shared = optuna.create_study(
            study_name=study,
            storage=_storage(optuna, storage),
            sampler=_sampler(optuna, seed),
            pruner=optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner(),
            direction="maximize" if maximize else "minimize",
            load_if_exists=True,
        )
        if (shared.direction.name == "MAXIMIZE") != maximize:
            wanted, hint = f"a study in which {monitor} is compared", "take another name"
            raise ArgumentError(expected("search", wanted, f"{study!r} of the other kind", hint))
        run = _Run(optuna, objective, distributions, monitor, seed)
        for _ in range(trials):
            if run(shared):
                break
    finally:
        optuna.logging.set_verbosity(before)
    return _result(optuna, shared)


@dataclass
class _Fit:
    """The objective made of a function that builds a model, and of `fit`."""

    build: Callable[[Trial], Any]
    data: Any
    options: dict[str, Any]

    def __call__(self, trial: Trial) -> History:
        """Build a model and train it, with what the trial has among the options of `fit`."""
        known = inspect.signature(fit).parameters
        chosen = {name: value for name, value in trial.params.items() if name in known}
        callbacks = [*self.options.get("callbacks", ()), trial.pruning]
        options = {**self.options, **chosen, "callbacks": callbacks}
        return fit(self.build(trial), self.data, **options)


@dataclass
class _Run:
    """Runs one trial after the other."""

    optuna: Any
    objective: Callable[[Trial], Any]
    distributions: dict[str, Any]
    monitor: str
    seed: int

    def __call__(self, study: Any) -> bool:
        """Run a trial; return whether it was interrupted, and the search shall end."""
        states = self.optuna.trial.TrialState
        given = study.ask(self.distributions)
        seed = int(np.random.SeedSequence([self.seed, given.number]).generate_state(1)[0])
        trial = Trial(given, dict(given.params), seed, self.monitor)
        try:
            with random.drawing_from(np.random.default_rng(seed)):
                found = self.objective(trial)
            value = self._value(given, found)
        except (self.optuna.TrialPruned, DivergenceError):
            study.tell(given, state=states.PRUNED)
            return False
        except BaseException:
            study.tell(given, state=states.FAIL)
            raise
        interrupted = isinstance(found, History) and found.stopped == INTERRUPTED
        if interrupted or math.isnan(value):
            study.tell(given, state=states.FAIL)
        else:
            study.tell(given, value)
        return interrupted

    def _value(self, given: Any, found: Any) -> float:
        """Return the number that an objective's result stands for; keep a history."""
        if not isinstance(found, History):
            if not isinstance(found, Real):
                wanted, got = "a History or a number from the objective", type(found).__name__
                raise DTypeError(expected("search", wanted, got))
            return float(found)
        given.set_user_attr("history", found.state_dict())
        values = found[self.monitor]
        if not values:
            wanted = f"{self.monitor!r} in the history"
            raise ArgumentError(expected("search", wanted, found.names, "give validation data"))
        best = np.nanmax if self.monitor.endswith("accuracy") else np.nanmin
        return float(best(values)) if not np.isnan(values).all() else math.nan


def _distribution(optuna: Any, name: str, given: Range) -> Any:
    """Return Optuna's word for a range or a list of choices."""
    made = optuna.distributions
    if isinstance(given, list) and given:
        if all(isinstance(one, bool | int | float | str | None) for one in given):
            return made.CategoricalDistribution(given)
        wanted, hint = f"choices of {name} that are numbers, texts or None", "look up by a name"
        raise ArgumentError(expected("search", wanted, given, hint))
    if isinstance(given, tuple) and len(given) == 2 and all(isinstance(x, Real) for x in given):
        low, high = given
        if -math.inf < low < high < math.inf:
            log = isinstance(given, LogUniform)
            whole = isinstance(low, int) and isinstance(high, int)
            kind = made.IntDistribution if whole else made.FloatDistribution
            return kind(low, high, log=log)
    wanted = f"(low, high), log_uniform(low, high) or a list of choices for {name}"
    raise ArgumentError(expected("search", wanted, repr(given)))


def _storage(optuna: Any, storage: str | Path | None) -> Any:
    """Return where the study is kept; another process may hold the file for a minute.

    Two that begin at once both create its tables: the one that comes second tries again.
    """
    if storage is None:
        return None
    url = str(storage)
    if "://" not in url:
        if not Path(storage).parent.is_dir():
            folder = f"a folder {Path(storage).parent}"
            raise ArgumentError(expected("search", folder, "none", "create it first"))
        url = f"sqlite:///{storage}"
    waiting = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    database = importlib.import_module("sqlalchemy.exc")
    for attempt in range(ATTEMPTS):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=waiting)
        except (database.SQLAlchemyError, RuntimeError) as error:
            reason = error
            time.sleep(0.1 * attempt)
    told = str(reason).partition("\n")[0]
    raise ArgumentError(expected("search", f"a database at {url}", told, "check the path"))


def _sampler(optuna: Any, seed: int) -> Any:
    """Return a sampler that draws for each trial from (seed, its number).

    So processes that share a study propose different trials, and a search in one process is the
    same every time.
    """

    class Seeded(optuna.samplers.BaseSampler):
        """Makes Optuna's sampler anew for each trial."""

        def before_trial(self, study: Any, trial: Any) -> None:
            draw = np.random.SeedSequence([seed, trial.number, 1]).generate_state(1)[0]
            self.made = optuna.samplers.TPESampler(seed=int(draw))
            self.made.before_trial(study, trial)

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            return self.made.infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            return self.made.sample_relative(study, trial, search_space)

        def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
            return self.made.sample_independent(study, trial, name, distribution)

    return Seeded()


def _result(optuna: Any, study: Any) -> SearchResult:
    """Return what a study holds now."""
    finished = optuna.trial.TrialState.COMPLETE
    kept = study.get_trials(deepcopy=False)
    if not any(trial.state == finished for trial in kept):
        hint = "all diverged, were pruned or failed: look at smaller learning rates"
        raise ArgumentError(expected("search", "a trial that came to its end", "none", hint))
    best, history = study.best_trial, None
    if "history" in best.user_attrs:
        history = History()
        history.load_state_dict(best.user_attrs["history"])
    trials = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value,
            "seconds": trial.duration.total_seconds() if trial.duration else None,
            "params": dict(trial.params),
        }
        for trial in kept
    ]
    return SearchResult(dict(best.params), best.value, history, trials, study)


def _optuna() -> Any:
    """Return the package, or say how to get it."""
    try:
        return importlib.import_module("optuna")
    except ImportError:
        hint = "pip install 'minidl[search]'"
        raise ArgumentError(expected("search", "the package optuna", "none", hint)) from None
