"""Other right solutions: another algebra, explicit loops, another precision inside.

Each must keep every point, whatever the secret. If one does not, the check is wrong, not it.
"""

import math

import numpy as np

from minidl.grading.mistake import alternative


@alternative(target="sgd")
def sgd_by_shrinking(theta, grad, lr, weight_decay):
    """The engineers' view: shrink the weight, then step."""
    return (1 - lr * weight_decay) * theta - lr * grad


@alternative(target="sgd")
def sgd_in_loops(theta, grad, lr, weight_decay):
    """One number at a time."""
    new = np.empty_like(theta)
    for i in np.ndindex(theta.shape):
        new[i] = theta[i] - lr * (grad[i] + weight_decay * theta[i])
    return new


@alternative(target="sgd")
def sgd_on_a_copy(theta, grad, lr, weight_decay):
    """In place, on a copy."""
    new = theta.copy()
    new *= 1 - lr * weight_decay
    new -= lr * grad
    return new


@alternative(target="momentum")
def momentum_on_copies(theta, grad, velocity, lr, rho):
    """In place, on copies, and returned as a list."""
    theta, velocity = theta.copy(), velocity.copy()
    velocity *= rho
    velocity += grad
    theta -= lr * velocity
    return [theta, velocity]


@alternative(target="momentum")
def momentum_in_two_parts(theta, grad, velocity, lr, rho):
    """The step of gradient descent, and the part that rolls on."""
    moved = theta - lr * grad
    rolling = rho * velocity
    return moved - lr * rolling, rolling + grad


@alternative(target="momentum")
def momentum_in_float64(theta, grad, velocity, lr, rho):
    """float64 inside."""
    new = np.add(np.multiply(velocity, rho, dtype=np.float64), grad)
    return (theta - lr * new).astype(theta.dtype), new.astype(theta.dtype)


@alternative(target="nesterov")
def nesterov_undoes_the_look_ahead(gradient, theta, velocity, lr, rho):
    """The step from the look-ahead point, which holds the rolling part already."""
    rolling = rho * velocity
    ahead = theta - lr * rolling
    slope = gradient(ahead)
    return ahead - lr * slope, rolling + slope


@alternative(target="nesterov")
def nesterov_with_lr_inside(gradient, theta, velocity, lr, rho):
    """The form of the course notes, with lr in the velocity, and out again."""
    inside = lr * velocity
    inside = rho * inside + lr * gradient(theta - rho * inside)
    return theta - inside, inside / lr


@alternative(target="nesterov")
def nesterov_on_copies(gradient, theta, velocity, lr, rho):
    """In place, on copies."""
    ahead, new = theta.copy(), velocity.copy()
    new *= rho
    ahead -= lr * new
    new += gradient(ahead)
    return theta - lr * new, new


@alternative(target="adagrad")
def adagrad_with_a_rate_of_its_own(theta, grad, total, lr, eps):
    """A learning rate for each number first."""
    squares = np.square(grad) + total
    rates = lr / (squares**0.5 + eps)
    return theta - rates * grad, squares


@alternative(target="adagrad")
def adagrad_in_loops(theta, grad, total, lr, eps):
    """One number at a time."""
    theta, total = theta.copy(), total.copy()
    for i in np.ndindex(theta.shape):
        total[i] += grad[i] ** 2
        theta[i] -= lr * grad[i] / (math.sqrt(total[i]) + eps)
    return theta, total


@alternative(target="adagrad")
def adagrad_in_float64(theta, grad, total, lr, eps):
    """float64 inside."""
    wide = total.astype(np.float64) + grad.astype(np.float64) ** 2
    step = np.divide(lr * grad, np.sqrt(wide) + eps)
    return (theta - step).astype(theta.dtype), wide.astype(theta.dtype)


@alternative(target="rmsprop")
def rmsprop_by_the_difference(theta, grad, square, lr, alpha, eps):
    """Old average plus a part of the difference."""
    average = square + (1 - alpha) * (grad**2 - square)
    return theta - lr * (grad / (average**0.5 + eps)), average


@alternative(target="rmsprop")
def rmsprop_on_copies(theta, grad, square, lr, alpha, eps):
    """In place, on copies."""
    average = square.copy()
    average *= alpha
    average += (1 - alpha) * np.square(grad)
    root = np.sqrt(average)
    root += eps
    return theta - lr * grad / root, average


@alternative(target="rmsprop")
def rmsprop_with_average(theta, grad, square, lr, alpha, eps):
    """np.average with weights, which counts in float64."""
    average = np.average([square, grad * grad], axis=0, weights=[alpha, 1 - alpha])
    new = theta - lr * grad / (np.sqrt(average) + eps)
    return new.astype(theta.dtype), average.astype(theta.dtype)


@alternative(target="rmsprop_centered")
def centered_by_differences(theta, grad, square, mean, velocity, lr, alpha, eps, rho):
    """Old averages plus a part of the difference, the variance rounded up to zero."""
    square = square + (1 - alpha) * (np.square(grad) - square)
    mean = mean + (1 - alpha) * (grad - mean)
    variance = np.maximum(square - np.square(mean), 0)
    velocity = rho * velocity + grad / (variance**0.5 + eps)
    return theta - lr * velocity, square, mean, velocity


@alternative(target="rmsprop_centered")
def centered_in_float64(theta, grad, square, mean, velocity, lr, alpha, eps, rho):
    """float64 inside."""
    theta64, g, v, m, u = (np.float64(a) for a in (theta, grad, square, mean, velocity))
    v, m = alpha * v + (1 - alpha) * g * g, alpha * m + (1 - alpha) * g
    u = rho * u + g / (np.sqrt(v - m * m) + eps)
    return [a.astype(theta.dtype) for a in (theta64 - lr * u, v, m, u)]


@alternative(target="rmsprop_centered")
def centered_in_loops(theta, grad, square, mean, velocity, lr, alpha, eps, rho):
    """One number at a time."""
    new = [array.copy() for array in (theta, square, mean, velocity)]
    for i in np.ndindex(theta.shape):
        g = float(grad[i])
        v, m = float(square[i]) * alpha, float(mean[i]) * alpha
        v, m = v + (1 - alpha) * g**2, m + (1 - alpha) * g
        u = rho * float(velocity[i]) + g / (math.sqrt(v - m**2) + eps)
        for array, value in zip(new, (float(theta[i]) - lr * u, v, m, u), strict=True):
            array[i] = value
    return tuple(new)


@alternative(target="adadelta")
def adadelta_with_one_root(theta, grad, square, delta, rho, eps):
    """One root of the ratio, and the minus inside the step, as in the paper."""
    square = rho * square + (1 - rho) * grad**2
    step = -(((delta + eps) / (square + eps)) ** 0.5) * grad
    return theta + step, square, rho * delta + (1 - rho) * step**2


@alternative(target="adadelta")
def adadelta_with_rms(theta, grad, square, delta, rho, eps):
    """In the words of the paper."""

    def rms(average):
        return np.sqrt(average + eps)

    def averaged(old, value):
        return old + (1 - rho) * (np.square(value) - old)

    square = averaged(square, grad)
    step = grad * rms(delta) / rms(square)
    return theta - step, square, averaged(delta, step)


@alternative(target="adadelta")
def adadelta_in_loops(theta, grad, square, delta, rho, eps):
    """One number at a time."""
    theta, square, delta = theta.copy(), square.copy(), delta.copy()
    for i in np.ndindex(theta.shape):
        square[i] = rho * square[i] + (1 - rho) * grad[i] ** 2
        step = math.sqrt(delta[i] + eps) / math.sqrt(square[i] + eps) * grad[i]
        delta[i] = rho * delta[i] + (1 - rho) * step**2
        theta[i] -= step
    return theta, square, delta


@alternative(target="adam")
def adam_with_one_rate(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    """The corrections gathered in front, as at the end of section 2 of the paper, eps too."""
    mean = mean + (1 - beta1) * (grad - mean)
    square = square + (1 - beta2) * (grad**2 - square)
    root = math.sqrt(1 - beta2**t)
    rate = lr * root / (1 - beta1**t)
    return theta - rate * mean / (np.sqrt(square) + eps * root), mean, square


@alternative(target="adam")
def adam_on_copies(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    """In place, on copies."""
    theta, mean, square = theta.copy(), mean.copy(), square.copy()
    mean *= beta1
    mean += (1 - beta1) * grad
    square *= beta2
    square += (1 - beta2) * np.square(grad)
    theta -= lr / (1 - beta1**t) * mean / (np.sqrt(square / (1 - beta2**t)) + eps)
    return theta, mean, square


@alternative(target="adam")
def adam_in_loops(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    """One number at a time."""
    new_theta, m, v = np.empty_like(theta), np.empty_like(theta), np.empty_like(theta)
    for i in np.ndindex(theta.shape):
        m[i] = beta1 * mean[i] + (1 - beta1) * grad[i]
        v[i] = beta2 * square[i] + (1 - beta2) * grad[i] ** 2
        root = math.sqrt(v[i] / (1 - beta2**t)) + eps
        new_theta[i] = theta[i] - lr * m[i] / (1 - beta1**t) / root
    return new_theta, m, v


@alternative(target="amsgrad")
def amsgrad_with_where(theta, grad, mean, square, largest, t, lr, beta1, beta2, eps):
    """np.where for the maximum, and the corrections gathered in front."""
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    largest = np.where(square > largest, square, largest)
    root = math.sqrt(1 - beta2**t)
    step = mean / (1 - beta1**t) * root / (np.sqrt(largest) + eps * root)
    return theta - lr * step, mean, square, largest


@alternative(target="amsgrad")
def amsgrad_with_a_mask(theta, grad, mean, square, largest, t, lr, beta1, beta2, eps):
    """The old maxima written over where they are beaten."""
    mean = mean + (1 - beta1) * (grad - mean)
    square = square + (1 - beta2) * (np.square(grad) - square)
    kept = largest.copy()
    beaten = kept < square
    kept[beaten] = square[beaten]
    root = (kept / (1 - beta2**t)) ** 0.5
    return [theta - lr * mean / (1 - beta1**t) / (root + eps), mean, square, kept]


@alternative(target="amsgrad")
def amsgrad_in_float64(theta, grad, mean, square, largest, t, lr, beta1, beta2, eps):
    """float64 inside."""
    p, g, m, v, top = (np.float64(a) for a in (theta, grad, mean, square, largest))
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    top = np.fmax(top, v)
    p = p - lr * m / (1 - beta1**t) / (np.sqrt(top / (1 - beta2**t)) + eps)
    return tuple(a.astype(theta.dtype) for a in (p, m, v, top))


@alternative(target="adamw")
def adamw_decay_subtracted(theta, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    """Adam's step and the decay, both taken from the old theta."""
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    step = mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + eps)
    return theta - lr * (step + weight_decay * theta), mean, square


@alternative(target="adamw")
def adamw_on_copies(theta, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    """In place, on copies."""
    theta, mean, square = theta.copy(), mean.copy(), square.copy()
    theta *= 1 - lr * weight_decay
    mean += (1 - beta1) * (grad - mean)
    square += (1 - beta2) * (grad * grad - square)
    theta -= lr * (mean / (1 - beta1**t)) / (np.sqrt(square / (1 - beta2**t)) + eps)
    return theta, mean, square


@alternative(target="adamw")
def adamw_in_float64(theta, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    """float64 inside."""
    p, g, m, v = (np.float64(a) for a in (theta, grad, mean, square))
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    step = lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
    p = p - lr * weight_decay * p - step
    return tuple(a.astype(theta.dtype) for a in (p, m, v))


@alternative(target="adamax")
def adamax_with_where(theta, grad, mean, norm, t, lr, beta1, beta2, eps):
    """np.where for the maximum."""
    mean = mean + (1 - beta1) * (grad - mean)
    size, faded = np.where(grad < 0, -grad, grad) + eps, beta2 * norm
    norm = np.where(size > faded, size, faded)
    return theta - lr * mean / (1 - beta1**t) / norm, mean, norm


@alternative(target="adamax")
def adamax_over_a_stack(theta, grad, mean, norm, t, lr, beta1, beta2, eps):
    """The maximum over a stack of two, and an average with np.average."""
    m = np.average([mean, grad], axis=0, weights=[beta1, 1 - beta1]).astype(theta.dtype)
    u = np.stack([norm * beta2, np.abs(grad) + eps]).max(axis=0)
    return theta - lr / (1 - beta1**t) * m / u, m, u


@alternative(target="adamax")
def adamax_in_loops(theta, grad, mean, norm, t, lr, beta1, beta2, eps):
    """One number at a time."""
    theta, mean, norm = theta.copy(), mean.copy(), norm.copy()
    for i in np.ndindex(theta.shape):
        mean[i] = beta1 * mean[i] + (1 - beta1) * grad[i]
        norm[i] = max(beta2 * norm[i], abs(grad[i]) + eps)
        theta[i] -= lr * mean[i] / (1 - beta1**t) / norm[i]
    return theta, mean, norm


@alternative(target="clip_value")
def clip_value_with_clip(grad, low, high):
    """NumPy's own."""
    return np.clip(grad, low, high)


@alternative(target="clip_value")
def clip_value_with_where(grad, low, high):
    """Two choices in a row."""
    kept = np.where(grad > high, high, grad)
    return np.where(kept < low, low, kept).astype(grad.dtype)


@alternative(target="clip_value")
def clip_value_with_masks(grad, low, high):
    """Written over in a copy."""
    clipped = grad.copy()
    clipped[clipped < low] = low
    clipped[clipped > high] = high
    return clipped


@alternative(target="clip_norm")
def clip_norm_of_one_vector(grads, max_norm, eps):
    """All gradients in one vector, and NumPy's norm."""
    norm = float(np.linalg.norm(np.concatenate([g.ravel() for g in grads])))
    if norm + eps <= max_norm:
        return [g.copy() for g in grads]
    return [g * (max_norm / (norm + eps)) for g in grads]


@alternative(target="clip_norm")
def clip_norm_of_norms(grads, max_norm, eps):
    """The norm of the norms, as a tuple."""
    norm = math.hypot(*(float(np.linalg.norm(g)) for g in grads))
    too_long = norm + eps > max_norm
    return tuple(g * max_norm / (norm + eps) if too_long else g for g in grads)


@alternative(target="clip_norm")
def clip_norm_in_loops(grads, max_norm, eps):
    """Squares added one after the other, and divided instead of multiplied."""
    total = 0.0
    for g in grads:
        for value in g.flat:
            total += float(value) ** 2
    excess = max((total**0.5 + eps) / max_norm, 1.0)
    return [g / excess for g in grads]


@alternative(target="warmup_cosine")
def warmup_squared_cosine(t, lr, warmup, total):
    """The cosine of half the angle, squared."""
    if t >= total:
        return 0.0
    if t < warmup:
        return (t + 1) / warmup * lr
    return lr * np.cos(np.pi / 2 * (t - warmup) / (total - warmup)) ** 2


@alternative(target="warmup_cosine")
def warmup_between_points(t, lr, warmup, total):
    """Interpolation for the way up, counted from the end on the way down."""
    if t < warmup:
        return float(np.interp(t + 1, [0, warmup], [0.0, lr]))
    left = max(total - t, 0) / (total - warmup)
    return 0.5 * lr * (1.0 - math.cos(left * math.pi))


@alternative(target="warmup_cosine")
def warmup_as_an_array(t, lr, warmup, total):
    """np.where over both curves; a 0-d array comes back."""
    t = np.asarray(t)
    up = lr * (t + 1) / max(warmup, 1)
    down = lr / 2 * (1 + np.cos(np.pi * np.clip((t - warmup) / (total - warmup), 0, 1)))
    return np.where(t < warmup, up, down)


@alternative(target="newton")
def newton_with_the_inverse(theta, grad, hessian, damping):
    """The inverse itself."""
    identity = np.eye(len(theta))
    return theta - (np.linalg.inv(hessian + damping * identity) @ grad).astype(theta.dtype)


@alternative(target="newton")
def newton_along_eigenvectors(theta, grad, hessian, damping):
    """Each eigenvector's part of the gradient divided by its curvature."""
    curvatures, vectors = np.linalg.eigh(hessian)
    return theta - vectors @ ((vectors.T @ grad) / (curvatures + damping))


@alternative(target="newton")
def newton_on_a_copy(theta, grad, hessian, damping):
    """The damping added along the diagonal of a copy."""
    damped = hessian.copy()
    damped[np.diag_indices(len(theta))] += damping
    return theta + np.linalg.solve(damped, -grad)


@alternative(target="adam_class")
class AdamWithDictionaries:
    """A dictionary of state for each parameter, made when its first gradient comes."""

    def __init__(self, params, lr, beta1, beta2, eps):
        self.params, self.lr, self.betas, self.eps = list(params), lr, (beta1, beta2), eps
        self.state = {}

    def step(self, grads):
        beta1, beta2 = self.betas
        for i, (p, g) in enumerate(zip(self.params, grads, strict=True)):
            if g is not None:
                state = self.state.setdefault(i, {"t": 0, "m": 0.0 * p, "v": 0.0 * p})
                state["t"] += 1
                state["m"] += (1 - beta1) * (g - state["m"])
                state["v"] += (1 - beta2) * (g**2 - state["v"])
                m = state["m"] / (1 - beta1 ** state["t"])
                v = state["v"] / (1 - beta2 ** state["t"])
                p[...] = p - self.lr * m / (np.sqrt(v) + self.eps)


@alternative(target="adam_class")
class AdamOfParts:
    """A small object for each parameter, defined inside."""

    class One:
        """Adam for one array."""

        def __init__(self, p):
            self.p, self.m, self.v, self.t = p, np.zeros_like(p), np.zeros_like(p), 0

        def step(self, g, lr, beta1, beta2, eps):
            self.t += 1
            self.m = beta1 * self.m + (1 - beta1) * g
            self.v = beta2 * self.v + (1 - beta2) * np.square(g)
            root = math.sqrt(1 - beta2**self.t)
            rate = lr * root / (1 - beta1**self.t)
            self.p -= rate * self.m / (np.sqrt(self.v) + eps * root)

    def __init__(self, params, lr, beta1, beta2, eps):
        self.parts, self.options = [self.One(p) for p in params], (lr, beta1, beta2, eps)

    def step(self, grads):
        for part, g in zip(self.parts, grads, strict=True):
            if g is not None:
                part.step(g, *self.options)


@alternative(target="adam_class")
class AdamOfHistories:
    """Every gradient kept, and the averages summed up afresh in each step."""

    def __init__(self, params, lr, beta1, beta2, eps):
        self.params, self.options = params, (lr, beta1, beta2, eps)
        self.seen = [[] for _ in params]

    def step(self, grads):
        lr, beta1, beta2, eps = self.options
        for p, g, seen in zip(self.params, grads, self.seen, strict=True):
            if g is None:
                continue
            seen.append(g.copy())
            ages = range(len(seen) - 1, -1, -1)
            m = sum(beta1**age * old for age, old in zip(ages, seen, strict=True))
            v = sum(beta2**age * old * old for age, old in zip(ages, seen, strict=True))
            m, v = m / sum(beta1**age for age in ages), v / sum(beta2**age for age in ages)
            np.subtract(p, lr * m / (np.sqrt(v) + eps), out=p)


@alternative(target="plateau")
class PlateauOfALog:
    """Every loss kept since the last cut or record."""

    def __init__(self, lr, factor, patience):
        self.lr, self.factor, self.patience = lr, factor, patience
        self.best, self.log = float("inf"), []

    def step(self, loss):
        self.log.append(loss)
        if loss < self.best:
            self.best, self.log = loss, []
        if len(self.log) == self.patience + 1:
            self.lr, self.log = self.lr * self.factor, []
        return self.lr


@alternative(target="plateau")
class PlateauThatCountsDown:
    """Counts what is left of its patience, and how often it has cut."""

    def __init__(self, lr, factor, patience):
        self.first, self.factor, self.patience = lr, factor, patience
        self.cuts, self.left, self.best = 0, patience, np.inf

    @property
    def lr(self):
        return self.first * self.factor**self.cuts

    def step(self, loss):
        self.left -= 1
        if self.best > loss:
            self.best, self.left = loss, self.patience
        elif self.left < 0:
            self.cuts += 1
            self.left = self.patience
        return self.lr


@alternative(target="plateau")
class PlateauWithNone:
    """None for no best yet behind a property, and the counting in a method of its own."""

    def __init__(self, lr, factor, patience):
        self.lr, self.factor, self.patience = lr, factor, patience
        self.record, self.bad = None, 0

    @property
    def best(self):
        return math.inf if self.record is None else self.record

    def improves(self, loss):
        return not math.isnan(loss) and (self.record is None or loss < self.record)

    def step(self, loss):
        if self.improves(loss):
            self.record, self.bad = loss, 0
            return self.lr
        self.bad += 1
        if self.bad > self.patience:
            self.bad = 0
            self.lr = self.lr * self.factor
        return self.lr
