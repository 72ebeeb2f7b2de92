"""Say what is wrong with random numbers: their mean, scale, rate or independence."""

from __future__ import annotations

from minidl.grading.finding import Finding
from minidl.grading.statistics import Unlikely

USUAL = 7.0
NEAR = 0.1


def describe(failure: Unlikely, hidden: bool) -> Finding:
    """Describe a statistic that chance does not explain; of hidden ones, only how far it is off."""
    if failure.what == "repeated":
        return Finding(
            f"{failure.name}: two calls with different generators gave the same numbers.",
            "Which generator draws them: the one that was passed in, or one that starts anew?",
        )
    if failure.what == "correlation":
        return _correlation(failure, hidden)
    if failure.what == "distribution":
        seen = (
            f"{failure.name} does not follow its distribution: over {failure.count:,} values the "
            f"part below some point is off by {failure.got:.2g}, and chance brings that to "
            f"{failure.allowed:.2g} at most."
        )
        question = f"Plot a histogram of {failure.name}: which shape should it have?"
        return Finding(seen, question)
    if failure.what == "variance":
        return _variance(failure, hidden)
    return _rate(failure, hidden) if failure.what == "rate" else _mean(failure, hidden)


def _mean(failure: Unlikely, hidden: bool) -> Finding:
    shown = "wrong" if hidden else f"{failure.got:.4g}, expected {failure.want:.4g}"
    seen = f"the mean of {failure.name} is {shown} ({_off(failure)}){_times(failure)}."
    return Finding(seen, f"By hand: what is {failure.name} on average, over all that can be drawn?")


def _variance(failure: Unlikely, hidden: bool) -> Finding:
    shown = "" if hidden else f": its variance is {failure.got:.4g}, expected {failure.want:.4g}"
    scale = f"the scale is wrong{shown} ({_off(failure)}){_times(failure)}."
    if failure.mean is None or abs(failure.mean) < USUAL:
        seen = f"{failure.name} has the right mean, but {scale}"
        question = "Which factor leaves the mean alone, and what is the variance of one draw?"
        return Finding(seen, question)
    off = f"by {abs(failure.mean):.0f} standard errors"
    seen = f"{failure.name} is off in its mean, {off}, and {scale}"
    return Finding(seen, f"By hand: what is {failure.name} on average, over all that can be drawn?")


def _rate(failure: Unlikely, hidden: bool) -> Finding:
    shown = "wrong" if hidden else f"{failure.got:.4g}, expected {failure.want:.4g}"
    seen = f"{failure.name} is {shown} ({_off(failure)})."
    apart = abs(1 - 2 * failure.want)
    other = abs(failure.got - (1 - failure.want)) <= NEAR * apart
    if other and apart > 2 * failure.allowed:
        return Finding(
            f"{seen} It is 1 minus the right one.",
            "Is the probability that of dropping a value, or that of keeping it?",
        )
    return Finding(seen, "Which comparison, or which probability, decides about one value?")


def _correlation(failure: Unlikely, hidden: bool) -> Finding:
    seen = (
        f"{failure.name} should know nothing of each other, but over {failure.count:,} pairs "
        f"their correlation is {failure.got:.2g}; chance brings at most {failure.allowed:.2g}."
    )
    return Finding(
        seen, "Which numbers should be drawn for each of them anew, and which only once?"
    )


def _off(failure: Unlikely) -> str:
    """Say how unlikely it is: "over 10,000 values, 57 standard errors too small"."""
    over = f"over {failure.count:,} values"
    if not failure.error:
        return f"{over}, where chance plays no part"
    off = (failure.got - failure.want) / failure.error
    return f"{over}, {abs(off):.0f} standard errors too {'large' if off > 0 else 'small'}"


def _times(failure: Unlikely) -> str:
    if not failure.got or not failure.want or failure.got * failure.want < 0:
        return ""
    times = max(failure.got / failure.want, failure.want / failure.got)
    return f": {times:.3g} times too {'large' if abs(failure.got) > abs(failure.want) else 'small'}"
