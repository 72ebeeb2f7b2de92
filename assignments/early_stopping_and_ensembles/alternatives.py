"""Other right solutions, which must keep every point: other algebra, loops, other containers."""

import math

import numpy as np

from minidl.grading.mistake import alternative

# --- split


@alternative(target="split")
def split_with_a_mask(x, y, held, rng):
    """A mask of what is held out; both parts stay in the order of the file."""
    mask = np.zeros(len(x), dtype=bool)
    mask[rng.choice(len(x), size=held, replace=False)] = True
    return x[~mask], y[~mask], x[mask], y[mask]


@alternative(target="split")
def split_by_sorting(x, y, held, rng):
    """A random number for each row; the rows with the largest are held out."""
    order = np.argsort(rng.random(len(x)))
    border = len(x) - held
    return x[order[:border]], y[order[:border]], x[order[border:]], y[order[border:]]


@alternative(target="split")
def split_with_lists(x, y, held, rng):
    """A shuffled list of numbers, taken from one by one; a list instead of a tuple."""
    numbers = list(range(len(x)))
    rng.shuffle(numbers)
    out = [numbers.pop() for _ in range(held)]
    return [np.stack([a[i] for i in rows]) for rows in (numbers, out) for a in (x, y)]


# --- early stopping


@alternative(target="early_stopping")
class EarlyStoppingWithTheSteps:
    """What is waited is worked out from step numbers; deep copies of the list."""

    def __init__(self, patience, min_delta=0.0, mode="min"):
        """Keep the options."""
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.step = 0
        self.best = None
        self.best_step = 0
        self.saved = None

    @property
    def waited(self):
        """Steps since the best."""
        return self.step - self.best_step

    def is_better(self, value):
        """Compare with the best."""
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        if self.mode == "max":
            return value > self.best + self.min_delta
        return value < self.best - self.min_delta

    def update(self, value, weights):
        """Look at a value."""
        import copy

        self.step = self.step + 1
        if self.is_better(value):
            self.best = value
            self.best_step = self.step
            self.saved = copy.deepcopy(weights)
        return self.waited > self.patience - 1

    def restore(self, weights):
        """Copy back."""
        for i in range(len(weights)):
            if self.saved is None:
                return
            np.copyto(weights[i], self.saved[i])


@alternative(target="early_stopping")
class EarlyStoppingWithAHistory:
    """All values and flat copies of all weights are kept, and searched; NaN stands for None."""

    def __init__(self, patience, min_delta=0.0, mode="min"):
        """Begin an empty history."""
        self.patience, self.min_delta = patience, min_delta
        self.factor = {"min": 1, "max": -1}[mode]
        self.values, self.flat, self.records = [], [], []

    @property
    def best(self):
        """The last record."""
        return self.values[self.records[-1]] if self.records else None

    @property
    def best_step(self):
        """The number of the last record."""
        return self.records[-1] + 1 if self.records else 0

    @property
    def waited(self):
        """How many came after it."""
        return len(self.values) - self.best_step

    def update(self, value, weights):
        """Append to the history."""
        best = self.factor * self.best if self.records else np.inf
        gain = best - self.factor * value
        self.values.append(value)
        self.flat.append(np.concatenate([w.ravel() for w in weights]))
        if gain > self.min_delta:
            self.records.append(len(self.values) - 1)
        return not self.waited < self.patience

    def restore(self, weights):
        """Cut the flat copy into pieces."""
        start = 0
        for w in weights if self.records else []:
            piece = self.flat[self.records[-1]][start : start + w.size]
            w[:] = piece.reshape(w.shape)
            start += w.size


@alternative(target="early_stopping")
class EarlyStoppingCountingDown:
    """The patience that is left is counted down; NaN marks that there is no best."""

    def __init__(self, patience, min_delta=0.0, mode="min"):
        """Begin with all patience left."""
        self.patience, self.left = patience, patience
        self.min_delta, self.maximize = min_delta, mode == "max"
        self.best, self.best_step, self.steps, self.waited = float("nan"), 0, 0, 0
        self.kept = []

    def update(self, value, weights):
        """Count down, or begin anew."""
        self.steps += 1
        self.left -= 1
        self.waited += 1
        gain = value - self.best if self.maximize else self.best - value
        first = np.isnan(self.best) and not np.isnan(value)
        if first or gain > self.min_delta:
            self.best, self.best_step = float(value), self.steps
            self.left, self.waited = self.patience, 0
            self.kept = [np.array(w) for w in weights]
        return np.bool_(self.left <= 0)

    def restore(self, weights):
        """Add the difference in place; zip ends at once when nothing is kept."""
        for w, kept in zip(weights, self.kept, strict=False):
            w -= w
            w += kept


# --- retraining


@alternative(target="retraining_steps")
def retraining_steps_in_loops(losses, samples, held, batch_size):
    """Losses and batches counted one by one."""
    best, epochs = float("inf"), 0
    for number, loss in enumerate(losses):
        if loss < best:
            best, epochs = loss, number + 1
    counts = []
    for size in (samples - held, samples):
        count = 0
        while size > 0:
            size -= batch_size
            count += 1
        counts.append(epochs * count)
    return tuple(counts)


@alternative(target="retraining_steps")
def retraining_steps_with_integers(losses, samples, held, batch_size):
    """Division rounded up in whole numbers; NaN replaced by infinity; NumPy integers."""
    epochs = np.argmin(np.where(np.isnan(losses), np.inf, losses)) + 1
    return epochs * -((held - samples) // batch_size), epochs * (-(-samples // batch_size))


@alternative(target="retraining_steps")
def retraining_steps_as_an_array(losses, samples, held, batch_size):
    """Both at once, as one array of floats."""
    lowest = np.flatnonzero(losses == np.nanmin(losses))[0]
    return (lowest + 1) * np.ceil(np.array([samples - held, samples]) / batch_size)


# --- early stopping as a penalty


@alternative(target="as_penalty")
def as_penalty_with_quotients(eigenvalues, lr, steps):
    """alpha as lambda / (1 / left - 1), with expm1 of the other sign."""
    rate = -steps * np.log1p(-lr * eigenvalues)
    flat = eigenvalues == 0
    safe = np.where(flat, 1.0, rate)
    alpha = np.where(flat, 1.0 / (lr * steps), eigenvalues / np.expm1(safe))
    return 1 - np.exp(-rate) if np.all(rate > 0.1) else -np.expm1(-rate), alpha


@alternative(target="as_penalty")
def as_penalty_as_a_sum(eigenvalues, lr, steps):
    """kept as a geometric series, step by step: nothing is subtracted that is nearly equal."""
    shrink = 1 - lr * eigenvalues
    series = sum(shrink**step for step in range(steps))
    return lr * eigenvalues * series, shrink**steps / (lr * series)


@alternative(target="as_penalty")
def as_penalty_by_descent(eigenvalues, lr, steps):
    """Gradient descent itself from 0 to 1, one direction after the other."""
    kept, alpha = np.empty_like(eigenvalues), np.empty_like(eigenvalues)
    for i, curvature in enumerate(eigenvalues):
        w, way, power = 0.0, 0.0, 1.0
        for _ in range(steps):
            way += power
            power *= 1 - lr * curvature
            w += lr * curvature * (1 - w)
        kept[i], alpha[i] = w, power / (lr * way)
    return kept, alpha


# --- the k best


@alternative(target="keep_best")
class KeepBestBySorting:
    """Everything is put into one list, sorted stably, and cut."""

    def __init__(self, k):
        """Begin with an empty list."""
        self.k = k
        self.entries = []
        self.count = 0

    @property
    def losses(self):
        """The losses."""
        return [loss for loss, _, _ in self.entries]

    @property
    def snapshots(self):
        """The weights."""
        return [weights for _, _, weights in self.entries]

    def add(self, loss, weights):
        """Append, sort, cut."""
        if loss != loss:
            return False
        self.count += 1
        entry = (loss, self.count, [np.array(w) for w in weights])
        self.entries = sorted([*self.entries, entry], key=lambda e: e[:2])[: self.k]
        return any(e is entry for e in self.entries)


@alternative(target="keep_best")
class KeepBestByReplacing:
    """The worst is replaced by something strictly better; tuples, sorted only when asked."""

    def __init__(self, k):
        """Begin with nothing."""
        self.k, self.losses, self.snapshots = k, [], []

    def add(self, loss, weights):
        """Find the place from the end."""
        full = len(self.losses) == self.k
        if math.isnan(loss) or (full and not loss < self.losses[-1]):
            return False
        if full:
            self.losses.pop()
            self.snapshots.pop()
        place = len(self.losses)
        while place and loss < self.losses[place - 1]:
            place -= 1
        self.losses = [*self.losses[:place], loss, *self.losses[place:]]
        copies = tuple(w.copy() for w in weights)
        self.snapshots = [*self.snapshots[:place], copies, *self.snapshots[place:]]
        return True


@alternative(target="keep_best")
class KeepBestInArrays:
    """Losses in an array padded with infinity; a stable argsort."""

    def __init__(self, k):
        """Begin with k infinities."""
        self.k = k
        self.table = np.full(k, np.inf)
        self.kept = [None] * k

    @property
    def losses(self):
        """The losses that are finite."""
        return [float(v) for v in self.table if np.isfinite(v)]

    @property
    def snapshots(self):
        """The weights that belong to them."""
        return [w for w in self.kept if w is not None]

    def add(self, loss, weights):
        """Sort k + 1 values."""
        values = np.append(self.table, loss)
        order = np.argsort(values, kind="stable")[: self.k]
        if self.k not in order or np.isnan(loss):
            return False
        copies = [*self.kept, [w + 0 for w in weights]]
        self.table, self.kept = values[order], [copies[i] for i in order]
        return True


# --- stochastic weight averaging


@alternative(target="swa")
class SWAFromSums:
    """Sums, divided when the average is asked for."""

    def __init__(self, start, every=1):
        """Begin with no sums."""
        self.counted = set(range(start, 100_000, every))
        self.taken, self.sums = 0, None

    def update(self, epoch, weights):
        """Add."""
        if epoch in self.counted:
            self.taken += 1
            before = self.sums or [0 * w for w in weights]
            self.sums = [total + w for total, w in zip(before, weights, strict=True)]

    def average(self):
        """Divide."""
        return [total / self.taken for total in self.sums or []]


@alternative(target="swa")
class SWAFromAList:
    """All weights are kept; the mean is taken in float64."""

    def __init__(self, start, every=1):
        """Begin with an empty list."""
        self.start, self.every, self.kept = start, every, []

    @property
    def taken(self):
        """How many there are."""
        return len(self.kept)

    def update(self, epoch, weights):
        """Keep copies."""
        if epoch >= self.start and (epoch - self.start) % self.every == 0:
            self.kept.append([w.astype(np.float64) for w in weights])
            self.types = [w.dtype for w in weights]

    def average(self):
        """Average array by array."""
        columns = zip(*self.kept, strict=True)
        return (
            [np.mean(c, axis=0).astype(t) for c, t in zip(columns, self.types, strict=True)]
            if (self.kept)
            else []
        )


@alternative(target="swa")
class SWACountingEpochs:
    """The next epoch that counts is remembered; the mean moves by shares."""

    def __init__(self, start, every=1):
        """The first that counts is start."""
        self.next, self.every, self.taken, self.mean = start, every, 0, ()

    def update(self, epoch, weights):
        """Wait for the next."""
        if epoch != self.next:
            return
        self.next += self.every
        share = 1 / (self.taken + 1)
        old = self.mean if self.taken else weights
        self.mean = tuple((1 - share) * m + share * w for m, w in zip(old, weights, strict=True))
        self.taken += 1

    def average(self):
        """Return copies."""
        return [np.array(m) for m in self.mean]


# --- exponential moving average


@alternative(target="ema")
class EMAWithAChangingShare:
    """The corrected average itself moves, by (1 - decay) / (1 - decay^t) of the way."""

    def __init__(self, decay):
        """Begin before the first step."""
        self.decay, self.power, self.value = decay, 1.0, []

    def update(self, weights):
        """Move towards the weights."""
        self.power *= self.decay
        share = (1 - self.decay) / (1 - self.power)
        if not self.value:
            self.value = [w.copy() for w in weights]
        for value, w in zip(self.value, weights, strict=True):
            value += share * (w - value)

    def average(self):
        """Return copies."""
        return [value.copy() for value in self.value]


@alternative(target="ema")
class EMAWithASumOfFactors:
    """The sum of the factors is carried along as though it were one more weight."""

    def __init__(self, decay):
        """Begin with sums of nothing."""
        self.decay, self.total, self.sums = decay, 0.0, None

    def update(self, weights):
        """The same recursion for both; without the factor 1 - decay, which cancels."""
        self.total = self.decay * self.total + 1
        old = self.sums if self.sums is not None else [0.0] * len(weights)
        self.sums = [self.decay * s + w for s, w in zip(old, weights, strict=True)]

    def average(self):
        """Divide."""
        return [s / self.total for s in self.sums or []]


@alternative(target="ema")
class EMAFromAllWeights:
    """All weights are kept, and averaged with weights decay^age in float64."""

    def __init__(self, decay):
        """Begin with an empty list."""
        self.decay, self.all = decay, []

    def update(self, weights):
        """Keep copies."""
        self.all.append([w.copy() for w in weights])

    def average(self):
        """Weighted averages, array by array."""
        ages = np.arange(len(self.all))[::-1]
        factors = np.power(float(self.decay), ages)
        arrays = [np.stack(column) for column in zip(*self.all, strict=True)]
        return [np.average(a, axis=0, weights=factors).astype(a.dtype) for a in arrays]


# --- bootstrap


@alternative(target="bootstrap")
def bootstrap_with_choice(samples, members, rng):
    """rng.choice for each member, and sets."""
    bags = np.empty((members, samples), np.int64)
    out = np.zeros((members, samples), dtype=bool)
    for m in range(members):
        bags[m] = rng.choice(samples, size=samples)
        seen = set(bags[m].tolist())
        out[m] = [i not in seen for i in range(samples)]
    return bags, out


@alternative(target="bootstrap")
def bootstrap_with_counts(samples, members, rng):
    """Uniform numbers rounded down; how often each came, compared with 0."""
    bags = np.floor(rng.random((members, samples)) * samples).astype(np.int64)
    counts = np.stack([np.bincount(bag, minlength=samples) for bag in bags])
    return bags, counts == 0


@alternative(target="bootstrap")
def bootstrap_by_comparing(samples, members, rng):
    """Every number of a bag beside every sample, member after member; bags are sorted."""
    bags = np.sort(rng.integers(samples, size=(members, samples)), axis=1)
    out = np.stack([(bag[:, None] != np.arange(samples)).all(axis=0) for bag in bags])
    return [bags, out]


# --- out of bag


@alternative(target="out_of_bag")
def out_of_bag_in_loops(probabilities, out):
    """Sample after sample, with fancy indices."""
    m, n, k = probabilities.shape
    average = np.full((n, k), np.nan, probabilities.dtype)
    for i in range(n):
        rows = [probabilities[j, i] for j in range(m) if out[j, i]]
        if rows:
            average[i] = sum(rows) / len(rows)
    return average


@alternative(target="out_of_bag")
def out_of_bag_with_einsum(probabilities, out):
    """Shares that sum to 1 over the members, and one sum of products."""
    share = out / out.sum(axis=0)
    return np.einsum("mn,mnk->nk", share, probabilities).astype(probabilities.dtype)


@alternative(target="out_of_bag")
def out_of_bag_with_nan(probabilities, out):
    """NaN for those who saw it, then a masked mean."""
    hidden = np.ma.masked_array(
        probabilities, np.broadcast_to(~out[..., None], probabilities.shape)
    )
    average = hidden.mean(axis=0)
    return np.asarray(average.filled(np.nan), dtype=probabilities.dtype)


# --- averages of classifiers


@alternative(target="average")
def average_with_logarithms(logits):
    """log-sum-exp, member after member."""
    m = len(logits)

    def log_softmax(z):
        top = np.max(z, axis=1)[:, None]
        return z - top - np.log(np.sum(np.exp(z - top), axis=1))[:, None]

    total = sum(np.exp(log_softmax(z)) for z in logits)
    return total / m, np.exp(log_softmax(sum(logits) / m))


@alternative(target="average")
def average_as_a_geometric_mean(logits):
    """The second as the geometric mean of the probabilities, normalized."""
    shifted = logits.astype(np.float64) - logits.max(axis=2)[..., None]
    logs = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
    geometric = logs.mean(axis=0)
    geometric = np.exp(geometric - geometric.max(axis=1, keepdims=True))
    geometric /= geometric.sum(axis=1, keepdims=True)
    return np.exp(logs).mean(axis=0).astype(logits.dtype), geometric.astype(logits.dtype)


@alternative(target="average")
def average_in_loops(logits):
    """Each class as 1 over a sum of ratios."""
    m, n, k = logits.shape
    first, second = np.zeros((n, k)), np.zeros((n, k))
    middle = logits.astype(float).mean(axis=0)
    for i in range(n):
        for c in range(k):
            for member in range(m):
                z = logits[member, i].astype(float)
                first[i, c] += 1 / np.exp(np.minimum(z - z[c], 700)).sum() / m
            second[i, c] = 1 / np.exp(np.minimum(middle[i] - middle[i, c], 700)).sum()
    return first.astype(logits.dtype), second.astype(logits.dtype)


# --- majority vote


@alternative(target="majority_vote")
def majority_vote_with_bincount(votes, classes):
    """bincount for each sample."""
    counts = np.stack([np.bincount(column, minlength=classes) for column in votes.T])
    return np.argmax(counts, axis=1), counts


@alternative(target="majority_vote")
def majority_vote_in_loops(votes, classes):
    """Plain counting, and a strict comparison from the lowest class upwards."""
    m, n = votes.shape
    counts = np.zeros((n, classes), dtype=np.int64)
    winners = np.zeros(n, dtype=np.int64)
    for i in range(n):
        for j in range(m):
            counts[i, votes[j, i]] += 1
        for c in range(classes):
            if counts[i, c] > counts[i, winners[i]]:
                winners[i] = c
    return winners, counts


@alternative(target="majority_vote")
def majority_vote_one_hot(votes, classes):
    """A sum of one-hot rows; the tie decided by a small handicap for higher classes."""
    counts = np.eye(classes, dtype=np.int64)[votes].sum(axis=0)
    return (counts - np.arange(classes) / (classes + 1)).argmax(axis=1), counts


# --- ambiguity


@alternative(target="ambiguity")
def ambiguity_as_a_difference(predictions, targets):
    """between as the difference of the other two, from centred errors."""
    errors = predictions - targets
    middle = np.mean(errors, axis=0)
    between = np.mean(np.square(errors - middle), axis=0)
    return np.mean(np.square(errors), axis=0), np.square(middle), between


@alternative(target="ambiguity")
def ambiguity_with_var(predictions, targets):
    """np.var, and picked as the sum of the other two."""
    between = np.var(predictions, axis=0)
    averaged = np.square(np.average(predictions, axis=0) - targets).astype(predictions.dtype)
    return averaged + between, averaged, between


@alternative(target="ambiguity")
def ambiguity_of_pairs(predictions, targets):
    """between as half the mean squared difference of two members."""
    m = len(predictions)
    pairs = predictions[:, None] - predictions[None]
    errors = predictions - targets
    averaged = (errors.sum(axis=0) / m) ** 2
    return (errors * errors).sum(axis=0) / m, averaged, (pairs**2).sum(axis=(0, 1)) / (2 * m * m)


# --- variance of an ensemble


@alternative(target="ensemble_variance")
def ensemble_variance_from_the_mean(errors, sizes):
    """The shared part from the variance of the real mean."""
    m = len(errors)
    variance = errors.var(axis=1).mean()
    of_mean = errors.mean(axis=0).var()
    rho = (m * of_mean / variance - 1) / (m - 1)
    return variance, rho, variance * (rho + (1 - rho) / sizes)


@alternative(target="ensemble_variance")
def ensemble_variance_in_loops(errors, sizes):
    """Pair after pair, and plain floats."""
    m, n = errors.shape
    centred = [[value - sum(row) / n for value in row] for row in errors.tolist()]
    own = sum(v * v for row in centred for v in row) / (m * n)
    shared = 0.0
    for i in range(m):
        for j in range(i):
            shared += 2 * sum(a * b for a, b in zip(centred[i], centred[j], strict=True)) / n
    rho = shared / (m * (m - 1)) / own
    predicted = [(int(k) * own + int(k) * (int(k) - 1) * rho * own) / int(k) ** 2 for k in sizes]
    return own, rho, np.array(predicted)


@alternative(target="ensemble_variance")
def ensemble_variance_with_a_mask(errors, sizes):
    """The entries off the diagonal, chosen by a mask."""
    centred = errors - errors.mean(axis=1, keepdims=True)
    table = centred @ centred.T / errors.shape[1]
    off = table[~np.eye(len(table), dtype=bool)]
    variance = np.diagonal(table).mean()
    correlation = np.mean(off) / variance
    share = 1 / np.asarray(sizes)
    return [variance, correlation, share * variance + (1 - share) * correlation * variance]
