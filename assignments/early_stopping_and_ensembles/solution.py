"""What minidl.train does inside its training loop, as functions and classes that stand alone."""

import math

import numpy as np


def split(x, y, held, rng):
    """Part samples at random into those to learn from and `held` of them to validate on.

    No sample is in both parts and none is lost; a row of x keeps its row of y. Every choice of
    `held` samples is as likely as any other.

    Parameters
    ----------
    x, y : (n, ...) each
    held : int, from 1 to n - 1
    rng : np.random.Generator, the only source of randomness

    Returns
    -------
    x_train, y_train : (n - held, ...)
    x_val, y_val : (held, ...)
    """
    order = rng.permutation(len(x))
    out, kept = np.split(order, [held])
    return x[kept], y[kept], x[out], y[out]


class EarlyStopping:
    """Says when training should end, and keeps a copy of the best weights.

    In mode "min" a value is better when it lies below the best so far by more than min_delta, in
    mode "max" when it lies above it by more than min_delta. Any finite value is better than none;
    NaN is never better.

    Parameters
    ----------
    patience : int, at least 1
    min_delta : float, at least 0
    mode : "min" or "max"

    Attributes
    ----------
    best : float, the last value that was better; None before the first
    best_step : int, the number of the update that brought it, counted from 1; 0 before
    waited : int, updates since then

    References
    ----------
    Goodfellow, Bengio & Courville 2016, algorithm 7.1.
    """

    def __init__(self, patience, min_delta=0.0, mode="min"):
        """Begin with nothing seen."""
        self.patience, self.min_delta = patience, min_delta
        self.sign = -1.0 if mode == "max" else 1.0
        self.best, self.best_weights = None, None
        self.step = self.best_step = self.waited = 0

    def update(self, value, weights):
        """Look at the next value; return whether training should end.

        It should when the last `patience` updates, or more, have all brought nothing better.

        Parameters
        ----------
        value : float
        weights : list of arrays, which led to it, and which training goes on changing in place

        Returns
        -------
        bool
        """
        self.step += 1
        limit = math.inf if self.best is None else self.sign * self.best - self.min_delta
        if self.sign * value < limit:
            self.best, self.best_step, self.waited = value, self.step, 0
            self.best_weights = [w.copy() for w in weights]
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self, weights):
        """Write the best weights into these arrays, which stay the same objects.

        Before there is a best it changes nothing.

        Parameters
        ----------
        weights : list of arrays, of the shapes that `update` was given
        """
        if self.best_weights is not None:
            for w, best in zip(weights, self.best_weights, strict=True):
                w[...] = best


def retraining_steps(losses, samples, held, batch_size):
    """Return for how many steps to train anew on all samples, after both meanings of "as long".

    The first run learned from `samples - held` samples in batches; the last batch of an epoch may
    be smaller, and is a step like any other. Its validation loss was lowest after some epoch: the
    first of several equal ones, and never one with NaN.

    Parameters
    ----------
    losses : (epochs,) float, the validation loss after each epoch
    samples, held, batch_size : int, 0 < held < samples

    Returns
    -------
    same_steps : int, as many steps as the first run took to its lowest loss
    same_epochs : int, as many steps as show each sample as often as the first run did until then

    References
    ----------
    Goodfellow, Bengio & Courville 2016, algorithm 7.2.
    """
    epochs = int(np.nanargmin(losses)) + 1
    same_steps = epochs * math.ceil((samples - held) / batch_size)
    same_epochs = epochs * math.ceil(samples / batch_size)
    return same_steps, same_epochs


def as_penalty(eigenvalues, lr, steps):
    """Return which L2 penalty gradient descent amounts to when it is stopped early.

    On the quadratic 1/2 sum_i lambda_i (w_i - w*_i)^2, gradient descent from w = 0 has reached
    w_i = kept_i w*_i after `steps` steps. With a penalty alpha/2 w_i^2 added, the minimum is at
    w_i = lambda_i / (lambda_i + alpha) w*_i. alpha_i is the penalty that gives the same kept_i.

    Both keep seven digits however small lr lambda_i is. For lambda_i = 0 nothing is kept, and
    alpha_i is what it tends to as lambda_i goes to 0.

    Parameters
    ----------
    eigenvalues : (d,) float64, lambda, with 0 <= lr lambda < 1
    lr : float
    steps : int, at least 1

    Returns
    -------
    kept, alpha : (d,) float64

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.8.
    """
    left = steps * np.log1p(-lr * eigenvalues)
    kept = -np.expm1(left)
    alpha = np.full_like(eigenvalues, 1 / (lr * steps))
    curved = eigenvalues > 0
    alpha[curved] = eigenvalues[curved] * np.exp(left[curved]) / kept[curved]
    return kept, alpha


class KeepBest:
    """Keeps copies of the weights with the k lowest losses.

    Of equal losses the earlier one counts as lower. NaN is never kept.

    Parameters
    ----------
    k : int, at least 1

    Attributes
    ----------
    losses : list of float, at most k of them, the lowest first
    snapshots : list of lists of arrays, the weights that belong to each of them
    """

    def __init__(self, k):
        """Begin with nothing kept."""
        self.k = k
        self.losses, self.snapshots = [], []

    def add(self, loss, weights):
        """Keep these weights if their loss is among the k lowest so far; return whether it is.

        Parameters
        ----------
        loss : float
        weights : list of arrays, which training goes on changing in place

        Returns
        -------
        bool
        """
        if math.isnan(loss):
            return False
        place = sum(other <= loss for other in self.losses)
        self.losses.insert(place, loss)
        self.snapshots.insert(place, [w.copy() for w in weights])
        del self.losses[self.k :], self.snapshots[self.k :]
        return place < self.k


class SWA:
    """Stochastic weight averaging: the mean of the weights after some of the epochs.

    Epoch `start` counts, and every `every`-th after it.

    Parameters
    ----------
    start, every : int, at least 1

    Attributes
    ----------
    taken : int, how many weights the mean is of

    References
    ----------
    Izmailov et al. 2018, algorithm 1.
    """

    def __init__(self, start, every=1):
        """Begin with nothing taken."""
        self.start, self.every = start, every
        self.taken, self.mean = 0, []

    def update(self, epoch, weights):
        """Take the weights at the end of an epoch into the mean, if that epoch counts.

        Parameters
        ----------
        epoch : int, counted from 1
        weights : list of arrays, which training goes on changing in place
        """
        since = epoch - self.start
        if since < 0 or since % self.every:
            return
        if self.taken == 0:
            self.mean = [np.zeros_like(w) for w in weights]
        self.taken += 1
        for mean, w in zip(self.mean, weights, strict=True):
            mean += (w - mean) / self.taken

    def average(self):
        """Return the mean as fresh arrays of the weights' dtype; [] while nothing is taken."""
        return [mean.copy() for mean in self.mean]


class EMA:
    """Exponential moving average of the weights, with bias correction.

    a_0 = 0,  a_t = decay a_(t-1) + (1 - decay) w_t. The factors of w_1 ... w_t in a_t do not sum
    to 1; the average is a_t divided by their sum, so that of constant weights it is the weights.

    Parameters
    ----------
    decay : float, 0 <= decay < 1

    References
    ----------
    Kingma & Ba 2015, sections 3 and 7.2.
    """

    def __init__(self, decay):
        """Begin before the first step."""
        self.decay = decay
        self.steps, self.sums = 0, []

    def update(self, weights):
        """Take in the weights after one more step.

        Parameters
        ----------
        weights : list of arrays, which training goes on changing in place
        """
        if self.steps == 0:
            self.sums = [np.zeros_like(w) for w in weights]
        self.steps += 1
        for total, w in zip(self.sums, weights, strict=True):
            total *= self.decay
            total += (1 - self.decay) * w

    def average(self):
        """Return the corrected average as fresh arrays of the weights' dtype; [] before a step."""
        correction = 1 - self.decay**self.steps
        return [total / correction for total in self.sums]


def bootstrap(samples, members, rng):
    """Draw each member's own training set: `samples` numbers out of 0 ... samples - 1.

    They are drawn with replacement, independently, and each member's independently of the others'.

    Parameters
    ----------
    samples, members : int, at least 1
    rng : np.random.Generator, the only source of randomness

    Returns
    -------
    bags : (members, samples) int64, which samples a member learns from
    out : (members, samples) bool, True where a member never sees that sample

    References
    ----------
    Breiman 1996.
    """
    bags = rng.integers(0, samples, (members, samples))
    out = np.ones((members, samples), bool)
    np.put_along_axis(out, bags, False, axis=1)
    return bags, out


def out_of_bag(probabilities, out):
    """Average, for each sample, the members that never saw it.

    A sample that every member saw gets a row of NaN.

    Parameters
    ----------
    probabilities : (m, n, k) float, of k classes, by m members, for n samples
    out : (m, n) bool, True where a member never saw that sample

    Returns
    -------
    average : (n, k)

    References
    ----------
    Breiman 1996, out-of-bag estimation.
    """
    total = np.where(out[:, :, None], probabilities, 0).sum(axis=0)
    count = out.sum(axis=0).astype(total.dtype)
    with np.errstate(invalid="ignore"):
        return total / count[:, None]


def average(logits):
    """Combine classifiers in two ways: the mean of their probabilities, and of their logits.

    A member's probabilities are the softmax of its logits. No logit is so large that the result
    overflows.

    Parameters
    ----------
    logits : (m, n, k) float, of k classes, by m members, for n samples

    Returns
    -------
    of_probabilities : (n, k), the mean of the members' probabilities
    of_logits : (n, k), the probabilities that belong to the mean of their logits
    """

    def softmax(z):
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    return softmax(logits).mean(axis=0), softmax(logits.mean(axis=0))


def majority_vote(votes, classes):
    """Count the members' votes; the class with most of them wins, the lowest one in a tie.

    Parameters
    ----------
    votes : (m, n) int64, the class that each of m members gives to each of n samples
    classes : int, k: votes are from 0 to k - 1

    Returns
    -------
    winners : (n,) int64
    counts : (n, k) int64
    """
    counts = (votes[:, :, None] == np.arange(classes)).sum(axis=0)
    return counts.argmax(axis=1), counts


def ambiguity(predictions, targets):
    """Compare picking a member at random with averaging all of them, by squared error.

    For each sample it holds exactly that picked = averaged + between.

    Parameters
    ----------
    predictions : (m, n) float, by m members, for n samples
    targets : (n,)

    Returns
    -------
    picked : (n,), the squared error of a member picked at random, in expectation
    averaged : (n,), the squared error of the members' average
    between : (n,), how much the members differ from one another

    References
    ----------
    Krogh & Vedelsby 1995, equation 4.
    """
    mean = predictions.mean(axis=0)
    picked = ((predictions - targets) ** 2).mean(axis=0)
    between = ((predictions - mean) ** 2).mean(axis=0)
    return picked, (mean - targets) ** 2, between


def ensemble_variance(errors, sizes):
    """Measure how alike members err, and foretell the variance of averages of more or fewer.

    Covariances are those of rows, over the samples, with n in the denominator.

    Parameters
    ----------
    errors : (m, n) float64, of m > 1 members on n samples
    sizes : (s,) int64, numbers of members

    Returns
    -------
    variance : float, the mean of the members' own variances
    correlation : float, the mean covariance of two different members, divided by `variance`
    predicted : (s,), the variance of the mean of so many members, of which each has `variance` and
        each two have `correlation`

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 7.11.
    """
    m = len(errors)
    covariance = np.cov(errors, bias=True)
    variance = np.trace(covariance) / m
    shared = (covariance.sum() - np.trace(covariance)) / (m * (m - 1))
    correlation = shared / variance
    return variance, correlation, shared + (variance - shared) / sizes
