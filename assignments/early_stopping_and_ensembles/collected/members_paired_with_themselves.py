"""The mean covariance is taken over the whole matrix, in which members meet themselves."""


# task: ensemble_variance
def ensemble_variance(errors, sizes):
    centred = errors - errors.mean(axis=1, keepdims=True)
    cov = centred @ centred.T / errors.shape[1]
    variance = np.mean(np.diag(cov))
    rho = cov.mean() / variance
    predicted = np.array([variance / k + (k - 1) / k * rho * variance for k in sizes])
    return float(variance), float(rho), predicted
