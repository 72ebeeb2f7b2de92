"""What must hold, by definition, and how inputs are drawn: what the checks are made of.

One value after the other in plain Python, exact decimals where digits count: no formula is shared
with a solution. Series of losses are multiples of 1/8, so that sums and ties are exact.
"""

from decimal import Decimal, localcontext

import numpy as np

from minidl.grading.protocol import Rng

EIGHTH = 0.125


def watched(values, patience, min_delta, mode):
    """Return stops, best, best_step and waited after each value."""
    record, record_at, rows = None, 0, []
    for step, value in enumerate(map(float, values), start=1):
        if record is None:
            better = np.isfinite(value)
        else:
            better = (value - record if mode == "max" else record - value) > min_delta
        if better:
            record, record_at = value, step
        waited = step - record_at
        rows.append((waited >= patience, np.nan if record is None else record, record_at, waited))
    stops, best, best_step, waited = zip(*rows, strict=True)
    return np.array(stops), np.array(best), np.array(best_step), np.array(waited)


def draw_losses(case, patience):
    """Return losses that get better after patience - 1 worse ones, until they get no better.

    The worse ones fall, so that each is better than the one before, and stay above the best.
    """
    best = 10.0
    values = [best]
    for _ in range(3):
        values += _falling(case, best, patience - 1)
        best -= case.integer(1, 8) * EIGHTH
        values.append(best)
    return np.array(values + _falling(case, best, patience + 2))


def _falling(case, best, count):
    steps = np.cumsum([case.integer(1, 3) for _ in range(count)])[::-1]
    return [best + float(step) * EIGHTH for step in steps]


def draw_steps_around(case, min_delta):
    """Return losses that fall by less, by just as much and by more than min_delta."""
    best, values = 10.0, [10.0]
    for gain in (min_delta, min_delta + EIGHTH, min_delta - EIGHTH, -EIGHTH, min_delta + 1.0):
        values.append(best - gain)
        best = min(best, best - gain if gain > min_delta else best)
    drift = [best - step * EIGHTH for step in range(1, int(min_delta / EIGHTH) + 3)]
    return np.array(values + drift + [drift[-1] + EIGHTH * case.integer(1, 3)])


def draw_weights(case, steps, width, dtype=np.float64):
    """Return (steps, width) weights that drift away from where they began."""
    return np.cumsum(case.normal(steps, width, mean=0.4), axis=0).astype(dtype)


def planned(losses, samples, held, batch_size):
    """Return both numbers of steps, counted batch by batch."""
    lowest, epochs = np.inf, 0
    for epoch, loss in enumerate(map(float, losses), start=1):
        if loss < lowest:
            lowest, epochs = loss, epoch
    steps = [len(range(0, size, batch_size)) for size in (samples - held, samples)]
    return np.array(epochs * steps[0]), np.array(epochs * steps[1])


def draw_sizes(case):
    """Return samples, held and a batch size that divides neither the samples nor what is left."""
    batch_size = case.turn(8, 16, 12)
    left = batch_size * case.integer(5, 9) + case.integer(1, batch_size // 2)
    held = batch_size * case.integer(2, 4) + case.integer(1, batch_size // 2 - 2)
    return left + held, held, batch_size


def penalty(eigenvalues, lr, steps):
    """Return kept and alpha, exactly, direction by direction."""
    kept, alpha = [], []
    with localcontext() as context:
        context.prec = 80
        for eigenvalue in map(Decimal, map(float, eigenvalues)):
            left = (1 - Decimal(lr) * eigenvalue) ** steps
            kept.append(float(1 - left))
            flat = 1 / (Decimal(lr) * steps)
            alpha.append(float(eigenvalue * left / (1 - left) if eigenvalue else flat))
    return np.array(kept), np.array(alpha)


def k_lowest(losses, path, k):
    """Return losses and weights of the k lowest, and whether each was among them when it came."""
    kept = []
    for number, loss in enumerate(losses):
        before = sum(float(other) <= loss for other in losses[:number])
        kept.append(bool(not np.isnan(loss) and before < k))
    numbers = [number for number, loss in enumerate(losses) if not np.isnan(loss)]
    order = sorted(numbers, key=lambda number: (losses[number], number))[:k]
    return losses[order], path[order, :3], path[order, 3:], np.array(kept)


def mean_of_epochs(path, start, every):
    """Return, for each epoch, how many count so far, and the mean of their weights."""
    taken, means = [], []
    for epoch in range(1, len(path) + 1):
        rows = [path[e - 1].astype(np.float64) for e in range(start, epoch + 1, every)]
        taken.append(len(rows))
        means.append(sum(rows) / len(rows) if rows else np.full(path.shape[1], np.nan))
    return np.array(taken), np.array(means).astype(path.dtype)


def moving_average(path, decay):
    """Return, after each step, the average of all weights so far with weights decay^age."""
    averages = []
    for step in range(1, len(path) + 1):
        factors = np.array([decay ** (step - t) for t in range(1, step + 1)])
        averages.append(factors @ path[:step].astype(np.float64) / factors.sum())
    return np.array(averages).astype(path.dtype)


def never_seen(bags, samples):
    """Return the mask that belongs to the bags."""
    return np.array([[i not in set(bag.tolist()) for i in range(samples)] for bag in bags])


def mean_of_others(probabilities, out):
    """Return, for each sample, the mean over the members for which out is True."""
    rows = []
    for sample in range(out.shape[1]):
        mask = out[:, sample]
        others = [row.astype(np.float64) for row in probabilities[mask, sample]]
        rows.append(
            sum(others) / len(others) if others else np.full(probabilities.shape[2], np.nan)
        )
    return np.array(rows).astype(probabilities.dtype)


def softmax(row):
    """Return the probabilities of one row of logits."""
    row = row.astype(np.float64)
    return np.array([1 / np.exp(row - z).sum() for z in row])


def averaged(logits):
    """Return the mean of the probabilities, and the probabilities of the mean logits."""
    with np.errstate(over="ignore"):
        members = np.array([[softmax(row) for row in member] for member in logits])
        mean = np.array([softmax(row) for row in logits.astype(np.float64).mean(axis=0)])
    return (sum(members) / len(members)).astype(logits.dtype), mean.astype(logits.dtype)


def counted(votes, classes):
    """Return winners and counts, sample by sample."""
    counts = np.array([[list(v).count(c) for c in range(classes)] for v in votes.T.tolist()])
    winners = [min(range(classes), key=lambda c: (-row[c], c)) for row in counts.tolist()]
    return np.array(winners), counts


def covariances(errors):
    """Return the (m, m) covariances of the members' errors, pair by pair."""
    centred = [row - sum(row) / len(row) for row in errors]
    return np.array([[float(a @ b) / len(a) for b in centred] for a in centred])


def draw_curve(case, epochs):
    """Return losses that fall to one lowest value inside, and rise again."""
    lowest = case.integer(2, epochs - 3)
    return EIGHTH * (4 + np.abs(np.arange(epochs) - lowest) ** 1.5)


def draw_probabilities(case, members, samples, classes, dtype=np.float64):
    """Return (members, samples, classes) of rows that sum to 1."""
    values = case.uniform(members, samples, classes, low=0.05)
    return (values / values.sum(axis=2, keepdims=True)).astype(dtype)


def draw_mask(case, members, samples):
    """Return a mask in which each sample is unseen by one member at least, and not by all."""
    mask = case.uniform(members, samples) < 0.4
    turns = np.arange(samples)
    mask[turns % members, turns] = True
    mask[(turns + 1) % members, turns] = False
    return mask


def draw_predictions(case):
    """Return (m, n) predictions that share a part of their errors, and targets."""
    members, samples = case.turn((4, 6), (5, 3), (2, 7))
    dtype = case.turn(np.float64, np.float32)
    targets = case.normal(samples, scale=3.0)
    shared = targets + case.normal(samples, mean=0.5)
    return (shared + case.normal(members, samples)).astype(dtype), targets.astype(dtype)


def compared(predictions, targets):
    """Return the three parts, sample by sample, in float64."""
    rows = []
    for column, target in zip(predictions.T.astype(np.float64), targets, strict=True):
        middle = sum(column) / len(column)
        errors = [(value - float(target)) ** 2 for value in column]
        spread = [(value - middle) ** 2 for value in column]
        rows.append((sum(errors), (middle - float(target)) ** 2 * len(column), sum(spread)))
    return (np.array(rows).T / len(predictions)).astype(predictions.dtype)


def draw_errors(case):
    """Return (m, n) errors with a common part and a bias for each member."""
    members, samples = case.turn((3, 20), (5, 12), (2, 30))
    common = case.normal(samples)
    own = case.normal(members, samples, scale=case.uniform(1, low=0.5, high=1.5)[0])
    return common + own * case.uniform(members, 1, low=0.6, high=1.4) + case.normal(members, 1)


def draw_rng(case):
    """Return a generator to pass, different for every case."""
    return Rng(case.integer(0, 2**40))
