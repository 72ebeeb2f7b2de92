"""Errors are taken to be zero on average, so the means are not subtracted from the rows."""


# task: ensemble_variance
def ensemble_variance(errors, sizes):
    m, n = errors.shape
    products = errors @ errors.T / n
    variance = float(np.trace(products) / m)
    pairs = [products[i, j] for i in range(m) for j in range(m) if i != j]
    correlation = float(np.mean(pairs) / variance)
    predicted = variance * correlation + variance * (1 - correlation) / sizes
    return variance, correlation, predicted
