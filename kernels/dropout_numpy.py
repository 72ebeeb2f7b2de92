"""Inverted dropout: the specification. The mask is drawn by the caller and passed in."""


def forward(x, keep, p):
    """y = x * keep / (1 - p).

    The division keeps the expected value of y at x; p = 1 gives zeros.

    Parameters
    ----------
    x : float32 or float64, any shape
    keep : bool, of the shape of x, False where a value is dropped
    p : float in [0, 1], the probability of dropping a value

    Returns
    -------
    y : of the shape and dtype of x

    References
    ----------
    Srivastava et al. 2014, section 10 (the inverted form).
    """
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return x * keep * scale


def backward(dy, keep, p):
    """dx = dy * keep / (1 - p).

    Parameters
    ----------
    dy : float32 or float64, any shape
    keep, p : as in `forward`

    Returns
    -------
    dx : of the shape and dtype of dy
    """
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return dy * keep * scale
