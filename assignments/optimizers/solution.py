"""Update rules of optimizers on plain arrays: one step each, fresh arrays out.

The library's own optimizers (minidl.optim) write into lists of arrays in place; these are the same
rules in the form in which they are learned.
"""

import math

import numpy as np


def sgd(theta, grad, lr, weight_decay):
    """One step of gradient descent on the loss plus weight_decay / 2 ||theta||^2.

    Parameters
    ----------
    theta, grad : float arrays of one shape; grad is the gradient of the loss alone, at theta
    lr, weight_decay : float

    Returns
    -------
    new_theta : like theta

    References
    ----------
    Goodfellow, Bengio & Courville 2016, sections 4.3 and 7.1.1.
    """
    slope = grad + weight_decay * theta
    return theta - lr * slope


def momentum(theta, grad, velocity, lr, rho):
    """v <- rho v + g and theta <- theta - lr v: the velocity gathers gradients.

    The learning rate stays outside the velocity, as in PyTorch. Many course notes put it inside.

    Parameters
    ----------
    theta, grad, velocity : float arrays of one shape
    lr, rho : float

    Returns
    -------
    new_theta, new_velocity : like theta

    References
    ----------
    Polyak 1964; Sutskever, Martens, Dahl & Hinton 2013, section 2.
    """
    new_velocity = rho * velocity + grad
    return theta - lr * new_velocity, new_velocity


def nesterov(gradient, theta, velocity, lr, rho):
    """The step of `momentum`, with the gradient taken where the old velocity alone would lead.

    Parameters
    ----------
    gradient : function of a point that returns the gradient there; called once
    theta, velocity : float arrays of one shape; the velocity is that of `momentum`, without lr
    lr, rho : float

    Returns
    -------
    new_theta, new_velocity : like theta; new_theta is theta, moved, and no look-ahead point

    References
    ----------
    Nesterov 1983; Sutskever, Martens, Dahl & Hinton 2013, equations 3 and 4.
    """
    # Where momentum would come out if the gradient were zero: there v <- rho v.
    ahead = theta - lr * rho * velocity
    new_velocity = rho * velocity + gradient(ahead)
    return theta - lr * new_velocity, new_velocity


def adagrad(theta, grad, total, lr, eps):
    """G <- G + g^2 and theta <- theta - lr g / (sqrt(G) + eps), number by number.

    eps stands outside the root, as in PyTorch; TensorFlow and many notes have it inside.

    Parameters
    ----------
    theta, grad, total : float arrays of one shape; total is G, the squares of all gradients so far
    lr, eps : float

    Returns
    -------
    new_theta, new_total : like theta

    References
    ----------
    Duchi, Hazan & Singer 2011, section 1.2.
    """
    new_total = total + grad * grad
    return theta - lr * grad / (np.sqrt(new_total) + eps), new_total


def rmsprop(theta, grad, square, lr, alpha, eps):
    """The step of `adagrad` with a running average of squares in place of their sum.

    eps stands outside the root, as in PyTorch.

    Parameters
    ----------
    theta, grad, square : float arrays of one shape; square is the average so far
    lr, eps : float
    alpha : float in [0, 1), the share of the old average that is kept

    Returns
    -------
    new_theta, new_square : like theta

    References
    ----------
    Tieleman & Hinton 2012, lecture 6.5.
    """
    new_square = alpha * square + (1 - alpha) * grad * grad
    return theta - lr * grad / (np.sqrt(new_square) + eps), new_square


def rmsprop_centered(theta, grad, square, mean, velocity, lr, alpha, eps, rho):
    """The step of `rmsprop` by the gradients' variance, and with momentum on the scaled gradient.

    s = g / (sqrt(variance) + eps), u <- rho u + s and theta <- theta - lr u. The variance is that
    of gradients whose average square and average are `new_square` and `new_mean`.

    Parameters
    ----------
    theta, grad, square, mean, velocity : float arrays of one shape; velocity is u
    lr, eps, rho : float
    alpha : float in [0, 1), the share of the old averages that is kept

    Returns
    -------
    new_theta, new_square, new_mean, new_velocity : like theta

    References
    ----------
    Graves 2013, section 4.2, with eps outside the root, as in PyTorch.
    """
    new_square = alpha * square + (1 - alpha) * grad * grad
    new_mean = alpha * mean + (1 - alpha) * grad
    spread = np.sqrt(new_square - new_mean * new_mean)
    new_velocity = rho * velocity + grad / (spread + eps)
    return theta - lr * new_velocity, new_square, new_mean, new_velocity


def adadelta(theta, grad, square, delta, rho, eps):
    """theta <- theta - d, with d = RMS[d] / RMS[g] g, and RMS[z] = sqrt(average of z^2 + eps).

    RMS[g] counts this gradient, RMS[d] ends with the step before: this one is not known yet.

    Parameters
    ----------
    theta, grad, square, delta : float arrays of one shape; square and delta are the running
        averages of g^2 and of d^2
    rho : float in [0, 1), the share of the old averages that is kept
    eps : float, inside both roots

    Returns
    -------
    new_theta, new_square, new_delta : like theta

    References
    ----------
    Zeiler 2012, algorithm 1.
    """
    new_square = rho * square + (1 - rho) * grad * grad
    step = np.sqrt(delta + eps) / np.sqrt(new_square + eps) * grad
    new_delta = rho * delta + (1 - rho) * step * step
    return theta - step, new_square, new_delta


def adam(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    """theta <- theta - lr m_hat / (sqrt(v_hat) + eps), with unbiased averages m_hat and v_hat.

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2 start at zero. m_hat and v_hat
    are m and v, divided by what an average of ones would have come to in t steps.

    Parameters
    ----------
    theta, grad, mean, square : float arrays of one shape; mean and square are m and v as they are
    t : int, the number of this step; the first is 1
    lr, beta1, beta2, eps : float

    Returns
    -------
    new_theta, new_mean, new_square : like theta; the averages are returned as they are, uncorrected

    References
    ----------
    Kingma & Ba 2015, algorithm 1.
    """
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_square = beta2 * square + (1 - beta2) * grad * grad
    mean_hat = new_mean / (1 - beta1**t)
    square_hat = new_square / (1 - beta2**t)
    return theta - lr * mean_hat / (np.sqrt(square_hat) + eps), new_mean, new_square


def amsgrad(theta, grad, mean, square, largest, t, lr, beta1, beta2, eps):
    """The step of `adam` with the largest v so far, number by number, in place of v.

    The largest is taken of v as it is; it is then divided as v was, by what stands in `adam`.

    Parameters
    ----------
    theta, grad, mean, square, largest : float arrays of one shape
    t : int, the number of this step; the first is 1
    lr, beta1, beta2, eps : float

    Returns
    -------
    new_theta, new_mean, new_square, new_largest : like theta

    References
    ----------
    Reddi, Kale & Kumar 2018, algorithm 2, with Adam's correction of the averages, as in PyTorch.
    """
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_square = beta2 * square + (1 - beta2) * grad * grad
    new_largest = np.maximum(largest, new_square)
    root = np.sqrt(new_largest / (1 - beta2**t)) + eps
    return theta - lr / (1 - beta1**t) * new_mean / root, new_mean, new_square, new_largest


def adamw(theta, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    """The step of `adam`, with theta scaled by 1 - lr * weight_decay before: a decoupled decay.

    Parameters
    ----------
    theta, grad, mean, square : float arrays of one shape
    t : int, the number of this step; the first is 1
    lr, beta1, beta2, eps, weight_decay : float

    Returns
    -------
    new_theta, new_mean, new_square : like theta

    References
    ----------
    Loshchilov & Hutter 2019, algorithm 2, with the decay multiplied by lr, as in PyTorch.
    """
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_square = beta2 * square + (1 - beta2) * grad * grad
    root = np.sqrt(new_square / (1 - beta2**t)) + eps
    kept = (1 - lr * weight_decay) * theta
    return kept - lr / (1 - beta1**t) * new_mean / root, new_mean, new_square


def adamax(theta, grad, mean, norm, t, lr, beta1, beta2, eps):
    """theta <- theta - lr m_hat / u, with u <- max(beta2 u, |g| + eps), number by number.

    m_hat is that of `adam`. The maximum needs no correction.

    Parameters
    ----------
    theta, grad, mean, norm : float arrays of one shape; norm is u
    t : int, the number of this step; the first is 1
    lr, beta1, beta2, eps : float

    Returns
    -------
    new_theta, new_mean, new_norm : like theta

    References
    ----------
    Kingma & Ba 2015, algorithm 2, which has no eps and so 0 / 0 for a gradient of zero.
    """
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_norm = np.maximum(beta2 * norm, np.abs(grad) + eps)
    return theta - lr / (1 - beta1**t) * new_mean / new_norm, new_mean, new_norm


def clip_value(grad, low, high):
    """Bring every number of a gradient that lies outside [low, high] to the nearer end.

    Parameters
    ----------
    grad : float array
    low, high : float, low < high

    Returns
    -------
    clipped : like grad

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 10.11.1.
    """
    return np.minimum(np.maximum(grad, low), high)


def clip_norm(grads, max_norm, eps):
    """Scale gradients by max_norm / (norm + eps) where that is below 1, else leave them alone.

    norm is the length of all gradients together, written one after the other as one vector.

    Parameters
    ----------
    grads : list of float arrays of any shapes, one for each parameter
    max_norm, eps : float

    Returns
    -------
    clipped : list of arrays like grads

    References
    ----------
    Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    norm = math.sqrt(sum(float(np.sum(grad * grad)) for grad in grads))
    factor = min(1.0, max_norm / (norm + eps))
    return [factor * grad for grad in grads]


def warmup_cosine(t, lr, warmup, total):
    """The learning rate of step t: up along a straight line, down along half a cosine.

    Steps 0 to warmup - 1 rise in equal parts, from lr / warmup to lr. Step `warmup` has lr too, and
    from there the rate falls as 1 + cos does from 0 to pi, to 0 at step `total`. Later steps have
    0.

    Parameters
    ----------
    t : int, the number of the step; the first is 0
    lr : float, the highest rate
    warmup, total : int, 0 <= warmup < total

    Returns
    -------
    rate : float

    References
    ----------
    Loshchilov & Hutter 2017, equation 5; Goyal et al. 2017, section 2.2.
    """
    if t < warmup:
        return lr * (t + 1) / warmup
    share = (t - warmup) / (total - warmup)
    return lr * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def newton(theta, grad, hessian, damping):
    """Newton's step with (H + damping I)^-1: on a quadratic, without damping, straight to the end.

    Parameters
    ----------
    theta, grad : (d,) float
    hessian : (d, d) float, symmetric
    damping : float; above the size of the most negative eigenvalue it makes the step a descent

    Returns
    -------
    new_theta : (d,)

    References
    ----------
    Goodfellow, Bengio & Courville 2016, sections 8.6.1 and 8.2.3.
    """
    damped = hessian + damping * np.eye(len(theta), dtype=theta.dtype)
    return theta - np.linalg.solve(damped, grad)


class Adam:
    """The step of `adam` for a whole list of parameters, with everything remembered inside.

    Each parameter has averages and a step count of its own, and starts with averages of zero.

    Parameters
    ----------
    params : list of float arrays, which the steps write to
    lr, beta1, beta2, eps : float

    References
    ----------
    Kingma & Ba 2015, algorithm 1.
    """

    def __init__(self, params, lr, beta1, beta2, eps):
        """Keep the parameters, and a state for each."""
        self.params = params
        self.options = lr, beta1, beta2, eps
        self.means = [np.zeros_like(p) for p in params]
        self.squares = [np.zeros_like(p) for p in params]
        self.steps = [0] * len(params)

    def step(self, grads):
        """Write the next value into each parameter's own array.

        Parameters
        ----------
        grads : list with a gradient for each parameter, or None for one that took no part: it and
            its state stay as they are, and its count too
        """
        lr, beta1, beta2, eps = self.options
        for i, p in enumerate(self.params):
            g = grads[i]
            if g is None:
                continue
            self.steps[i] += 1
            t = self.steps[i]
            self.means[i] = beta1 * self.means[i] + (1 - beta1) * g
            self.squares[i] = beta2 * self.squares[i] + (1 - beta2) * g * g
            root = np.sqrt(self.squares[i] / (1 - beta2**t)) + eps
            p -= lr * self.means[i] / (1 - beta1**t) / root


class Plateau:
    """A learning rate that is cut when the loss has stopped improving.

    Parameters
    ----------
    lr : float, the rate at the start
    factor : float below 1, what the rate is multiplied with
    patience : int, how many losses in a row without improvement are put up with

    Attributes
    ----------
    lr : the present rate
    best : the smallest loss so far; infinite before the first
    """

    def __init__(self, lr, factor, patience):
        """Start at lr, with no loss seen."""
        self.lr = lr
        self.factor = factor
        self.patience = patience
        self.best = math.inf
        self.waited = 0

    def step(self, loss):
        """Take the next loss; return the rate that holds from now on.

        A loss below the best so far is an improvement, and counting starts anew. With one more loss
        without improvement than patience allows, the rate is cut, and counting starts anew as well.

        Parameters
        ----------
        loss : float; NaN is no improvement

        Returns
        -------
        lr : float
        """
        if loss < self.best:
            self.best = loss
            self.waited = 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.lr *= self.factor
            self.waited = 0
        return self.lr
