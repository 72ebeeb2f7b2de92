"""The dropout family on plain arrays: what minidl itself has only on tensors, or draws by hashing.

The parameter p is always the probability of dropping, as in PyTorch; the papers' p keeps.
"""

import numpy as np


def standard(x, keep, p, training):
    """Dropout as it was first published: nothing is scaled in training, everything at test time.

    In training y is x where keep is True, and 0 elsewhere. At test time nothing is dropped, and y
    is the value that training's y has on average over the masks.

    Parameters
    ----------
    x : float32 or float64, any shape
    keep : bool, of the shape of x, False where a value is dropped; without effect at test time
    p : float in [0, 1], the probability with which masks drop a value
    training : bool, False at test time

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Srivastava et al. 2014, Dropout, section 4 and figure 2.
    """
    if training:
        return x * keep
    return x * (1.0 - p)


def draw_mask(shape, p, rng):
    """Draw a mask: each value is dropped with probability p, whatever becomes of the others.

    All that is random comes from `rng`: the same generator in the same state gives the same mask,
    and a generator that goes on gives another one.

    Parameters
    ----------
    shape : tuple of int
    p : float in [0, 1], the probability of dropping a value; with 0 none is dropped, with 1 all
    rng : numpy.random.Generator

    Returns
    -------
    keep : bool, of that shape, False where a value is dropped

    References
    ----------
    Srivastava et al. 2014, section 4 (there p is the probability of keeping).
    """
    return rng.random(shape) >= p


def gaussian(x, p, rng):
    """y = x * e with noise e of mean 1, normally distributed, drawn for each value by itself.

    The variance of e is p / (1 - p), that of the factor 0 or 1 / (1 - p) in inverted dropout.

    Parameters
    ----------
    x : float32 or float64, any shape
    p : float in [0, 1), the probability of dropping in the dropout that this stands for
    rng : numpy.random.Generator, from which all that is random comes

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Srivastava et al. 2014, section 10 (its p keeps, hence (1 - p) / p there).
    """
    std = np.sqrt(p / (1.0 - p))
    noise = rng.standard_normal(x.shape)
    return (x * (1.0 + std * noise)).astype(x.dtype)


def spatial(x, p, rng):
    """Spatial dropout: a channel of an image is dropped as a whole, or kept and scaled.

    Each channel of each image is dropped with probability p, whatever becomes of the others. What
    is kept is multiplied by the same number everywhere, so that on average y is x.

    Parameters
    ----------
    x : (n, c, h, w) float32 or float64
    p : float in [0, 1], the probability of dropping a channel of an image; with 1 all is zero
    rng : numpy.random.Generator, from which all that is random comes

    Returns
    -------
    y : (n, c, h, w), of the dtype of x

    References
    ----------
    Tompson et al. 2015, Efficient object localization using convolutional networks, section 3.2.
    """
    n, c, _, _ = x.shape
    keep = rng.random((n, c, 1, 1)) >= p
    scale = 1.0 / (1.0 - p) if p < 1 else 0.0
    return x * keep * scale


def drop_connect(x, weight, keep):
    """y[i] = (keep[i] * weight) x[i]: every sample meets weights with a mask of its own.

    Nothing is scaled in training.

    Parameters
    ----------
    x : (n, d) float32 or float64
    weight : (k, d), of the dtype of x
    keep : (n, k, d) bool, False where a weight is dropped for a sample

    Returns
    -------
    y : (n, k), of the dtype of x

    References
    ----------
    Wan et al. 2013, Regularization of neural networks using DropConnect, section 3, equation 3.
    """
    kept = keep * weight
    return np.einsum("iod,id->io", kept, x)


def drop_connect_backward(dy, x, weight, keep):
    """The gradients of `drop_connect` by x and weight, through the masks that forward has used.

    Parameters
    ----------
    dy : (n, k) float32 or float64
    x : (n, d), of the dtype of dy
    weight : (k, d), of the dtype of dy
    keep : (n, k, d) bool

    Returns
    -------
    dx : (n, d);  dweight : (k, d), both of the dtype of dy

    References
    ----------
    Wan et al. 2013, section 3.1, algorithm 1.
    """
    dx = np.einsum("iod,io->id", keep * weight, dy)
    dweight = np.einsum("iod,io,id->od", keep.astype(dy.dtype), dy, x)
    return dx, dweight


def drop_connect_moments(x, weight, p):
    """Mean and variance, over all masks, of every y of `drop_connect`.

    Each weight is dropped with probability p, whatever becomes of the others.

    Parameters
    ----------
    x : (n, d) float32 or float64
    weight : (k, d), of the dtype of x
    p : float in [0, 1], the probability of dropping a weight

    Returns
    -------
    mean, variance : (n, k), of the dtype of x

    References
    ----------
    Wan et al. 2013, section 3.2 (there p is the probability of keeping).
    """
    mean = (1.0 - p) * (x @ weight.T)
    variance = p * (1.0 - p) * ((x * x) @ (weight * weight).T)
    return mean, variance


def drop_connect_inference(mean, variance, noise):
    """DropConnect at test time: the average of relu(z) over draws of z ~ N(mean, variance).

    The draws are made of `noise`: every slice of it gives one z for each place.

    Parameters
    ----------
    mean, variance : (n, k) float32 or float64
    noise : (s, n, k), of the same dtype, normally distributed with mean 0 and variance 1

    Returns
    -------
    y : (n, k), of the dtype of mean

    References
    ----------
    Wan et al. 2013, section 3.2, algorithm 2, with relu as the activation.
    """
    z = mean + np.sqrt(variance) * noise
    return np.maximum(z, 0).mean(axis=0)


def standout(x, weight, alpha, beta, uniform, training):
    """A layer h = relu(x weight^T) whose units are kept with a probability that depends on x.

    The probability of keeping is sigmoid(alpha * x weight^T + beta): beta is added to the sum, once
    for each unit. In training a unit is kept where `uniform`, spread evenly over [0, 1), lies below
    its probability, and nothing is scaled. At test time each unit is multiplied by its probability.

    Parameters
    ----------
    x : (n, d) float32 or float64
    weight : (k, d), of the dtype of x
    alpha, beta : float
    uniform : (n, k), of the dtype of x; without effect at test time
    training : bool, False at test time

    Returns
    -------
    y, probability : (n, k), of the dtype of x; also where the sum is far from zero

    References
    ----------
    Ba & Frey 2013, Adaptive dropout for training deep neural networks, sections 3 and 4.1.
    """
    sums = x @ weight.T
    h = np.maximum(sums, 0)
    probability = 1.0 / (1.0 + np.exp(-(alpha * sums + beta)))
    if training:
        return h * (uniform < probability), probability
    return h * probability, probability


def drop_block_schedule(step, steps, keep_prob):
    """The share of values to keep after `step` of the steps: from 1 in a straight line to its goal.

    Parameters
    ----------
    step : int, how many steps of training have been taken, 0 or more
    steps : int, after how many the goal is reached, at least 1; there it stays
    keep_prob : float in [0, 1], the goal

    Returns
    -------
    float

    References
    ----------
    Ghiasi, Lin & Le 2018, DropBlock, section 3 (scheduled DropBlock).
    """
    progress = min(step / steps, 1.0)
    return 1.0 - (1.0 - keep_prob) * progress


def variational(x, p, rng):
    """Dropout for sequences: what is dropped of a sequence is dropped at all of its steps.

    Each unit of each sequence is dropped with probability p, whatever becomes of the others, and
    what is kept is divided by 1 - p.

    Parameters
    ----------
    x : (t, n, d) float32 or float64, t steps of n sequences of d units
    p : float in [0, 1), the probability of dropping a unit of a sequence
    rng : numpy.random.Generator, from which all that is random comes

    Returns
    -------
    y : (t, n, d), of the dtype of x

    References
    ----------
    Gal & Ghahramani 2016, A theoretically grounded application of dropout in recurrent neural
    networks, section 4.
    """
    keep = rng.random(x.shape[1:]) >= p
    scale = 1.0 / (1.0 - p)
    return x * keep * scale


def cell_update(c, f, i, g, keep, p):
    """One step of an LSTM's memory with recurrent dropout without memory loss.

    What is written into the memory is subject to inverted dropout; what it remembers is not.

    Parameters
    ----------
    c : (n, d) float32 or float64, the memory
    f, i : (n, d), the gates that say how much of it stays and how much is written
    g : (n, d), the candidate, what there is to write
    keep : (n, d) bool, False where an update is dropped
    p : float in [0, 1), the probability with which masks drop an update

    Returns
    -------
    c : (n, d), the new memory, of the same dtype

    References
    ----------
    Semeniuta, Severyn & Barth 2016, Recurrent dropout without memory loss, equation 10.
    """
    update = g * keep / (1.0 - p)
    return f * c + i * update
