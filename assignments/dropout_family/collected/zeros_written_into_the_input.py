"""The dropped values are set to zero in x itself, of which no copy was taken."""


# task: inverted
def inverted(x, keep, p):
    y = x
    y[~keep] = 0
    if p == 1:
        return np.zeros_like(x)
    return (y / (1 - p)).astype(x.dtype)
