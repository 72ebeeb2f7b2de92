"""A block of neighbouring rows is held out; random is only where it begins."""


# task: split
def split(x, y, held, rng):
    start = rng.integers(len(x) - held + 1)
    val = np.arange(start, start + held)
    x_train, y_train = np.delete(x, val, axis=0), np.delete(y, val, axis=0)
    return x_train, y_train, x[val], y[val]
