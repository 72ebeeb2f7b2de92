"""To be safe with large means the values are first shifted by one number, the mean over all
channels, and the shortcut for the variance is used after that; channels far from it still lose
digits, and a NaN reaches every channel."""
# task: forward


def forward(x, gamma, beta, eps):
    if x.size == 0:
        mean = np.zeros(x.shape[1], x.dtype)
        var = np.zeros(x.shape[1], x.dtype)
    else:
        shift = x.mean()
        moved = x - shift
        moved_mean = moved.mean(axis=(0, 2))
        var = (moved**2).mean(axis=(0, 2)) - moved_mean**2
        var = np.maximum(var, 0)
        mean = moved_mean + shift
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = (x - mean[:, None]) * inv_std[:, None]
    return gamma[:, None] * x_hat + beta[:, None], x_hat, inv_std, mean, var
