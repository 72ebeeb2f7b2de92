"""What must hold, by definition, and how inputs are drawn: what the checks are made of.

Every rule is followed for one number at a time, in Python's own float64. Averages over several
steps are weighted sums over the whole history, not recursions.
"""

import math

import numpy as np

EPS = 1e-8


def each(rule, arrays, options=()):
    """Apply a rule of numbers to arrays of one shape; return an array for each of its results."""
    numbers = zip(*map(np.ravel, arrays), strict=True)
    rows = [rule(*map(float, values), *options) for values in numbers]
    columns = zip(*rows, strict=True)
    return tuple(np.array(column).reshape(np.shape(arrays[0])) for column in columns)


def blend(old, new, share):
    """Return a running average after one more value, `share` being what is kept of the old."""
    return new + share * (old - new)


def weighted(history, share):
    """Return the running average that began at 0, from everything it has seen."""
    last = len(history) - 1
    return sum((1 - share) * share ** (last - k) * value for k, value in enumerate(history))


def corrected(average, share, t):
    """Return a running average of t values without the pull of the 0 it began with."""
    return average / sum((1 - share) * share**k for k in range(t))


def momentum(theta, grad, velocity, lr, rho):
    """One step with momentum for one number."""
    new = grad + velocity * rho
    return theta - new * lr, new


def adagrad(theta, grad, total, lr, eps):
    """One step of AdaGrad for one number."""
    new = math.hypot(math.sqrt(total), grad)
    return theta - lr * (grad / (new + eps)), new**2


def rmsprop(theta, grad, square, lr, alpha, eps):
    """One step of RMSProp for one number."""
    new = blend(square, grad**2, alpha)
    return theta - lr * (grad / (math.sqrt(new) + eps)), new


def centered(theta, grad, square, mean, velocity, lr, alpha, eps, rho):
    """One step of centred RMSProp with momentum for one number."""
    # The variance of a mixture: the mean of the variances and the variance of the means.
    spread = alpha * (square - mean**2) + alpha * (1 - alpha) * (grad - mean) ** 2
    new = rho * velocity + grad / (math.sqrt(spread) + eps)
    averages = blend(square, grad**2, alpha), blend(mean, grad, alpha)
    return theta - lr * new, *averages, new


def adadelta(theta, grad, square, delta, rho, eps):
    """One step of AdaDelta for one number."""
    new_square = blend(square, grad**2, rho)
    step = grad * math.sqrt((delta + eps) / (new_square + eps))
    return theta - step, new_square, blend(delta, step**2, rho)


def adam(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    """One step of Adam for one number."""
    new_mean, new_square = blend(mean, grad, beta1), blend(square, grad**2, beta2)
    root = math.sqrt(corrected(new_square, beta2, t)) + eps
    return theta - lr * corrected(new_mean, beta1, t) / root, new_mean, new_square


def amsgrad(theta, grad, mean, square, largest, t, lr, beta1, beta2, eps):
    """One step of AMSGrad for one number."""
    new_mean, new_square = blend(mean, grad, beta1), blend(square, grad**2, beta2)
    new_largest = new_square if new_square > largest else largest
    root = math.sqrt(corrected(new_largest, beta2, t)) + eps
    return theta - lr * corrected(new_mean, beta1, t) / root, new_mean, new_square, new_largest


def adamw(theta, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    """One step of AdamW for one number."""
    moved, *averages = adam(theta, grad, mean, square, t, lr, beta1, beta2, eps)
    return moved - lr * weight_decay * theta, *averages


def adamax(theta, grad, mean, norm, t, lr, beta1, beta2, eps):
    """One step of AdaMax for one number."""
    new_mean = blend(mean, grad, beta1)
    new_norm = max(norm * beta2, abs(grad) + eps)
    return theta - lr * corrected(new_mean, beta1, t) / new_norm, new_mean, new_norm


def adam_path(theta, grads, options):
    """Return where Adam is before and after each gradient, which may be None: the (steps + 1, ...).

    Each place is worked out from the whole history of gradients that were there.
    """
    path, seen = [theta.astype(np.float64)], []
    for grad in grads:
        here = path[-1]
        if grad is not None:
            seen.append(grad.astype(np.float64))
            lr, beta1, beta2, eps = options
            mean = corrected(weighted(seen, beta1), beta1, len(seen))
            square = corrected(weighted([g * g for g in seen], beta2), beta2, len(seen))
            here = here - lr * mean / (np.sqrt(square) + eps)
        path.append(here)
    return np.array(path)


def rate(t, lr, warmup, total):
    """Return the rate of step t, the cosine as a squared cosine of half the angle."""
    if t < warmup:
        return lr / warmup * (1 + t)
    if t >= total:
        return 0.0
    return lr * math.cos(math.pi / 2 * (t - warmup) / (total - warmup)) ** 2


def plateau(losses, lr, factor, patience):
    """Return the rate and the best loss after each loss, from all losses up to then.

    The rate is cut whenever patience + 1 losses have passed since the last record or cut.
    """
    rates, bests, since = [], [], -1
    for i, loss in enumerate(losses):
        before = bests[-1] if bests else math.inf
        bests.append(min(before, loss) if loss == loss else before)
        if bests[-1] < before:
            since = i
        cut = i - since > patience
        since = i if cut else since
        rates.append((rates[-1] if rates else lr) * (factor if cut else 1.0))
    return np.array(rates), np.array(bests)


def draw_shape(case):
    """Return a shape of one, two or three axes."""
    return case.turn((4, 3), (5,), (2, 3, 4), (1, 6), (7, 2), (1,))


def draw_state(case, shape, dtype=np.float64):
    """Return theta, grad, an average of gradients and one of squares, as training leaves them."""
    theta, grad = case.normal(*shape, scale=2.0, dtype=dtype), case.normal(*shape, dtype=dtype)
    mean = case.normal(*shape, scale=0.5, dtype=dtype)
    square = mean**2 + case.uniform(*shape, low=0.2, high=2.0, dtype=dtype)
    return theta, grad, mean, square


def draw_tiny(case, shape, eps):
    """Return gradients and averages of squares so small that eps matters; the first are zero."""
    grad, square = case.normal(*shape, scale=eps), case.uniform(*shape, low=0.1, high=2.0) * eps**2
    grad.flat[0] = square.flat[0] = 0.0
    return case.normal(*shape), grad, square


def draw_betas(case):
    """Return lr, beta1, beta2 and eps."""
    beta1, beta2 = case.turn((0.9, 0.999), (0.8, 0.95), (0.5, 0.9), (0.95, 0.7))
    return case.uniform(low=0.05, high=0.5).item(), beta1, beta2, EPS


def draw_run(case, steps, dtype):
    """Return theta and `steps` gradients of one shape, of both signs and different sizes."""
    shape = case.turn((3, 2), (4,), (2, 2, 2))
    return case.normal(*shape, dtype=dtype), case.normal(steps, *shape, mean=0.3, dtype=dtype)


def draw_bowl(case, d):
    """Return a symmetric matrix with eigenvalues from 0.5 to 3, and a centre away from zero."""
    frame, _ = np.linalg.qr(case.normal(d, d))
    hessian = (frame * case.uniform(d, low=0.5, high=3.0)) @ frame.T
    return (hessian + hessian.T) / 2, case.normal(d, mean=1.0)
