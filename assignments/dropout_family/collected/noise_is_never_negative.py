"""The factor stands for 0 or 1 / (1 - p), so negative noise is cut off at zero: the mean grows."""


# task: gaussian
def gaussian(x, p, rng):
    sigma = np.sqrt(p / (1 - p))
    factor = np.maximum(rng.normal(1.0, sigma, size=x.shape), 0.0)
    return (x * factor).astype(x.dtype)
