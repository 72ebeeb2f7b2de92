"""A coin is thrown for each sample, so that the held-out part has the size held only on average."""


# task: split
def split(x, y, held, rng):
    in_val = rng.random(len(x)) < held / len(x)
    return x[~in_val], y[~in_val], x[in_val], y[in_val]
