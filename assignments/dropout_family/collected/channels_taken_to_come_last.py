"""Written for images with channels last, as in another framework: here it drops pixel columns."""


# task: spatial
def spatial(x, p, rng):
    if p == 1:
        return np.zeros_like(x)
    n, _, _, channels = x.shape
    noise_shape = (n, 1, 1, channels)
    keep = rng.random(noise_shape) >= p
    return (x * keep / (1 - p)).astype(x.dtype)
