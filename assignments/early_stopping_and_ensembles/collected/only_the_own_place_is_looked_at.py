"""A sample counts as unseen when its own place in the bag holds another one, wherever it is."""


# task: bootstrap
def bootstrap(samples, members, rng):
    numbers = np.arange(samples)
    bags = rng.choice(numbers, size=(members, samples), replace=True)
    out = bags != numbers
    return bags.astype(np.int64), out
