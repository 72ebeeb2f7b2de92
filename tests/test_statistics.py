import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from minidl.errors import ArgumentError
from minidl.grading import statistics
from minidl.grading.compare import Mismatch
from minidl.grading.statistics import (
    Unlikely,
    distributed,
    fresh,
    mean_within,
    rate_within,
    uncorrelated,
    variance_within,
)
from minidl.grading.unlikely import describe

N = 4000
P = 0.3
SIGMA = math.sqrt(P / (1 - P))
BOUND = max(1.0, P / (1 - P))


def drawn(seed=0, p=P):
    """Dropped with probability p, kept values scaled by 1 / (1 - p)."""
    return (np.random.default_rng(seed).random(N) >= p) / (1 - p)


def said(compare, *args, hidden=False, **options):
    with pytest.raises(Unlikely) as info:
        compare(*args, **options)
    return describe(info.value, hidden)


def test_right_draws_pass():
    normal = np.random.default_rng(1).normal(2.0, 0.5, N)
    for seed in range(20):
        y = drawn(seed)
        mean_within(y, 1.0, SIGMA, "y", bound=BOUND)
        variance_within(y, 1.0, SIGMA, "y", bound=BOUND)
        rate_within(np.count_nonzero(y), N, 1 - P, "kept")
        uncorrelated(y, drawn(seed + 100), "draws")
        fresh(y, drawn(seed + 100), "the mask")
    mean_within(normal, 2.0, 0.5, "z")
    variance_within(normal, 2.0, 0.5, "z")
    distributed(normal, NormalDist(2.0, 0.5).cdf, "z")


def test_false_alarms_are_as_rare_as_promised():
    """At a rate that can be measured: of 800 right samples at most that part is rejected."""
    rng = np.random.default_rng(2)
    alarms = {"mean": 0, "variance": 0, "rate": 0, "correlation": 0, "distribution": 0}
    for _ in range(800):
        z, mask = rng.normal(size=60), rng.random(60) < 0.2
        for kind, compare in {
            "mean": lambda z=z: mean_within(z, 0, 1, "z", alarms=0.05),
            "variance": lambda z=z: variance_within(z, 0, 1, "z", alarms=0.05),
            "rate": lambda m=mask: rate_within(m.sum(), 60, 0.2, "m", alarms=0.05),
            "correlation": lambda m=mask, z=z: uncorrelated(m, z, "m", alarms=0.05),
            "distribution": lambda z=z: distributed(z, NormalDist().cdf, "z", alarms=0.05),
        }.items():
            try:
                compare()
            except Unlikely:
                alarms[kind] += 1
    # 40 expected of the exact one, and the bounds stay below; 5 standard errors more are allowed.
    assert 10 < alarms["mean"] < 72
    assert all(count < 72 for count in alarms.values()), alarms


def test_thresholds_beside_the_exact_distributions():
    """Exact for normal means; the bounds never accept less, and hardly more, than exact ones."""
    with pytest.raises(Unlikely) as info:
        mean_within(np.full(N, 9.0), 0.0, 1.0, "z")
    assert math.isclose(info.value.allowed * math.sqrt(N), stats.norm.isf(0.5e-9), rel_tol=1e-9)
    for p in (0.05, 0.3, 0.5):
        lowest = next(k for k in range(N) if accepted(k, p))
        exact = stats.binom.ppf(0.5e-9, N, p)
        assert 0.9 * exact < lowest <= exact
    with pytest.raises(Unlikely) as info:
        variance_within(np.full(N, 9.0), 0.0, 1.0, "z")
    assert stats.chi2.sf(N * (1 + info.value.allowed), N) <= 0.5e-9
    with pytest.raises(Unlikely) as info:
        variance_within(np.zeros(N), 0.0, 1.0, "z")
    assert stats.chi2.cdf(N * (1 - info.value.allowed), N) <= 0.5e-9


def accepted(count, p):
    try:
        rate_within(count, N, p, "kept")
    except Unlikely:
        return False
    return True


def test_a_bounded_mean_is_held_to_bernstein():
    with pytest.raises(Unlikely) as info:
        mean_within(drawn() * (1 - P), 1.0, SIGMA, "y", bound=BOUND)
    t, tail = info.value.allowed, math.log(2e9)
    assert math.isclose(N * t**2 / (2 * (SIGMA**2 + BOUND * t / 3)), tail)
    assert t < 8 * SIGMA / math.sqrt(N)


def test_a_mean_without_the_scale():
    finding = said(mean_within, drawn() * (1 - P), 1.0, SIGMA, "y", bound=BOUND)
    assert "the mean of y is 0.7" in finding.seen
    assert "expected 1 (over 4,000 values, 2" in finding.seen
    assert "standard errors too small): 1.4" in finding.seen
    assert finding.question.endswith("?")


def test_the_right_mean_and_the_wrong_scale():
    z = 1 + 0.5 * np.random.default_rng(3).normal(size=N)
    finding = said(variance_within, z, 1.0, 1.0, "noise")
    assert finding.seen.startswith("noise has the right mean, but the scale is wrong: its variance")
    assert "expected 1 (over 4,000 values" in finding.seen
    assert "times too small" in finding.seen
    shifted = said(variance_within, z + 3, 1.0, 1.0, "noise")
    assert "noise is off in its mean, by " in shifted.seen


def test_the_other_rate():
    kept = int(np.count_nonzero(drawn()))
    finding = said(rate_within, kept, N, P, "the part of y that is dropped")
    assert "the part of y that is dropped is 0.70" in finding.seen
    assert "It is 1 minus the right one." in finding.seen
    finding = said(rate_within, N, N, P, "the part of y that is dropped")
    assert "1 minus" not in finding.seen
    finding = said(rate_within, 99, 160, 0.2475, "the part from the middle")
    assert "1 minus" not in finding.seen


def test_certain_events_allow_no_exception():
    rate_within(0, N, 0.0, "dropped")
    rate_within(N, N, 1.0, "dropped")
    assert "chance plays no part" in said(rate_within, 1, N, 0.0, "dropped").seen
    assert "chance plays no part" in said(rate_within, N - 1, N, 1.0, "dropped").seen


def test_draws_that_go_together():
    y = drawn()
    finding = said(uncorrelated, y, 2 * y, "the masks of two channels")
    assert "their correlation is 1; chance brings at most 0.1" in finding.seen
    uncorrelated(np.zeros(N), y, "a constant")
    with pytest.raises(ArgumentError, match="two series of one length"):
        uncorrelated(y, y[1:], "y")


def test_another_distribution():
    uniform = np.random.default_rng(4).uniform(-math.sqrt(3), math.sqrt(3), N)
    mean_within(uniform, 0.0, 1.0, "z")
    assert (
        "does not follow its distribution" in said(distributed, uniform, NormalDist().cdf, "z").seen
    )


def test_the_same_numbers_twice():
    assert "gave the same numbers" in said(fresh, drawn(), drawn(), "the mask").seen


def test_values_that_are_no_numbers():
    y = drawn()
    y[3] = np.nan
    for compare in (mean_within, variance_within):
        with pytest.raises(Mismatch) as info:
            compare(y, 1.0, SIGMA, "y")
        assert info.value.what == "nan"
    with pytest.raises(ArgumentError, match="at least one value"):
        mean_within(y[:0], 1.0, SIGMA, "y")
    with pytest.raises(ArgumentError, match="0 <= count <= n"):
        rate_within(5, 4, 0.5, "kept")


def test_rounding_is_no_mistake():
    mean_within(np.full(N, np.float32(0.1)), 0.1, 0.0, "y", bound=0.0)
    variance_within(np.full(N, np.float32(0.1)), 0.1, 0.0, "y", bound=0.0)


@pytest.mark.parametrize("what", ["mean", "variance", "rate"])
def test_hidden_ones_show_no_number(what):
    failure = Unlikely(what, "y", (0.123456, 0.654321, 0.1), 0.01, N, 0.0)
    finding = describe(failure, True)
    assert "0.12" not in finding.seen
    assert "0.65" not in finding.seen
    assert "standard errors" in finding.seen


def test_the_default_leaves_room_for_a_hundred_comparisons():
    assert 100 * statistics.ALARMS < 1e-6
