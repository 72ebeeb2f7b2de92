"""Polynomials that over-fit, and two cures. Writes polynomial_overfitting.png.

Polynomials of degree 0 to 9 are fitted to sin(2 pi x) with noise: to 10 points, to 100 points, and
to 10 points with an L2 penalty; each many times with new noise. What it claims: degree 9 goes
through all 10 points and its error on new points is many times the training error and far above
that of a lower degree; with more points or with the penalty, degree 9 is nearly as good as any.

    python examples/polynomial_overfitting.py            about five seconds
    python examples/polynomial_overfitting.py --noise 0.2 --penalty 1e-4 --output curves.png

The setting is Bishop's (2006, section 1.1), his penalty too: ln(alpha) = -18.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from minidl import Tensor, nn, optim, viz
from minidl.data.synthetic import noisy_sine
from minidl.viz.figure import LIGHT, new_figure, style

DEGREES = range(10)
TEST_POINTS = 1000


@dataclass
class Setting:
    """How many points, which penalty, and what came of it: errors (draws, degrees)."""

    name: str
    points: int
    alpha: float
    train: np.ndarray
    test: np.ndarray

    @property
    def typical(self) -> tuple[np.ndarray, np.ndarray]:
        """The median over the draws of the training and of the test error, for each degree."""
        return np.median(self.train, axis=0), np.median(self.test, axis=0)


def fit(x: np.ndarray, y: np.ndarray, degree: int, alpha: float) -> np.ndarray:
    """Return the coefficients w that minimize 1/2 ||X w - y||^2 + alpha/2 ||w||^2.

    Newton's method is there in one step but for rounding errors, which matter where the Hessian is
    as ill-conditioned as here (10^14 for degree 9); the steps after it take them away.
    """
    powers = np.vander(x, degree + 1)
    w = nn.Parameter(np.zeros(degree + 1))
    penalty = optim.L2(alpha)
    hessian = powers.T @ powers + alpha * np.eye(degree + 1)
    newton = optim.Newton([w], hessian=lambda: hessian)

    def closure() -> Tensor:
        error = Tensor(powers) @ w - y
        loss = (error * error).sum() * 0.5 + penalty([w])
        loss.backward()
        return loss

    for _ in range(4):
        newton.step(closure)
    return w.data


def rms(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Return the root of the mean squared error of the polynomial."""
    return float(np.sqrt(np.mean((np.polyval(w, x) - y) ** 2)))


def study(setting: Setting, noise: float, seed: int) -> None:
    """Fit every degree to every draw and note both errors."""
    for draw in range(len(setting.train)):
        rng = np.random.default_rng((seed, draw))
        x, y = noisy_sine(setting.points, noise, rng)
        new = noisy_sine(TEST_POINTS, noise, rng)
        for degree in DEGREES:
            w = fit(x, y, degree, setting.alpha)
            setting.train[draw, degree], setting.test[draw, degree] = rms(w, x, y), rms(w, *new)


def table(settings: Sequence[Setting]) -> None:
    """Print the typical errors."""
    print(" " * 8 + "".join(f"{setting.name:>24}" for setting in settings))
    print("degree  " + f"{'train':>15}{'test':>9}" * len(settings))
    for degree in DEGREES:
        errors = [error[degree] for setting in settings for error in setting.typical]
        pairs = zip(errors[::2], errors[1::2], strict=True)
        print(f"{degree:6}  " + "".join(f"{train:15.3f}{test:9.3f}" for train, test in pairs))


def draw(settings: Sequence[Setting], noise: float, seed: int, target: Path) -> None:
    """Draw degree 9 through one draw of each setting, and the errors of all degrees below it.

    The draw is the one whose test error on 10 points is nearest the median.
    """
    few = settings[0].test[:, -1]
    number = int(np.argmin(np.abs(few - np.median(few))))
    figure = new_figure(11, 6.4, LIGHT)
    panels = figure.subplots(2, len(settings), sharey="row")
    for (above, below), setting in zip(panels.T, settings, strict=True):
        x, y = noisy_sine(setting.points, noise, np.random.default_rng((seed, number)))
        style(above, LIGHT, setting.name)
        draw_curve(above, x, y, setting.alpha)
        style(below, LIGHT)
        draw_errors(below, setting, noise)
    panels[1, 0].set_ylabel("root of the mean squared error")
    for first in panels[:, 0]:
        first.legend(frameon=False, labelcolor=LIGHT.ink, fontsize=9)
    target.write_bytes(viz.png(figure))


def draw_curve(panel: Axes, x: np.ndarray, y: np.ndarray, alpha: float) -> None:
    """Draw the points, sin(2 pi x), and the polynomial of degree 9."""
    w, grid = fit(x, y, DEGREES[-1], alpha), np.linspace(0, 1, 400)
    sine = np.sin(2 * np.pi * grid)
    panel.plot(grid, sine, color=LIGHT.faint, linewidth=1.2, label="sin(2 pi x)")
    panel.plot(grid, np.polyval(w, grid), color=LIGHT.series[1], linewidth=2, label="degree 9")
    panel.plot(x, y, "o", color=LIGHT.series[0], markersize=4, label="points")
    panel.set_ylim(-2, 2)


def draw_errors(panel: Axes, setting: Setting, noise: float) -> None:
    """Draw training and test error over the degree."""
    train, test = setting.typical
    panel.plot(DEGREES, train, "o-", color=LIGHT.series[0], markersize=4.5, label="train")
    panel.plot(DEGREES, test, "s-", color=LIGHT.series[1], markersize=4.5, label="test")
    panel.axhline(noise, color=LIGHT.faint, dashes=(4, 3), linewidth=1.2, label="noise")
    panel.set_ylim(0, 1)
    panel.set_xlabel("degree")
    panel.set_xticks(DEGREES)


def verdict(few: Setting, many: Setting, penalized: Setting) -> bool:
    """Print each part of the claim beside what was measured; return whether all hold."""
    train, test = few.typical
    more, penalty = many.typical[1], penalized.typical[1]
    parts = [
        ("10 points: at least 100 times its training error", test[-1] >= 100 * train[-1]),
        ("10 points: at least 1.4 times that of the best degree", test[-1] >= 1.4 * test.min()),
        ("100 points: within 5 % of the best degree", more[-1] <= 1.05 * more.min()),
        ("penalty: within 20 % of the best degree", penalty[-1] <= 1.2 * penalty.min()),
    ]
    ratios = [test[-1] / test.min(), more[-1] / more.min(), penalty[-1] / penalty.min()]
    shown = [f"{train[-1]:.1e} and {test[-1]:.3f}", *(f"{ratio:.2f} times" for ratio in ratios)]
    print("claim, of the test error of degree 9:")
    for (words, holds), measured in zip(parts, shown, strict=True):
        print(f"  {words:55} {measured:20} {'yes' if holds else 'NO'}")
    return all(holds for _, holds in parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, print, draw, and return 0 where the claim holds, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--noise", type=float, default=0.3, help="its deviation")
    parser.add_argument("--penalty", type=float, default=math.exp(-18), help="alpha of L2")
    parser.add_argument("--draws", type=int, default=100, help="how often noise is drawn anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("polynomial_overfitting.png"))
    options = parser.parse_args(arguments)
    start, worked = time.perf_counter(), time.process_time()

    shape = (options.draws, len(DEGREES))
    settings = [
        Setting(name, points, alpha, np.zeros(shape), np.zeros(shape))
        for name, points, alpha in (
            ("10 points", 10, 0.0),
            ("100 points", 100, 0.0),
            ("10 points, L2", 10, options.penalty),
        )
    ]
    for setting in settings:
        study(setting, options.noise, options.seed)
    print("root of the mean squared error, the median over the draws of the noise")
    table(settings)
    draw(settings, options.noise, options.seed, options.output)
    seconds = f"{time.perf_counter() - start:.0f} s, {time.process_time() - worked:.0f} s of work"
    print(f"drawn: {options.output}\n{options.draws} draws, seed {options.seed}: {seconds}\n")
    holds = verdict(*settings)
    print(f"the claim {'holds' if holds else 'does NOT hold'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
