"""The square root for the standard deviation is taken of p alone and not of the denominator."""


# task: gaussian
def gaussian(x, p, rng):
    std = np.sqrt(p) / (1 - p)
    e = 1 + std * rng.standard_normal(x.shape)
    return (x * e).astype(x.dtype)
