"""The law of total variance on top of the unbiased batch variances: the spread between the batches'
means is added, although the correction has already paid for it."""
# task: population


def population(means, variances, m):
    mean = means.mean(axis=0)
    within = variances.mean(axis=0) * (m / (m - 1))
    between = ((means - mean) ** 2).mean(axis=0)
    return mean, within + between
