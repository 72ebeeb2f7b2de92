"""What must hold, by definition, and how inputs are drawn: what the checks are made of.

Expected values are worked out number by number in float64, over all masks where a mean is meant, or
read off what came back: which channel was dropped is the student's business, that it was dropped
whole is not.
"""

import itertools
import math
from functools import partial

import numpy as np

from minidl.gradcheck import central_differences as differences
from minidl.grading.compare import Mismatch, close
from minidl.grading.protocol import Rng
from minidl.grading.statistics import fresh, rate_within, uncorrelated

# Central differences with a step at which they are exact to about 1e-9.
central_differences = partial(differences, eps=1e-5)

RATES = (0.3, 0.75, 0.2, 0.6, 0.45, 0.1)
BIG = 2**62


def draw_dtype(case):
    """Return float64 for everybody's first case, then float32, and so on by turns."""
    return case.turn(np.float64, np.float32)


def draw_shape(case):
    """Return a shape of one to four axes."""
    return case.turn((4, 5), (3, 2, 5), (11,), (2, 3, 4, 3), (1, 9), (6, 1, 4))


def draw_keep(case, *shape, p=0.4):
    """Return a mask that has at least one value of either kind."""
    keep = case.uniform(*shape) >= p
    keep.flat[0], keep.flat[-1] = True, False
    return keep


def draw_values(case, *shape, dtype=np.float64):
    """Return values of both signs, none of them near zero."""
    sign = np.where(case.uniform(*shape) < 0.5, -1.0, 1.0)
    return (sign * case.uniform(*shape, low=0.5, high=2.0)).astype(dtype)


def draw_generator(case):
    """Return a generator with a seed of its own, to be handed to the student."""
    return Rng(case.integer(0, BIG))


def demand_form(got, shape, dtype, name):
    """Raise Mismatch unless an array has the shape and dtype asked for, and no NaN."""
    want = np.ones(shape, dtype)
    for what, fits in (("shape", got.shape == want.shape), ("dtype", got.dtype == want.dtype)):
        if not fits:
            raise Mismatch(what, name, got, want)
    if not np.isfinite(got).all():
        raise Mismatch("nan", name, got, want)


def demand_generator_decides(draw, case, name):
    """The same generator gives the same numbers, another one gives others."""
    one, other = draw_generator(case), draw_generator(case)
    first = draw(one)
    demand_form(first, first.shape, first.dtype, name)
    fresh(first, draw(other), name)
    close(draw(one), first, f"{name}, drawn again by the same generator,")


def demand_neighbours_apart(values, name, axes):
    """Along each axis the next value tells nothing about this one."""
    for axis, word in axes.items():
        moved = np.moveaxis(values, axis, 0)
        uncorrelated(moved[1:], moved[:-1], f"{name} of neighbouring {word}")


def kept_whole(y, axes):
    """Return which units have anything left, having looked over the given axes."""
    return np.any(y != 0, axis=axes, keepdims=True)


def demand_scaled_where_kept(y, x, p, axes, name):
    """y is x / (1 - p) where a unit has anything left, 0 elsewhere; units are kept at 1 - p."""
    kept = kept_whole(y, axes)
    rate_within(int(kept.sum()), kept.size, 1 - p, f"the part of the {name} that is kept")
    close(y, np.where(kept, x / (1 - p), 0).astype(x.dtype), "y")


def scaled(x, keep, scale):
    """Return x * scale where keep is True, else 0, one value after the other."""
    keep = np.broadcast_to(keep, x.shape)
    y = [float(a) * scale if k else 0.0 for a, k in zip(x.flat, keep.flat, strict=True)]
    return np.array(y).reshape(x.shape).astype(x.dtype)


def connected(x, weight, keep):
    """Return each sample's sums over those inputs whose weights it keeps, in float64."""
    (n, d), k = x.shape, len(weight)
    y = np.zeros((n, k))
    for i, o, j in np.ndindex(n, k, d):
        if keep[i, o, j]:
            y[i, o] += float(weight[o, j]) * float(x[i, j])
    return y


def moments(x, weight, p):
    """Return mean and variance over all 2^d masks of each output, by listing them."""
    (n, d), k = x.shape, len(weight)
    mean, square = np.zeros((n, k)), np.zeros((n, k))
    for mask in itertools.product((0, 1), repeat=d):
        probability = (1 - p) ** sum(mask) * p ** (d - sum(mask))
        y = connected(x, weight, np.broadcast_to(np.array(mask, bool), (n, k, d)))
        mean += probability * y
        square += probability * y**2
    return mean, square - mean**2


def averaged(mean, variance, noise):
    """Return the average of relu(mean + std * noise), draw by draw."""
    total = np.zeros(mean.shape)
    for draw in noise.astype(np.float64):
        z = mean + variance.astype(np.float64) ** 0.5 * draw
        total += np.where(z > 0, z, 0)
    return total / len(noise)


def stood_out(x, weight, alpha, beta):
    """Return h and the probability of keeping, sum by sum; exp of positive numbers is avoided."""
    n, k = len(x), len(weight)
    h, probability = np.zeros((n, k)), np.zeros((n, k))
    for i, o in np.ndindex(n, k):
        total = sum(float(a) * float(w) for a, w in zip(x[i], weight[o], strict=True))
        h[i, o] = max(total, 0.0)
        small = math.exp(-abs(alpha * total + beta))
        probability[i, o] = (1.0 if alpha * total + beta > 0 else small) / (1.0 + small)
    return h, probability


def gamma(keep_prob, block_size, h, w):
    """Return the rate at which places * gamma blocks cover (1 - keep_prob) of the map; 1 for 0."""
    if keep_prob == 0:
        return 1.0
    places = len(range(block_size, h + 1)) * len(range(block_size, w + 1))
    return (1 - keep_prob) * h * w / (places * block_size * block_size)


def covered(seeds, block_size):
    """Return which pixels no block covers, asking of each pixel where its blocks could begin."""
    n, c, rows, columns = seeds.shape
    keep = np.ones((n, c, rows + block_size - 1, columns + block_size - 1), bool)
    for i, k, row, column in np.ndindex(keep.shape):
        above = seeds[i, k, max(row - block_size + 1, 0) : row + 1]
        keep[i, k, row, column] = not above[:, max(column - block_size + 1, 0) : column + 1].any()
    return keep


def chance_of(count, n, probability):
    """Return the probability of exactly `count` of n independent events."""
    return math.comb(n, count) * probability**count * (1 - probability) ** (n - count)
