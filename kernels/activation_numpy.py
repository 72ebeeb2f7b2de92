"""Activations: the specification. (ReLU is a family of its own.)

PReLU takes arrays (n, c, s) and the softmax rows (n, k) with k at least 1; the others take any
shape. None overflows or warns however large a finite x is, and NaN passes.
"""

import math

import numpy as np

_erfc = np.vectorize(math.erfc, otypes=[np.float64])
# PyTorch's: twice sqrt(2 / pi), since (1 + tanh u) / 2 = sigmoid(2 u), and the factor of x^3.
_TANH_SCALE, _TANH_CUBE = math.sqrt(8 / math.pi), 0.044715


def sigmoid_forward(x):
    """y = 1 / (1 + exp(-x)), from exponentials that never overflow.

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x
    """
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1) / (1 + e), x.dtype)


def sigmoid_backward(dy, y):
    """dx = dy * y * (1 - y).

    Parameters
    ----------
    dy, y : float32 or float64, of one shape;  y as returned by `sigmoid_forward`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.asarray(dy * y * (1 - y))


def tanh_forward(x):
    """y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x
    """
    return np.asarray(np.tanh(x))


def tanh_backward(dy, y):
    """dx = dy * (1 - y^2).

    Parameters
    ----------
    dy, y : float32 or float64, of one shape;  y as returned by `tanh_forward`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.asarray(dy * (1 - y * y))


def softmax_forward(x):
    """y_ij = exp(x_ij) / sum_j exp(x_ij), with the largest x of a row subtracted first.

    Parameters
    ----------
    x : (n, k) float32 or float64

    Returns
    -------
    y : (n, k), of the dtype of x

    References
    ----------
    Goodfellow, Bengio & Courville 2016, section 6.2.2.3.
    """
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dy, y):
    """dx_ij = y_ij * (dy_ij - sum_j dy_ij y_ij).

    Parameters
    ----------
    dy, y : (n, k) float32 or float64;  y as returned by `softmax_forward`

    Returns
    -------
    dx : (n, k), of the dtype of dy
    """
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


def log_softmax_forward(x):
    """y_ij = x_ij - log sum_j exp(x_ij), with the largest x of a row subtracted first.

    Parameters
    ----------
    x : (n, k) float32 or float64

    Returns
    -------
    y : (n, k), of the dtype of x
    """
    centred = x - x.max(axis=1, keepdims=True)
    return centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))


def log_softmax_backward(dy, y):
    """dx_ij = dy_ij - exp(y_ij) * sum_j dy_ij.

    Parameters
    ----------
    dy, y : (n, k) float32 or float64;  y as returned by `log_softmax_forward`

    Returns
    -------
    dx : (n, k), of the dtype of dy
    """
    return dy - np.exp(y) * dy.sum(axis=1, keepdims=True)


def leaky_relu_forward(x, slope):
    """y = max(x, 0) + slope * min(x, 0).

    Parameters
    ----------
    x : float32 or float64, of any shape
    slope : float, the derivative where x <= 0

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Maas, Hannun & Ng 2013, section 2.
    """
    return np.asarray(np.maximum(x, 0) + slope * np.minimum(x, 0))


def leaky_relu_backward(dy, x, slope):
    """dx = dy where x > 0, else slope * dy.

    Parameters
    ----------
    dy, x : float32 or float64, of one shape
    slope : float

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.where(x > 0, dy, slope * dy)


def prelu_forward(x, weight):
    """y_icj = x_icj where x_icj > 0, else weight_c * x_icj.

    Parameters
    ----------
    x : (n, c, s) float32 or float64
    weight : (c,), the derivative of each channel where x <= 0

    Returns
    -------
    y : (n, c, s), of the dtype of x

    References
    ----------
    He et al. 2015, Delving deep into rectifiers, section 2.1.
    """
    return np.multiply(x, weight[:, None], where=~(x > 0), out=x.copy())


def prelu_backward(dy, x, weight):
    """Gradients of PReLU.

    dx = dy where x > 0, else weight_c * dy
    dweight_c = sum over n and s of dy * x, where not x > 0

    Parameters
    ----------
    dy, x : (n, c, s) float32 or float64
    weight : (c,)

    Returns
    -------
    dx : (n, c, s), of the dtype of dy
    dweight : (c,)
    """
    dx = np.where(x > 0, dy, weight[:, None] * dy)
    products = np.multiply(dy, x, where=~(x > 0), out=np.zeros_like(dy))
    return dx, products.sum(axis=(0, 2))


def elu_forward(x, alpha, scale):
    """y = scale * x where x > 0, else scale * alpha * (exp(x) - 1).

    Parameters
    ----------
    x : float32 or float64, of any shape
    alpha : float, -alpha is approached far below 0
    scale : float, 1 for the ELU, 1.0507 for the SELU

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Clevert, Unterthiner & Hochreiter 2016, section 3; Klambauer et al. 2017, section 2.
    """
    return np.asarray(scale * (np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))))


def elu_backward(dy, x, alpha, scale):
    """dx = scale * dy where x > 0, else scale * alpha * exp(x) * dy.

    Parameters
    ----------
    dy, x : float32 or float64, of one shape
    alpha, scale : float

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.where(x > 0, scale * dy, scale * alpha * np.exp(np.minimum(x, 0)) * dy)


def _times(x, share):
    """Return x * share, and 0 where the share is 0, however large x is."""
    return np.multiply(x, share, where=share != 0, out=np.zeros_like(share))


def _normal_cdf(x):
    return np.asarray(_erfc(-x / math.sqrt(2)) / 2, x.dtype)


def gelu_forward(x):
    """y = x * Phi(x) with Phi(x) = (1 + erf(x / sqrt 2)) / 2; 0 at -inf.

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Hendrycks & Gimpel 2016, section 2.
    """
    return _times(x, _normal_cdf(x))


def gelu_backward(dy, x):
    """dx = dy * (Phi(x) + x * phi(x)) with phi(x) = exp(-x^2 / 2) / sqrt(2 pi).

    Parameters
    ----------
    dy, x : float32 or float64, of one shape

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    with np.errstate(over="ignore"):
        density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return np.asarray(dy * (_normal_cdf(x) + _times(x, np.asarray(density))))


def gelu_tanh_forward(x):
    """y = x / 2 * (1 + tanh u) with u = sqrt(2 / pi) * (x + 0.044715 x^3); 0 at -inf.

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Hendrycks & Gimpel 2016, section 2.
    """
    with np.errstate(over="ignore"):
        twice_u = _TANH_SCALE * (x + _TANH_CUBE * x * x * x)
    return _times(x, sigmoid_forward(twice_u))


def gelu_tanh_backward(dy, x):
    """dx = dy * ((1 + tanh u) / 2 + x / 2 * (1 - tanh^2 u) * du/dx), u as in `gelu_tanh_forward`.

    Parameters
    ----------
    dy, x : float32 or float64, of one shape

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    with np.errstate(over="ignore"):
        share = sigmoid_forward(_TANH_SCALE * (x + _TANH_CUBE * x * x * x))
        steep = _TANH_SCALE * (x + 3 * _TANH_CUBE * x * x * x)
    return np.asarray(dy * (share + _times(steep, np.asarray(share * (1 - share)))))


def softplus_forward(x, beta, threshold):
    """y = log(1 + exp(beta x)) / beta, and x itself where beta x > threshold.

    Parameters
    ----------
    x : float32 or float64, of any shape
    beta : float above 0
    threshold : float

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Dugas et al. 2001, section 3.
    """
    with np.errstate(over="ignore"):
        z = beta * x
    soft = np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0)
    return np.where(z > threshold, x, soft / beta)


def softplus_backward(dy, x, beta, threshold):
    """dx = dy / (1 + exp(-beta x)), and dy itself where beta x > threshold.

    Parameters
    ----------
    dy, x : float32 or float64, of one shape
    beta, threshold : float

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    with np.errstate(over="ignore"):
        z = beta * x
    return np.where(z > threshold, dy, dy * sigmoid_forward(z))


def silu_forward(x):
    """y = x / (1 + exp(-x)); 0 at -inf.

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Elfwing, Uchibe & Doya 2018, section 2; Ramachandran, Zoph & Le 2017 (Swish with beta 1).
    """
    return _times(x, sigmoid_forward(x))


def silu_backward(dy, x):
    """dx = dy * (s + x * s * (1 - s)) with s = 1 / (1 + exp(-x)).

    Parameters
    ----------
    dy, x : float32 or float64, of one shape

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    s = sigmoid_forward(x)
    return np.asarray(dy * (s + _times(x, np.asarray(s * (1 - s)))))


def hard_sigmoid_forward(x):
    """y = x / 6 + 1 / 2, cut to [0, 1].

    Parameters
    ----------
    x : float32 or float64, of any shape

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Howard et al. 2019, Searching for MobileNetV3, section 5.2.
    """
    return np.asarray(np.clip(x / 6 + 0.5, 0, 1))


def hard_sigmoid_backward(dy, x):
    """dx = dy / 6 where -3 < x < 3, else 0.

    Parameters
    ----------
    dy, x : float32 or float64, of one shape

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.asarray(np.where(np.abs(x) < 3, dy / 6, 0), dy.dtype)


def hard_tanh_forward(x, low, high):
    """y = x, cut to [low, high].

    Parameters
    ----------
    x : float32 or float64, of any shape
    low, high : float

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Collobert 2004, Large scale machine learning, section 5.2.
    """
    return np.asarray(np.clip(x, low, high))


def hard_tanh_backward(dy, x, low, high):
    """dx = dy where low < x < high, else 0.

    Parameters
    ----------
    dy, x : float32 or float64, of one shape
    low, high : float

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    return np.asarray(np.where((x > low) & (x < high), dy, 0), dy.dtype)
