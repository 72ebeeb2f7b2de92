"""Functions of two variables on which optimizers are compared, written on Tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minidl.tensor import Tensor


@dataclass(frozen=True)
class Surface:
    """A function f(x, y), where to look at it, where to start, and its minima.

    Attributes
    ----------
    name : str
    f : (x, y) Tensors to a Tensor, element by element
    x_range, y_range : the part that is drawn
    start : (x, y)
    minima : of (x, y), empty where there is none
    logarithmic : whether its levels are drawn in equal ratios
    """

    name: str
    f: Callable[[Tensor, Tensor], Tensor]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...] = ()
    logarithmic: bool = True


def beale(x: Tensor, y: Tensor) -> Tensor:
    """(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2; 0 at (3, 0.5).

    References
    ----------
    Beale 1958; Jamil & Yang 2013, function 10.
    """
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    """(1 - x)^2 + 100 (y - x^2)^2: a curved valley; 0 at (1, 1).

    References
    ----------
    Rosenbrock 1960.
    """
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def saddle(x: Tensor, y: Tensor) -> Tensor:
    """x^2 - y^2: no minimum; whoever starts near y = 0 has to break the symmetry."""
    return x**2 - y**2


def bowl(condition: float = 50.0) -> Callable[[Tensor, Tensor], Tensor]:
    """Return (x^2 + condition y^2) / 2: a bowl `condition` times as steep one way as the other."""

    def f(x: Tensor, y: Tensor) -> Tensor:
        """(x^2 + condition y^2) / 2."""
        return (x**2 + condition * y**2) * 0.5

    return f


BEALE = Surface("Beale", beale, (-4.5, 4.5), (-4.5, 4.5), (1.0, 1.5), ((3.0, 0.5),))
ROSENBROCK = Surface("Rosenbrock", rosenbrock, (-2, 2), (-1, 3), (-1.5, 2.0), ((1.0, 1.0),))
SADDLE = Surface("Saddle", saddle, (-1.5, 1.5), (-1.5, 1.5), (1.2, 1e-3), logarithmic=False)
BOWL = Surface("Ill-conditioned bowl", bowl(), (-10, 10), (-3, 3), (-9.0, 1.5), ((0.0, 0.0),))
SURFACES = (BEALE, ROSENBROCK, SADDLE, BOWL)
