"""What the steps of optimizers should give, one number at a time.

The formulas take the step's number, the gradient, the parameter and its state as plain numbers, and
return what becomes of parameter and state.
"""

import itertools
import math
from functools import partial

import numpy as np


def _downhill(g, theta, weight_decay, maximize):
    return (-g if maximize else g) + weight_decay * theta


def sgd(
    t, g, theta, v, *, lr, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False
):
    g = _downhill(g, theta, weight_decay, maximize)
    if momentum:
        v = momentum * v + (1 - dampening) * g
        g = g + momentum * v if nesterov else v
    return theta - lr * g, v


def momentum(t, g, theta, v, *, lr, momentum=0.9, weight_decay=0):
    v = momentum * v + lr * (g + weight_decay * theta)
    return theta - v, v


def adam(
    *numbers,
    lr,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0,
    amsgrad=False,
    decoupled=False,
    maximize=False,
):
    t, g, theta, m, v, top = numbers
    kept = theta * (1 - lr * weight_decay) if decoupled else theta
    g = _downhill(g, theta, 0 if decoupled else weight_decay, maximize)
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
    top = max(top, v) if amsgrad else top
    m_hat, v_hat = m / (1 - betas[0] ** t), (top if amsgrad else v) / (1 - betas[1] ** t)
    return kept - lr * m_hat / (math.sqrt(v_hat) + eps), m, v, top


def rmsprop(
    *numbers,
    lr,
    alpha=0.99,
    eps=1e-8,
    weight_decay=0,
    momentum=0,
    centered=False,
    maximize=False,
):
    _, g, theta, v, m, u = numbers
    g = _downhill(g, theta, weight_decay, maximize)
    v = alpha * v + (1 - alpha) * g**2
    m = alpha * m + (1 - alpha) * g if centered else m
    s = g / (math.sqrt(v - m**2 if centered else v) + eps)
    u = momentum * u + s if momentum else u
    return theta - lr * (u if momentum else s), v, m, u


def adagrad(t, g, theta, total, *, lr, lr_decay=0, eps=1e-10, weight_decay=0, maximize=False):
    g = _downhill(g, theta, weight_decay, maximize)
    total = total + g**2
    return theta - lr / (1 + (t - 1) * lr_decay) * g / (math.sqrt(total) + eps), total


def adadelta(
    t,
    g,
    theta,
    v,
    u,
    *,
    lr,
    rho=0.9,
    eps=1e-6,
    weight_decay=0,
    maximize=False,
    unit_correction=True,
):
    g = _downhill(g, theta, weight_decay, maximize)
    v = rho * v + (1 - rho) * g**2
    d = g / math.sqrt(v + eps)
    if unit_correction:
        d = d * math.sqrt(u + eps)
        u = rho * u + (1 - rho) * d**2
    return theta - lr * d, v, u


def adamax(t, g, theta, m, u, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, maximize=False):
    g = _downhill(g, theta, weight_decay, maximize)
    m, u = betas[0] * m + (1 - betas[0]) * g, max(betas[1] * u, abs(g) + eps)
    return theta - lr / (1 - betas[0] ** t) * m / u, m, u


class Numbers:
    """A parameter and its state as plain numbers, beside the arrays a kernel works on."""

    def __init__(self, count):
        self.rng = np.random.default_rng(0)
        self.arrays = [self.rng.normal(size=(2, 3)) for _ in range(count)]
        self.arrays[1:] = [a**2 + 0.1 for a in self.arrays[1:]]
        self.others = [np.zeros(1) for _ in self.arrays]
        self.wanted = [a.copy() for a in self.arrays]

    def gradients(self):
        self.g = self.rng.normal(size=(2, 3))
        self.g[0, 1] = 0
        return [self.g, np.zeros(1)]

    def lists(self):
        """Lists of two arrays, of which the second only ever meets zeros."""
        return [list(pair) for pair in zip(self.arrays, self.others, strict=True)]

    def follow(self, formula, t=1):
        """Apply the formula at each place, and compare."""
        for place in np.ndindex(2, 3):
            values = formula(t, float(self.g[place]), *(float(w[place]) for w in self.wanted))
            for wanted, value in zip(self.wanted, values, strict=True):
                wanted[place] = value
        np.testing.assert_allclose(self.arrays, self.wanted, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(np.isfinite(self.others), True)


BOTH = (False, True)
DECAYS = (0.0, 0.3)
BETAS = (0.8, 0.95)


def fits_or_not(module):
    row = np.ones(6)
    narrow, locked = row.astype(np.float32), row.copy()
    locked.flags.writeable = False
    odd = np.zeros(49, np.uint8)[1:].view(float)
    assert module.fits([], [])
    assert module.fits([row, narrow], [locked, narrow])
    misfits = [
        (np.ones(()), np.float64(1)),
        (locked, row),
        (np.ones(12)[::2], row),
        (row, np.ones(12)[::2]),
        (odd, row),
        (row, odd),
        (row, narrow),
        (row.reshape(2, 3), row.reshape(3, 2)),
        (row.astype(np.float16), row.astype(np.float16)),
    ]
    for p, g in misfits:
        assert not module.fits([p], [g])
        assert not module.fits([row, p], [row, g])


def sgd_by_number(module):
    for decay, rho, dampening, nesterov, maximize in itertools.product(
        DECAYS, (0.0, 0.9), (0.0, 0.4), BOTH, BOTH
    ):
        numbers, options = Numbers(2), (0.02, rho, dampening, decay, nesterov, maximize)
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        formula = partial(sgd, **dict(zip(names, options, strict=True)))
        for _ in range(3):
            grads, (p, v) = numbers.gradients(), numbers.lists()
            module.sgd(p, grads, v if rho else [], *options)
            numbers.follow(formula)
    p = np.array([np.inf])
    module.sgd([p], [np.ones(1)], [], 0.02, 0.0, 0.0, 0.0, False)
    assert p == np.inf


def momentum_by_number(module):
    for decay in DECAYS:
        numbers = Numbers(2)
        for _ in range(3):
            grads, (p, v) = numbers.gradients(), numbers.lists()
            module.momentum(p, grads, v, 0.02, 0.9, decay)
            numbers.follow(partial(momentum, lr=0.02, momentum=0.9, weight_decay=decay))


def adam_by_number(module):
    for decay, amsgrad, decoupled, maximize in itertools.product(DECAYS, BOTH, BOTH, BOTH):
        numbers, common = Numbers(4), {"decoupled": decoupled, "maximize": maximize}
        options = {"lr": 0.02, "eps": 0.1, "weight_decay": decay}
        formula = partial(adam, betas=BETAS, amsgrad=amsgrad, **options, **common)
        for t in (1, 2, 7):
            grads, (p, m, v, top) = numbers.gradients(), numbers.lists()
            maxima = top if amsgrad else []
            module.adam(p, grads, m, v, [t, 1], 0.02, *BETAS, 0.1, decay, maxima, **common)
            numbers.follow(formula, t)
    p = [np.array([np.inf])]
    module.adam(p, [np.ones(1)], [np.ones(1)], [np.ones(1)], [1], 0.02, 0.8, 0.95, 0.1, 0.0)
    assert p[0] == np.inf


def rmsprop_by_number(module):
    for decay, centered, rho, maximize in itertools.product(DECAYS, BOTH, (0, 0.7), BOTH):
        numbers = Numbers(4)
        numbers.arrays[1] += numbers.arrays[2] ** 2
        numbers.wanted[1][...] = numbers.arrays[1]
        options = {"alpha": 0.95, "eps": 0.1, "weight_decay": decay, "momentum": rho}
        formula = partial(rmsprop, lr=0.02, centered=centered, maximize=maximize, **options)
        for _ in range(3):
            grads, (p, v, m, u) = numbers.gradients(), numbers.lists()
            means, velocities = m if centered else [], u if rho else []
            module.rmsprop(p, grads, v, means, velocities, 0.02, *options.values(), maximize)
            numbers.follow(formula)


def adagrad_by_number(module):
    for decay, lr_decay, maximize in itertools.product(DECAYS, (0, 0.2), BOTH):
        numbers, options = Numbers(2), {"lr": 0.02, "lr_decay": lr_decay, "eps": 0.1}
        formula = partial(adagrad, **options, weight_decay=decay, maximize=maximize)
        for t in (1, 2, 7):
            grads, (p, total) = numbers.gradients(), numbers.lists()
            module.adagrad(p, grads, total, [t, 1], *options.values(), decay, maximize)
            numbers.follow(formula, t)


def adadelta_by_number(module):
    for decay, corrected, maximize in itertools.product(DECAYS, BOTH, BOTH):
        numbers, options = Numbers(3), {"lr": 0.3, "rho": 0.95, "eps": 0.1, "weight_decay": decay}
        formula = partial(adadelta, **options, maximize=maximize, unit_correction=corrected)
        for _ in range(3):
            grads, (p, v, u) = numbers.gradients(), numbers.lists()
            module.adadelta(p, grads, v, u if corrected else [], *options.values(), maximize)
            numbers.follow(formula)


def adamax_by_number(module):
    for decay, maximize in itertools.product(DECAYS, BOTH):
        numbers, options = Numbers(3), {"eps": 0.1, "weight_decay": decay, "maximize": maximize}
        for t in (1, 2, 7):
            grads, (p, m, u) = numbers.gradients(), numbers.lists()
            module.adamax(p, grads, m, u, [t, 1], 0.02, *BETAS, *options.values())
            numbers.follow(partial(adamax, lr=0.02, betas=BETAS, **options), t)


ORACLES = [
    fits_or_not,
    sgd_by_number,
    momentum_by_number,
    adam_by_number,
    rmsprop_by_number,
    adagrad_by_number,
    adadelta_by_number,
    adamax_by_number,
]
