"""Checks of the assignment on early stopping and ensembles.

Expected values come from definitions.py. Classes are used through scenarios.py. Tolerances are
those of minidl.grading.compare where a check states no other.

What is drawn is judged whatever the order of drawing. Statistical comparisons have a false-alarm
rate of 1e-9 each (minidl/grading/statistics.py), 12 of them in a graded submission, so that a right
submission is rejected with probability below 1e-7 in all.
"""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import Mismatch, close
from minidl.grading.protocol import Rng
from minidl.grading.statistics import fresh, rate_within

from .definitions import (
    EIGHTH,
    averaged,
    compared,
    counted,
    covariances,
    draw_curve,
    draw_errors,
    draw_losses,
    draw_mask,
    draw_predictions,
    draw_probabilities,
    draw_rng,
    draw_sizes,
    draw_steps_around,
    draw_weights,
    k_lowest,
    mean_of_epochs,
    mean_of_others,
    moving_average,
    never_seen,
    penalty,
    planned,
    watched,
)

NAN = float("nan")


def agree(got, want, names, **tolerances):
    """Compare several results; a wrong one is named."""
    for value, right, name in zip(got, want, names, strict=True):
        close(value, right, name, **tolerances)


# --- split ---------------------------------------------------------------------------------------


def parts(student, case, n, held):
    """Split rows whose labels are their numbers."""
    x, y = case.normal(n, 3), np.arange(n)
    return x, y, student.split(x, y, held, draw_rng(case))


@check(task="split", points=3)
def every_sample_is_in_one_part(student, case):
    """The parts have the sizes asked for, and together hold every sample once."""
    n, held = case.turn((40, 30), (30, 7), (9, 8), (25, 1))
    x, y, (x_train, y_train, x_val, y_val) = parts(student, case, n, held)
    wanted = (x_train, x[held:]), (y_train, y[held:]), (x_val, x[:held]), (y_val, y[:held])
    names = ("x_train", "y_train", "x_val", "y_val")
    for (got, like), name in zip(wanted, names, strict=True):
        if got.shape != like.shape:
            raise Mismatch("shape", name, got, like)
        close(got[:0], like[:0], name)
    close(np.sort(np.concatenate([y_train, y_val])), y, "all labels, sorted")


@check(task="split", points=3)
def rows_keep_their_labels(student, case):
    """Each row of x is in the same part, and in the same place there, as its label."""
    n, held = case.turn((12, 5), (30, 7), (9, 8), (25, 1))
    x, _, (x_train, y_train, x_val, y_val) = parts(student, case, n, held)
    close(x_train, x[y_train], "x_train beside y_train")
    close(x_val, x[y_val], "x_val beside y_val")


@check(task="split", points=2, public=1, hidden=3)
def held_out_at_random(student, case):
    """The generator alone decides which samples are held out, and each is as likely as another.

    The held-out samples below the middle are hypergeometric, for which Chernoff's bound holds too.
    """
    n, held = 400, 160
    x, y, seed = case.normal(n, 2), np.arange(n), case.integer(0, 2**40)
    chosen, repeated, other = (student.split(x, y, held, Rng(s))[3] for s in (seed, seed, seed + 1))
    fresh(np.sort(chosen), np.sort(other), "the held-out part")
    close(repeated, chosen, "y_val, from the same generator")
    for half in (y < n // 2, y % 2 == 0):
        count = int(half[chosen].sum())
        rate_within(count, held, 0.5, "the part of y_val from one half of the samples")
    middle = int((np.abs(chosen - n // 2) < n // 8).sum())  # of a block, more or less
    share = (n // 4 - 1) / n
    rate_within(middle, held, share, "the part of y_val from the middle of the samples")


# --- early stopping ------------------------------------------------------------------------------

WATCHED = ("stops", "best", "best_step", "waited")


def stops(student, values, patience, min_delta=0.0, mode="min"):
    """Compare what a series of values leads to."""
    got = student.watch(values, patience, min_delta, mode)
    want = watched(values, patience, min_delta, mode)
    for name in ("best_step", "best", "waited", "stops"):
        i = WATCHED.index(name)
        close(got[i], want[i], name)


@check(task="early_stopping", points=5)
def stops_when_patience_is_over(student, case):
    """The first value is the best; then every better one begins the waiting anew."""
    patience = case.turn(3, 2, 4, 1, 5)
    stops(student, draw_losses(case, patience), patience)


@check(task="early_stopping", points=4)
def better_by_more_than_min_delta(student, case):
    """A gain of just min_delta is no gain, nor is a slow drift that stays within it."""
    min_delta = case.turn(0.5, 0.25, 0.75, 0.0)
    values = draw_steps_around(case, max(min_delta, 0.25))
    stops(student, values, case.turn(2, 3), min_delta)


@check(task="early_stopping", points=3)
def higher_is_better_in_mode_max(student, case):
    """An accuracy, say, is better when it lies above the best by more than min_delta."""
    min_delta = case.turn(0.25, 0.5)
    values = case.integer(12, 20) - draw_steps_around(case, min_delta)
    stops(student, values, case.turn(2, 3), min_delta, "max")


@check(task="early_stopping", points=3)
def nan_is_never_better(student, case):
    """Neither at the beginning nor later, and it is waited through like any other value."""
    patience = case.turn(3, 2, 4)
    values = draw_losses(case, patience)
    at = case.integer(1, 2)
    before = [NAN] * case.turn(1, 2, 4)
    stops(student, np.array([*before, *values[:at], NAN, *values[at:], NAN]), patience)


@check(task="early_stopping", points=5)
def restores_the_best_weights(student, case):
    """The arrays hold the weights of the best value again; without one they stay as they are."""
    patience = case.turn(3, 2, 4, 1)
    values = draw_losses(case, patience)
    path = draw_weights(case, len(values) + 1, 7)
    best = watched(values, patience, 0.0, "min")[2][-1]
    if case.turn(False, False, False, False, True):
        values, best = np.full(len(values), NAN), len(path)
    want = path[best - 1, :3], path[best - 1, 3:].reshape(2, 2), path[best - 1, :3]
    for got in [student.restored(values, path, patience, one) for one in (True, False)]:
        agree(got, want, ("first", "second", "listed"))


# --- retraining ----------------------------------------------------------------------------------


def plans(student, case, losses):
    """Compare both numbers of steps for the sizes of this case."""
    samples, held, batch_size = draw_sizes(case)
    got = student.plan(losses, samples, held, batch_size)
    want = planned(losses, samples, held, batch_size)
    agree(got, want, ("same_steps", "same_epochs"))


@check(task="retraining_steps", points=4)
def steps_to_the_lowest_loss(student, case):
    """Epochs to the lowest loss, times the steps of an epoch, the last smaller batch included."""
    plans(student, case, draw_curve(case, case.integer(8, 15)))


@check(task="retraining_steps", points=3)
def the_first_lowest_loss_that_is_a_number(student, case):
    """Of equal losses the first counts, and NaN is never the lowest."""
    losses = draw_curve(case, 10)
    lowest = int(losses.argmin())
    losses[lowest + 1] = case.turn(losses[lowest], NAN)
    losses[-1] = case.turn(NAN, losses[lowest], losses[-1])
    losses[lowest - 1] = case.turn(NAN, losses[lowest - 1])
    plans(student, case, losses)


# --- early stopping as a penalty -----------------------------------------------------------------


def penalizes(student, eigenvalues, lr, steps):
    """Compare kept and alpha in each direction."""
    got = student.as_penalty(eigenvalues, lr, steps)
    agree(got, penalty(eigenvalues, lr, steps), ("kept", "alpha"))


@check(task="as_penalty", points=4)
def penalty_of_each_direction(student, case):
    """Descent keeps what the penalty keeps, for every curvature and number of steps."""
    eigenvalues = case.uniform(case.turn(4, 6, 2), low=0.5, high=8.0)
    penalizes(student, eigenvalues, case.turn(0.1, 0.05, 0.02), case.turn(3, 10, 2, 1, 25))


@check(task="as_penalty", points=2)
def a_flat_direction(student, case):
    """Where the curvature is 0 nothing is kept, and alpha is the limit, not NaN."""
    eigenvalues = case.uniform(4, low=0.5, high=8.0)
    eigenvalues[case.integer(0, 3)] = 0.0
    penalizes(student, eigenvalues, case.turn(0.1, 0.05), case.turn(7, 12, 2))


@check(task="as_penalty", points=2)
def digits_of_a_nearly_flat_direction(student, case):
    """With lr lambda from 1e-12 to 1e-3, kept and alpha are as exact as elsewhere."""
    eigenvalues = case.turn(1e-11, 1e-4, 1e-3, 1e-6) * case.uniform(5, low=1.0, high=9.0)
    penalizes(student, eigenvalues, case.turn(0.1, 0.03), case.turn(7, 50, 3))


# --- the k best ----------------------------------------------------------------------------------


def keeps(student, case, losses, k):
    """Compare what is kept of a series of weights, and every answer."""
    path = draw_weights(case, len(losses), 5)
    names = ("losses", "first", "second", "kept")
    agree(student.keep(losses, path, k), k_lowest(losses, path, k), names)


@check(task="keep_best", points=5)
def the_k_lowest_with_their_weights(student, case):
    """The lowest losses in order, copies of their weights, and whether each was kept."""
    k = case.turn(3, 2, 1, 12)
    losses = case.rng.permutation(np.arange(1, 11)) * EIGHTH
    keeps(student, case, losses, k)


@check(task="keep_best", points=2)
def the_earlier_of_equal_losses(student, case):
    """An equal loss comes after, and does not push out the one that is there."""
    low = case.integer(1, 5) * EIGHTH
    keeps(student, case, np.array([low + 1, low, low, low + 2, low, low + 1]), case.turn(2, 1, 4))


@check(task="keep_best", points=1)
def nan_is_not_kept(student, case):
    """Not even while there is room."""
    losses = case.integer(2, 9) + np.array([NAN, 1.0, NAN, 0.5, 2.0, NAN])
    keeps(student, case, losses, case.turn(4, 2))


# --- stochastic weight averaging -----------------------------------------------------------------


def walks(student, path, start, every, touch=False):
    """Compare, after each epoch, how many weights are taken and their mean."""
    taken, means = mean_of_epochs(path, start, every)
    got = student.walk(path, start, every, touch)
    agree(got, (taken, means[:, :3], means[:, 3:]), ("taken", "first", "second"))


@check(task="swa", points=3)
def which_epochs_count(student, case):
    """Epoch `start` and every `every`-th after it."""
    start, every = case.turn((3, 2), (4, 3), (1, 4), (5, 2))
    walks(student, draw_weights(case, 13, 5), start, every)


@check(task="swa", points=2)
def the_mean_of_all_that_count(student, case):
    """Every weight taken has the same share."""
    walks(student, draw_weights(case, case.integer(6, 12), 5), case.turn(1, 2), 1)


@check(task="swa", points=1)
def the_mean_in_the_dtype_of_the_weights(student, case):
    """float32 weights have a float32 mean."""
    walks(student, draw_weights(case, 8, 5, case.turn(np.float32, np.float64)), 2, 1)


@check(task="swa", points=1)
def the_callers_mean(student, case):
    """What is done to the arrays that were returned does not change the next mean."""
    walks(student, draw_weights(case, 7, 5), 1, case.turn(1, 2), True)


# --- exponential moving average ------------------------------------------------------------------


def follows(student, path, decay, touch=False):
    """Compare the average after each step."""
    want = moving_average(path, decay)
    agree(student.follow(path, decay, touch), (want[:, :3], want[:, 3:]), ("first", "second"))


@check(task="ema", points=3)
def recent_weights_count_most(student, case):
    """The factor of each weights is decay times that of the next, and all sum to 1."""
    decay = case.turn(0.8, 0.9, 0.5, 0.99)
    follows(student, draw_weights(case, case.integer(6, 12), 5), decay)


@check(task="ema", points=2)
def constant_weights_are_their_own_average(student, case):
    """From the first step on, whatever the decay."""
    path = np.repeat(draw_weights(case, 1, 5), 6, axis=0)
    follows(student, path, case.turn(0.9, 0.99, 0.7))


@check(task="ema", points=2)
def the_average_in_the_dtype_of_the_weights(student, case):
    """float32 weights have a float32 average."""
    path = draw_weights(case, 8, 5, case.turn(np.float32, np.float64))
    follows(student, path, case.turn(0.9, 0.0, 0.75))


@check(task="ema", points=1)
def the_callers_average(student, case):
    """What is done to the arrays that were returned does not change the next average."""
    follows(student, draw_weights(case, 7, 5), case.turn(0.8, 0.95), True)


# --- bootstrap -----------------------------------------------------------------------------------


@check(task="bootstrap", points=3)
def the_mask_belongs_to_the_bags(student, case):
    """out is True for just those samples that a member's bag lacks."""
    samples, members = case.turn((12, 4), (7, 9), (30, 2), (1, 3))
    bags, out = student.bootstrap(samples, members, draw_rng(case))
    agree((bags,), (np.clip(bags, 0, samples - 1).astype(np.int64),), ("bags",))
    if bags.shape != (members, samples):
        raise Mismatch("shape", "bags", bags, np.zeros((members, samples)))
    close(out, never_seen(bags, samples), "out")


@check(task="bootstrap", points=3, public=1, hidden=2)
def drawn_with_replacement(student, case):
    """A sample is missing from a bag of n with probability (1 - 1/n)^n, about 0.37.

    Which samples are missing is negatively associated, for which Chernoff's bound holds too.
    """
    samples, members = 200, 30
    bags, _ = student.bootstrap(samples, members, draw_rng(case))
    if bags.shape != (members, samples):
        raise Mismatch("shape", "bags", bags, np.zeros((members, samples)))
    missing = sum(samples - len(np.unique(bag)) for bag in bags)
    rate = (1 - 1 / samples) ** samples
    rate_within(missing, samples * members, rate, "the part of samples that a bag lacks")


@check(task="bootstrap", points=2, public=1, hidden=2)
def every_sample_for_every_member_anew(student, case):
    """Every sample is as likely as any other, and each member draws for itself, from rng alone."""
    samples, members, seed = 4, 500, case.integer(0, 2**40)
    draws = [student.bootstrap(samples, members, Rng(seed + i))[0] for i in (0, 0, 1)]
    bags, repeated, other = draws
    fresh(bags, other, "bags")
    close(repeated, bags, "bags, from the same generator")
    fresh(bags[: members // 2], bags[members // 2 :], "the bags of different members")
    for sample in (0, samples - 1):
        drawn = int((bags == sample).sum())
        rate_within(drawn, bags.size, 1 / samples, f"the part of bags that is sample {sample}")


# --- combining members ---------------------------------------------------------------------------


@check(task="out_of_bag", points=3)
def the_mean_over_those_who_never_saw_it(student, case):
    """Each sample has members of its own, and as many as it has count."""
    members, samples, classes = case.turn((4, 7, 3), (6, 5, 2), (3, 9, 4))
    dtype = case.turn(np.float64, np.float32)
    probabilities = draw_probabilities(case, members, samples, classes, dtype)
    mask = draw_mask(case, members, samples)
    close(student.out_of_bag(probabilities, mask), mean_of_others(probabilities, mask), "average")


@check(task="out_of_bag", points=2)
def a_sample_that_all_have_seen(student, case):
    """Nobody can be asked about it: its row is NaN, and the other rows are not."""
    probabilities = draw_probabilities(case, 3, 6, case.turn(4, 3))
    mask = draw_mask(case, 3, 6)
    mask[:, case.integer(0, 5)] = False
    close(student.out_of_bag(probabilities, mask), mean_of_others(probabilities, mask), "average")


def averages(student, logits, **tolerances):
    """Compare both averages, the mean of probabilities first."""
    got = student.average(logits)
    agree(got, averaged(logits), ("of_probabilities", "of_logits"), **tolerances)


@check(task="average", points=3)
def both_averages(student, case):
    """The mean of the softmaxes, and the softmax of the mean."""
    shape = case.turn((4, 5, 3), (3, 6, 4), (5, 2, 7), (1, 3, 3))
    averages(student, case.normal(*shape, scale=2.0))


@check(task="average", points=2)
def large_logits_do_not_overflow(student, case):
    """Logits around 1000, and some far below others, give probabilities all the same."""
    logits = case.normal(3, 4, 5, scale=3.0) + case.turn(1000.0, -1000.0)
    logits[:, 1] -= 900.0
    averages(student, logits)


@check(task="average", points=2)
def averages_in_the_dtype_of_the_logits(student, case):
    """float32 in, float32 out."""
    averages(student, case.normal(3, 4, 5, scale=2.0, dtype=case.turn(np.float32, np.float64)))


def votes_for(student, votes, classes):
    """Compare counts, then winners."""
    winners, counts = student.majority_vote(votes, classes)
    want = counted(votes, classes)
    close(counts, want[1], "counts")
    close(winners, want[0], "winners")


@check(task="majority_vote", points=3)
def most_votes_win(student, case):
    """More than any other class, be it more than half or not."""
    members, samples, classes = case.turn((5, 8, 4), (9, 6, 5), (7, 10, 3))
    votes = case.rng.integers(0, classes, (members, samples))
    votes[:, 0] = [3 if i < 3 else i % 3 for i in range(members)] if classes > 3 else 2
    votes_for(student, votes, classes)


@check(task="majority_vote", points=2)
def the_lowest_class_of_a_tie(student, case):
    """Whoever voted first; and classes without a vote have a column all the same."""
    low, high = case.turn((1, 3), (0, 2), (2, 4))
    votes = np.array([[high, low, high], [low, high, low], [high, low, 1], [low, high, 1]])
    votes_for(student, votes, case.turn(6, 5))


@check(task="ambiguity", points=2)
def one_member_against_all(student, case):
    """The mean of the members' squared errors, and the squared error of their mean."""
    predictions, targets = draw_predictions(case)
    got, want = student.ambiguity(predictions, targets), compared(predictions, targets)
    agree(got[:2], want[:2], ("picked", "averaged"))


@check(task="ambiguity", points=2)
def what_lies_between_the_members(student, case):
    """The variance of the members around their own mean."""
    predictions, targets = draw_predictions(case)
    got, want = student.ambiguity(predictions, targets), compared(predictions, targets)
    close(got[2], want[2], "between")


@check(task="ensemble_variance", points=2)
def how_alike_the_members_are(student, case):
    """Their mean variance, and the mean covariance of two of them as a part of it."""
    errors = draw_errors(case)
    covariance = covariances(errors)
    pairs = ~np.eye(len(errors), dtype=bool)
    variance = np.mean(np.diag(covariance))
    got = student.measure(errors, np.array([1, 5]))
    close(got[0], variance, "variance")
    close(got[1], np.mean(covariance[pairs]) / variance, "correlation")


@check(task="ensemble_variance", points=3)
def variance_of_a_mean_of_k(student, case):
    """For k = 1, many, and as many as there are: then it is the variance of their real mean."""
    errors = draw_errors(case)
    covariance, m = covariances(errors), len(errors)
    sizes = np.array([m, 1, 2 * m, 10 * m, 1000])
    own, off = np.trace(covariance), covariance.sum() - np.trace(covariance)
    want = [(k * own / m + k * (k - 1) * off / (m * (m - 1))) / k**2 for k in sizes.tolist()]
    want[0] = np.var(errors.mean(axis=0))
    close(student.measure(errors, sizes)[2], np.array(want), "predicted")
