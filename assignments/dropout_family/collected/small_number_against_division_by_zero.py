"""A small number is added to the denominator so that p = 1 works, and shifts all other results."""


# task: inverted
def inverted(x, keep, p):
    eps = 1e-5
    mask = keep.astype(x.dtype)
    return (x * mask / (1.0 - p + eps)).astype(x.dtype)
