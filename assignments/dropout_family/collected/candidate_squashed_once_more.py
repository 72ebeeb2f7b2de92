"""The candidate is taken for a sum before tanh, so tanh is applied a second time."""


# task: cell_update
def cell_update(c, f, i, g, keep, p):
    candidate = np.tanh(g)
    candidate = candidate * keep / (1 - p)
    return (f * c + i * candidate).astype(c.dtype)
