"""Layers of dropout: of values, of channels, Gaussian, and of a recurrent cell's update."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import check_range
from minidl.functional.dropout import Dropout as DropoutFunction
from minidl.functional.dropout import check_gaussian, draw_seed
from minidl.nn.module import Module


class Dropout(Module):
    """Inverted dropout: in training each value is dropped with probability p, the rest / (1 - p).

    With `standard` the rest is not scaled in training; in evaluation values are times 1 - p.

    Parameters
    ----------
    p : probability that a value is dropped, in [0, 1]
    standard : scale at test time instead of in training
    rng : where masks are drawn; the library's generator when None
    """

    def __init__(
        self, p: float = 0.5, standard: bool = False, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        check_range("Dropout", "p", p, 0.0, 1.0)
        self.p, self.standard, self.rng = p, standard, rng

    def forward(self, x: Tensor) -> Tensor:
        """Return x with values dropped (in evaluation, x itself or x * (1 - p))."""
        return F.dropout(x, self.p, self.training, self.standard, self.rng)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}" + (", standard=True" if self.standard else "")


class _Dropping(Module):
    """A layer that applies a function of (x, p, training, rng)."""

    function: Callable[..., Tensor]

    def __init__(self, p: float = 0.5, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        check_range(type(self).__name__, "p", p, 0.0, 1.0)
        self.p, self.rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some of it dropped (in evaluation, x itself)."""
        return type(self).function(x, self.p, self.training, self.rng)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"


class Dropout1d(_Dropping):
    """Spatial dropout: whole channels of (n, c, l) are dropped; see `minidl.functional.dropout1d`.

    Parameters
    ----------
    p : probability that a channel is dropped, in [0, 1]
    rng : where masks are drawn; the library's generator when None
    """

    function = staticmethod(F.dropout1d)


class Dropout2d(_Dropping):
    """Spatial dropout: whole channels of (n, c, h, w) are dropped; see `functional.dropout2d`.

    Parameters
    ----------
    p : probability that a channel is dropped, in [0, 1]
    rng : where masks are drawn; the library's generator when None
    """

    function = staticmethod(F.dropout2d)


class Dropout3d(_Dropping):
    """Spatial dropout: whole channels of (n, c, d, h, w) are dropped; see `functional.dropout3d`.

    Parameters
    ----------
    p : probability that a channel is dropped, in [0, 1]
    rng : where masks are drawn; the library's generator when None
    """

    function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropping):
    """Dropout to SELU's floor that keeps mean 0 and variance 1; see `functional.alpha_dropout`.

    Parameters
    ----------
    p : probability that a value is dropped, in [0, 1]
    rng : where masks are drawn; the library's generator when None
    """

    function = staticmethod(F.alpha_dropout)


class GaussianDropout(Module):
    """x * e with e ~ N(1, p / (1 - p)), or N(1, p (1 - p)); see `functional.gaussian_dropout`.

    Parameters
    ----------
    p : probability of dropping in the dropout that this stands for, in [0, 1)
    form : "paper" (Srivastava et al. 2014) or "notes" (the course's), which variance
    rng : where the noise is drawn; the library's generator when None
    """

    def __init__(
        self, p: float = 0.5, form: str = "paper", rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        check_gaussian("GaussianDropout", p, form)
        self.p, self.form, self.rng = p, form, rng

    def forward(self, x: Tensor) -> Tensor:
        """Return x times noise (in evaluation, x itself)."""
        return F.gaussian_dropout(x, self.p, self.training, self.form, self.rng)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}, form={self.form!r}"


class RecurrentDropout(Module):
    """Recurrent dropout without memory loss: the mask on the candidate update g of a cell.

    c = f * c + i * d(g), d being inverted dropout: what the cell remembers is never dropped. A cell
    calls `start` before each sequence and the layer on the g of each step.

    Parameters
    ----------
    p : probability that a unit's update is dropped, in [0, 1]
    per_step : a mask for each step, instead of one that is kept for a sequence
    rng : where masks are drawn; the library's generator when None

    Attributes
    ----------
    seed : of the mask that the sequence keeps; None before its first step

    References
    ----------
    Semeniuta, Severyn & Barth 2016, Recurrent dropout without memory loss, equation 10.
    """

    def __init__(
        self, p: float = 0.5, per_step: bool = False, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        check_range("RecurrentDropout", "p", p, 0.0, 1.0)
        self.p, self.per_step, self.rng = p, per_step, rng
        self.seed: int | None = None

    def start(self) -> None:
        """Begin another sequence, with another mask."""
        self.seed = None

    def forward(self, g: Tensor) -> Tensor:
        """Return g with updates dropped (in evaluation, g itself).

        Rows of a batch that shrinks from its end keep their masks.
        """
        if self.per_step or not self.training or self.p == 0:
            return F.dropout(g, self.p, self.training, rng=self.rng)
        if self.seed is None:
            self.seed = draw_seed(self.rng)
        return DropoutFunction.apply(g, seed=self.seed, p=float(self.p))

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}, per_step={self.per_step}"
