"""The variance is corrected for t * m values around one mean, as if all batches had been measured
around a common centre; each has its own, and m - 1 is what counts."""
# task: population


def population(means, variances, m):
    values = len(means) * m
    mean = means.sum(axis=0) / len(means)
    biased = variances.sum(axis=0) / len(variances)
    return mean, biased * (values / (values - 1))
