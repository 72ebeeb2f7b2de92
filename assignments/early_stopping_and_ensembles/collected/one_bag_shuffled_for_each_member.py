"""One bag is drawn and shuffled anew for each member: all of them learn from the same samples."""


# task: bootstrap
def bootstrap(samples, members, rng):
    bag = rng.integers(samples, size=samples)
    bags = np.stack([rng.permutation(bag) for _ in range(members)])
    out = np.array([~np.isin(np.arange(samples), row) for row in bags])
    return bags, out
