"""A loop that takes the average of the result so far and the next batch, so the last batch weighs
one half and the first ones next to nothing."""
# task: population


def population(means, variances, m):
    mean = means[0].copy()
    var = variances[0] * (m / (m - 1))
    for i in range(1, len(means)):
        mean = (mean + means[i]) / 2
        var = (var + variances[i] * (m / (m - 1))) / 2
    return mean, var
