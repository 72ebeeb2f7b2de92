"""Steps of optimizers over all parameters at once: the specification.

params, grads and the state are lists of arrays, one for each parameter, each list of one shape and
floating type at every place. params and the state are written to, grads are not.
"""

import math

import numpy as np


def adam(params, grads, means, squares, steps, lr, beta1, beta2, eps, weight_decay):
    """theta <- theta - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps).

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2, where g is the gradient plus
    weight_decay * theta.

    Parameters
    ----------
    params, grads, means, squares : lists of float32 or float64 arrays; means holds m, squares v
    steps : list of int, t of each parameter, counted from 1
    lr, beta1, beta2, eps, weight_decay : float

    References
    ----------
    Kingma & Ba 2015, algorithm 1.
    """
    for p, g, m, v, t in zip(params, grads, means, squares, steps, strict=True):
        g = g + weight_decay * p if weight_decay else g
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        p[...] = p - lr / (1 - beta1**t) * m / root


def sgd(params, grads, velocities, lr, momentum, dampening, weight_decay, nesterov):
    """theta <- theta - lr v, with v <- momentum v + (1 - dampening) g; g + momentum v for Nesterov.

    g is the gradient plus weight_decay * theta.

    Parameters
    ----------
    params, grads, velocities : lists of float32 or float64 arrays; velocities is empty where
        momentum is 0, and then v is g
    lr, momentum, dampening, weight_decay : float
    nesterov : bool

    References
    ----------
    Sutskever, Martens, Dahl & Hinton 2013, in PyTorch's form.
    """
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = g + weight_decay * p if weight_decay else g
        if momentum:
            v = velocities[i]
            v[...] = momentum * v + (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        p[...] = p - lr * g
