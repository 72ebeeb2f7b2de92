"""Steps of optimizers over all parameters at once: the specification.

params, grads and the state are lists of arrays, one for each parameter, each list of one shape and
floating type at every place. params and the state are written to, grads are not. A list of state
that an option makes unnecessary is empty. `maximize` climbs instead of descending: g is -gradient.
"""

import math

import numpy as np


def _downhill(p, g, weight_decay, maximize):
    """Return the gradient of what is minimized, weight_decay / 2 ||theta||^2 included."""
    g = -g if maximize else g
    return g + weight_decay * p if weight_decay else g


def fits(params, grads):
    """Whether steps can take these arrays as they lie: each gradient as its parameter is.

    Parameters
    ----------
    params, grads : lists of arrays

    Returns
    -------
    bool : all are C-contiguous and aligned, parameters writable, and every pair is of one shape and
        type, float32 or float64
    """
    return all(
        isinstance(g, np.ndarray)
        and p.flags.carray
        and g.flags.c_contiguous
        and g.flags.aligned
        and p.shape == g.shape
        and p.dtype == g.dtype
        and p.dtype in (np.float32, np.float64)
        for p, g in zip(params, grads, strict=True)
    )


def sgd(params, grads, velocities, lr, momentum, dampening, weight_decay, nesterov, maximize=False):
    """theta <- theta - lr v, with v <- momentum v + (1 - dampening) g; g + momentum v for Nesterov.

    g is the gradient plus weight_decay * theta.

    Parameters
    ----------
    params, grads, velocities : lists of float32 or float64 arrays; velocities is empty where
        momentum is 0, and then v is g
    lr, momentum, dampening, weight_decay : float
    nesterov, maximize : bool

    References
    ----------
    Sutskever, Martens, Dahl & Hinton 2013, in PyTorch's form.
    """
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = _downhill(p, g, weight_decay, maximize)
        if momentum:
            v = velocities[i]
            v[...] = momentum * v + (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        p[...] = p - lr * g


def momentum(params, grads, velocities, lr, momentum, weight_decay):
    """theta <- theta - v, with v <- momentum v + lr g: the learning rate is inside v.

    g is the gradient plus weight_decay * theta.

    Parameters
    ----------
    params, grads, velocities : lists of float32 or float64 arrays
    lr, momentum, weight_decay : float

    References
    ----------
    Polyak 1964.
    """
    for p, g, v in zip(params, grads, velocities, strict=True):
        v[...] = momentum * v + lr * _downhill(p, g, weight_decay, False)
        p[...] = p - v


def adam(
    params,
    grads,
    means,
    squares,
    steps,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    maxima=(),
    decoupled=False,
    maximize=False,
):
    """theta <- theta - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps).

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2, where g is the gradient plus
    weight_decay * theta; where the decay is decoupled, theta is scaled by 1 - lr * weight_decay
    instead. With maxima (AMSGrad) the largest v so far stands under the root.

    Parameters
    ----------
    params, grads, means, squares : lists of float32 or float64 arrays; means holds m, squares v
    steps : list of int, t of each parameter, counted from 1
    lr, beta1, beta2, eps, weight_decay : float
    maxima : list of arrays, the largest v of each parameter, or empty
    decoupled, maximize : bool

    References
    ----------
    Kingma & Ba 2015, algorithm 1; Reddi, Kale & Kumar 2018, algorithm 2; Loshchilov & Hutter 2019,
    algorithm 2.
    """
    for i, (p, g, m, v, t) in enumerate(zip(params, grads, means, squares, steps, strict=True)):
        g = _downhill(p, g, 0 if decoupled else weight_decay, maximize)
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        if maxima:
            v = np.maximum(maxima[i], v, out=maxima[i])
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        kept = (1 - lr * weight_decay) * p if decoupled else p
        p[...] = kept - lr / (1 - beta1**t) * m / root


def rmsprop(
    params,
    grads,
    squares,
    means,
    velocities,
    lr,
    alpha,
    eps,
    weight_decay,
    momentum,
    maximize=False,
):
    """theta <- theta - lr s, with s = g / (sqrt(v) + eps) and v <- alpha v + (1 - alpha) g^2.

    With means (centered) m <- alpha m + (1 - alpha) g, and v - m^2 stands under the root, or 0
    where rounding makes that negative. With momentum u <- momentum u + s, and u takes the place of
    s. g is the gradient plus weight_decay * theta.

    Parameters
    ----------
    params, grads, squares : lists of float32 or float64 arrays; squares holds v
    means, velocities : lists of arrays, m and u, or empty: not centered, momentum 0
    lr, alpha, eps, weight_decay, momentum : float
    maximize : bool

    References
    ----------
    Tieleman & Hinton 2012, lecture 6.5; Graves 2013, section 4.2 (centered, with momentum).
    """
    for i, (p, g, v) in enumerate(zip(params, grads, squares, strict=True)):
        g = _downhill(p, g, weight_decay, maximize)
        v[...] = alpha * v + (1 - alpha) * g * g
        spread = v
        if means:
            m = means[i]
            m[...] = alpha * m + (1 - alpha) * g
            spread = np.maximum(v - m * m, 0)
        s = g / (np.sqrt(spread) + eps)
        if momentum:
            u = velocities[i]
            u[...] = momentum * u + s
            s = u
        p[...] = p - lr * s


def adagrad(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize=False):
    """theta <- theta - lr / (1 + (t - 1) lr_decay) g / (sqrt(G) + eps), with G <- G + g^2.

    g is the gradient plus weight_decay * theta.

    Parameters
    ----------
    params, grads, sums : lists of float32 or float64 arrays; sums holds G
    steps : list of int, t of each parameter, counted from 1
    lr, lr_decay, eps, weight_decay : float
    maximize : bool

    References
    ----------
    Duchi, Hazan & Singer 2011, section 1.2.
    """
    for p, g, total, t in zip(params, grads, sums, steps, strict=True):
        g = _downhill(p, g, weight_decay, maximize)
        total[...] = total + g * g
        p[...] = p - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps)


def adadelta(params, grads, squares, deltas, lr, rho, eps, weight_decay, maximize=False):
    """theta <- theta - lr d, with d = sqrt(u + eps) / sqrt(v + eps) g, v <- rho v + (1 - rho) g^2.

    u <- rho u + (1 - rho) d^2 follows: the numerator gives d the unit of theta. Without deltas
    there is no such correction, and d = g / sqrt(v + eps). g is the gradient plus
    weight_decay * theta.

    Parameters
    ----------
    params, grads, squares : lists of float32 or float64 arrays; squares holds v
    deltas : list of arrays, u, or empty
    lr, rho, eps, weight_decay : float
    maximize : bool

    References
    ----------
    Zeiler 2012, sections 3.1 and 3.2.
    """
    for i, (p, g, v) in enumerate(zip(params, grads, squares, strict=True)):
        g = _downhill(p, g, weight_decay, maximize)
        v[...] = rho * v + (1 - rho) * g * g
        d = g / np.sqrt(v + eps)
        if deltas:
            u = deltas[i]
            d = np.sqrt(u + eps) * d
            u[...] = rho * u + (1 - rho) * d * d
        p[...] = p - lr * d


def adamax(params, grads, means, norms, steps, lr, beta1, beta2, eps, weight_decay, maximize=False):
    """theta <- theta - lr / (1 - beta1^t) m / u, with u <- max(beta2 u, |g| + eps).

    m <- beta1 m + (1 - beta1) g, where g is the gradient plus weight_decay * theta.

    Parameters
    ----------
    params, grads, means, norms : lists of float32 or float64 arrays; means holds m, norms u
    steps : list of int, t of each parameter, counted from 1
    lr, beta1, beta2, eps, weight_decay : float
    maximize : bool

    References
    ----------
    Kingma & Ba 2015, algorithm 2, which has no eps.
    """
    for p, g, m, u, t in zip(params, grads, means, norms, steps, strict=True):
        g = _downhill(p, g, weight_decay, maximize)
        m[...] = beta1 * m + (1 - beta1) * g
        u[...] = np.maximum(beta2 * u, np.abs(g) + eps)
        p[...] = p - lr / (1 - beta1**t) * m / u
