"""Each pair's own correlation is averaged, instead of the covariances over the mean variance."""


# task: ensemble_variance
def ensemble_variance(errors, sizes):
    m = len(errors)
    variance = float(errors.var(axis=1).mean())
    r = np.corrcoef(errors)
    correlation = float((r.sum() - np.trace(r)) / (m * (m - 1)))
    predicted = variance * (1 / sizes + (1 - 1 / sizes) * correlation)
    return variance, correlation, predicted
