"""Learning rates that change over time.

t counts the calls of `step`, whether they are made after every epoch or after every batch. A new
rate is computed from the present one, as in PyTorch, so several schedules on one optimizer
multiply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

from minidl.errors import ArgumentError, DTypeError, check_sizes, expected
from minidl.optim.optimizer import INITIAL, Optimizer, check_rate

Factor = Callable[[int], float]


class LRScheduler:
    """Base of the schedules: subclasses write `rate`.

    Parameters
    ----------
    optimizer : whose groups' "lr" is changed; the rates it has now are noted as "initial_lr"
    last_epoch : int; -1 begins, another t goes on after it (the groups then need an "initial_lr")

    Attributes
    ----------
    last_epoch : t
    base_lrs : list of float, the rate with which each group began

    Raises
    ------
    ArgumentError
        by `step` where the optimizer has taken no step since the schedule was made: its first rate
        would never be used
    """

    schedulers: Sequence[LRScheduler] = ()

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        op = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(expected(op, "an Optimizer", type(optimizer).__name__))
        if not isinstance(last_epoch, Integral) or last_epoch < -1:
            raise ArgumentError(expected(op, "last_epoch of at least -1", repr(last_epoch)))
        for group in optimizer.param_groups:
            if last_epoch >= 0 and INITIAL not in group:
                hint = "load the optimizer's state_dict first"
                raise ArgumentError(expected(op, f'"{INITIAL}" in every group', "none", hint))
        self.optimizer: Optimizer = optimizer
        self.base_lrs: list[float] = []
        self.last_epoch: int = last_epoch
        self._waits: int | None = optimizer.taken
        self._follow_groups()
        self._last_lr: list[float] = []
        self.advance()

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return the rate at `last_epoch` of a group that has `lr` now and began with `base`."""
        raise NotImplementedError

    def step(self) -> None:
        """Move every group's learning rate on by one."""
        if self._waits is not None and self._waits == self.optimizer.taken:
            raise ArgumentError(
                expected(
                    f"{type(self).__name__}.step",
                    "a step of the optimizer before the first of the schedule",
                    "none",
                    "call optimizer.step() first, then schedule.step()",
                )
            )
        self._waits = None
        self.advance()

    def advance(self) -> None:
        """Move on without asking whether the optimizer did."""
        self._follow_groups()
        self.last_epoch += 1
        given = enumerate(zip(self.optimizer.param_groups, self.base_lrs, strict=True))
        self.write([self.rate(group["lr"], base, i) for i, (group, base) in given])

    def begin(self) -> None:
        """Start anew from the rates the groups began with."""
        self._follow_groups()
        self.last_epoch = -1
        self.write(self.base_lrs)
        self.advance()

    def write(self, rates: Sequence[float]) -> None:
        """Give every group its rate."""
        for lr in rates:
            check_rate(type(self).__name__, "lr", lr)
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = float(lr)
        self._last_lr = [float(lr) for lr in rates]

    def _follow_groups(self) -> None:
        """Note the rate with which groups begin, also those that were added since."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault(INITIAL, group["lr"]))

    def get_last_lr(self) -> list[float]:
        """Return the rates that the last step gave the groups."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer and functions: numbers and lists of them."""
        apart = ("optimizer", "schedulers", "lr_lambdas", "_waits")
        own = {k: _copy(v) for k, v in vars(self).items() if k not in apart}
        states = [schedule.state_dict() for schedule in self.schedulers]
        return {**own, "_schedulers": states} if states else own

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, and the groups' rates with it."""
        self.check_saved(state)
        for schedule, theirs in zip(self.schedulers, state.get("_schedulers", ()), strict=True):
            schedule.load_state_dict(theirs)
        for name, value in state.items():
            if name != "_schedulers":
                setattr(self, name, _copy(value))
        self._waits = None
        self.write(self._last_lr)

    def check_saved(self, state: Mapping[str, Any]) -> None:
        """Raise ArgumentError unless `state` is one of a schedule like this."""
        op, own = f"{type(self).__name__}.load_state_dict", set(self.state_dict())
        if not isinstance(state, Mapping) or set(state) != own:
            found = sorted(state) if isinstance(state, Mapping) else type(state).__name__
            hint = "load the state of a schedule of the same class"
            raise ArgumentError(expected(op, f"the keys {sorted(own)}", found, hint))
        count = len(self.optimizer.param_groups)
        if len(state["_last_lr"]) != count:
            hint = "make the optimizer with the same groups"
            raise ArgumentError(
                expected(op, f"rates of {count} groups", len(state["_last_lr"]), hint)
            )
        if len(state.get("_schedulers", ())) != len(self.schedulers):
            wanted = f"states of {len(self.schedulers)} schedules"
            raise ArgumentError(expected(op, wanted, len(state["_schedulers"])))
        for schedule, theirs in zip(self.schedulers, state.get("_schedulers", ()), strict=True):
            schedule.check_saved(theirs)


class LambdaLR(LRScheduler):
    """lr = lr0 f(t).

    Parameters
    ----------
    lr_lambda : function of t, or a list of one for each group
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1
    ) -> None:
        self.lr_lambdas = _each_group("LambdaLR", optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr0 f(t)."""
        return base * self.lr_lambdas[number](self.last_epoch)


class MultiplicativeLR(LRScheduler):
    """lr <- lr f(t) at every step but the first, t = 0.

    Parameters
    ----------
    lr_lambda : function of t, or a list of one for each group
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1
    ) -> None:
        self.lr_lambdas = _each_group("MultiplicativeLR", optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr f(t)."""
        return lr * self.lr_lambdas[number](self.last_epoch) if self.last_epoch > 0 else lr


class StepLR(LRScheduler):
    """lr = lr0 gamma^floor(t / step_size).

    References
    ----------
    He, Zhang, Ren & Sun 2016, section 3.4 (divided when the error plateaus).
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        check_sizes("StepLR", step_size=step_size)
        check_rate("StepLR", "gamma", gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr gamma every step_size steps."""
        t = self.last_epoch
        return lr * self.gamma if t > 0 and t % self.step_size == 0 else lr


class MultiStepLR(LRScheduler):
    """lr = lr0 gamma^(how many milestones are at most t).

    Parameters
    ----------
    milestones : numbers of steps, in any order

    References
    ----------
    He, Zhang, Ren & Sun 2016, section 4.2 (at 32 and 48 thousand steps).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Sequence[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        check_rate("MultiStepLR", "gamma", gamma)
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr gamma at each milestone."""
        return lr * self.gamma ** self.milestones.count(self.last_epoch)


class ConstantLR(LRScheduler):
    """lr = lr0 factor for t < total_iters, then lr0."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_sizes("ConstantLR", total_iters=total_iters)
        _check_positive("ConstantLR", "factor", factor)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr factor at the beginning, lr / factor at the end."""
        if self.last_epoch == 0:
            return lr * self.factor
        return lr / self.factor if self.last_epoch == self.total_iters else lr


class LinearLR(LRScheduler):
    """lr = lr0 (start + (end - start) t / total) until t = total: a linear warm-up.

    Parameters
    ----------
    start_factor : float above 0, start
    end_factor : float of at least 0, end
    total_iters : int of at least 1, total

    References
    ----------
    Goyal et al. 2017, section 2.2 (gradual warm-up).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_sizes("LinearLR", total_iters=total_iters)
        _check_positive("LinearLR", "start_factor", start_factor)
        check_rate("LinearLR", "end_factor", end_factor)
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr times the factor at t by the factor at t - 1."""
        t, rise = self.last_epoch, self.end_factor - self.start_factor
        if t == 0:
            return lr * self.start_factor
        if t > self.total_iters:
            return lr
        return lr * (1 + rise / (self.total_iters * self.start_factor + (t - 1) * rise))


class ExponentialLR(LRScheduler):
    """lr = lr0 gamma^t.

    References
    ----------
    Robbins & Monro 1951, for what a sequence of rates must satisfy.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        check_rate("ExponentialLR", "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr gamma."""
        return lr * self.gamma if self.last_epoch > 0 else lr


class NaturalExpLR(LRScheduler):
    """lr = lr0 exp(-gamma t).

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 8.3.1, for decaying rates.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        check_rate("NaturalExpLR", "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr exp(-gamma)."""
        return lr * math.exp(-self.gamma) if self.last_epoch > 0 else lr


class InverseTimeLR(LRScheduler):
    """lr = lr0 / (1 + gamma t): slow enough a decay for SGD to arrive, fast enough to rest.

    References
    ----------
    Robbins & Monro 1951; Goodfellow, Bengio & Courville 2016, section 8.3.1.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        check_rate("InverseTimeLR", "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr (1 + gamma (t - 1)) / (1 + gamma t)."""
        t = self.last_epoch
        return lr * (1 + self.gamma * (t - 1)) / (1 + self.gamma * t) if t > 0 else lr


class PolynomialLR(LRScheduler):
    """lr = lr0 (1 - t / total_iters)^power until it is 0.

    References
    ----------
    Chen et al. 2017 (DeepLab), section 4.1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        check_sizes("PolynomialLR", total_iters=total_iters)
        check_rate("PolynomialLR", "power", power)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return lr times what is left at t by what was left at t - 1."""
        t, total = self.last_epoch, self.total_iters
        if t == 0 or t > total:
            return lr
        return lr * ((1 - t / total) / (1 - (t - 1) / total)) ** self.power


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (lr0 - eta_min) (1 + cos(pi t / T_max)) / 2: after T_max it rises again.

    Parameters
    ----------
    T_max : int of at least 1
    eta_min : float, the lowest rate

    References
    ----------
    Loshchilov & Hutter 2017, equation 5, without restarts.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        check_sizes("CosineAnnealingLR", T_max=T_max)
        check_rate("CosineAnnealingLR", "eta_min", eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return eta_min plus what lr is above it, times the cosines' ratio."""
        t, low = self.last_epoch, self.eta_min
        if t == 0:
            return lr
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # the rate is eta_min: no ratio tells
            return lr + (base - low) * (1 - math.cos(math.pi / self.T_max)) / 2
        now, before = (1 + math.cos(math.pi * s / self.T_max) for s in (t, t - 1))
        return now / before * (lr - low) + low


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (lr0 - eta_min) (1 + cos(pi s / T)) / 2, s steps after the last restart.

    Parameters
    ----------
    T_0 : int of at least 1, T up to the first restart
    T_mult : int of at least 1; each T is so many times the one before
    eta_min : float, the lowest rate

    References
    ----------
    Loshchilov & Hutter 2017, section 3.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        check_sizes("CosineAnnealingWarmRestarts", T_0=T_0, T_mult=T_mult)
        check_rate("CosineAnnealingWarmRestarts", "eta_min", eta_min)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float, base: float, number: int) -> float:
        """Return the cosine's value in the present period."""
        period, since = self.T_0, self.last_epoch
        while since >= period:
            since, period = since - period, period * self.T_mult
        share = (1 + math.cos(math.pi * since / period)) / 2
        return self.eta_min + (base - self.eta_min) * share


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def _check_positive(op: str, name: str, value: float) -> None:
    """Raise ArgumentError unless value is above 0."""
    check_rate(op, name, value)
    if value == 0:
        raise ArgumentError(expected(op, f"{name} above 0", value))


def _each_group(op: str, optimizer: Optimizer, functions: Any) -> list[Factor]:
    """Return one function for each group."""
    count = len(optimizer.param_groups) if isinstance(optimizer, Optimizer) else 0
    listed = list(functions) if isinstance(functions, list | tuple) else [functions] * count
    if len(listed) != count or not all(callable(f) for f in listed):
        wanted = f"a function of t, or a list of {count}, one for each group"
        raise ArgumentError(expected(op, wanted, functions))
    return listed
