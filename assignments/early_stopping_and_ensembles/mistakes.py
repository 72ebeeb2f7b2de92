"""Plausible wrong solutions that are another function, rather than a patch of the right one."""

import numpy as np

from minidl.grading.mistake import mistake


@mistake(
    target="as_penalty",
    question="How many digits of 1e-12 are left in 1 - 1e-12 as a float64?",
)
def digits_cancelled(eigenvalues, lr, steps):
    """1 - (1 - x)^t is right on paper, but for a tiny x it subtracts two almost equal numbers, and
    few digits are left.
    """
    left = (1 - lr * eigenvalues) ** steps
    kept = 1 - left
    alpha = np.full_like(eigenvalues, 1 / (lr * steps))
    curved = eigenvalues > 0
    alpha[curved] = eigenvalues[curved] * left[curved] / kept[curved]
    return kept, alpha


@mistake(
    target="as_penalty",
    question="What is 0 / 0 in NumPy, and what does the docstring say about lambda = 0?",
)
def nan_in_flat_directions(eigenvalues, lr, steps):
    """For lambda = 0 the formula for alpha is 0 / 0: that direction needs its limit."""
    left = steps * np.log1p(-lr * eigenvalues)
    return -np.expm1(left), eigenvalues * np.exp(left) / -np.expm1(left)


@mistake(
    target="majority_vote",
    question="Whose vote is the first that your loop meets?",
)
def the_first_vote_of_a_tie(votes, classes):
    """In a tie the class that came first in the list of votes won; the lowest should."""
    counts = np.stack([np.bincount(column, minlength=classes) for column in votes.T])
    winners = [max(column.tolist(), key=column.tolist().count) for column in votes.T]
    return np.array(winners), counts


@mistake(
    target="ensemble_variance",
    question="Which of the two axes of errors counts the members?",
)
def covariance_of_the_samples(errors, sizes):
    """The table holds covariances of the samples over the members, not the other way round."""
    m = errors.shape[1]
    covariance = np.cov(errors, bias=True, rowvar=False)
    variance = np.trace(covariance) / m
    shared = (covariance.sum() - np.trace(covariance)) / (m * (m - 1))
    return variance, shared / variance, shared + (variance - shared) / sizes


@mistake(
    target="ambiguity",
    question="For between, what is each prediction compared with: the target, or the others?",
)
def between_measured_from_the_target(predictions, targets):
    """between compares each member with the target; it should compare it with the members' mean."""
    mean = predictions.mean(axis=0)
    picked = ((predictions - targets) ** 2).mean(axis=0)
    return picked, (mean - targets) ** 2, picked * 1
