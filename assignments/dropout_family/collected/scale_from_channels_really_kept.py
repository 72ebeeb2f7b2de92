"""The scale is counted from the channels that this mask keeps, as in DropBlock, not from p."""


# task: spatial
def spatial(x, p, rng):
    n, c = x.shape[:2]
    keep = rng.random((n, c, 1, 1)) >= p
    kept = keep.sum()
    if kept == 0:
        return np.zeros_like(x)
    scale = keep.size / kept
    return (x * keep * scale).astype(x.dtype)
