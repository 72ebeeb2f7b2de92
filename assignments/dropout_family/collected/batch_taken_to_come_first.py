"""The first axis is taken for the sequences: each step has its mask, which all sequences share."""


# task: variational
def variational(x, p, rng):
    batch, _, units = x.shape
    keep = rng.random((batch, 1, units)) >= p
    return (x * keep / (1 - p)).astype(x.dtype)
