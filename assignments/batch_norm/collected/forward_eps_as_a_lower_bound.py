"""eps was read as a floor that keeps the variance away from zero: where the variance is larger than
eps, nothing is added to it."""
# task: forward


def forward(x, gamma, beta, eps):
    per_channel = (1, -1, 1)
    if x.size:
        mean = x.mean(axis=(0, 2))
        centred = x - mean.reshape(per_channel)
        var = (centred**2).mean(axis=(0, 2))
    else:
        mean = np.zeros(x.shape[1], dtype=x.dtype)
        centred = x.copy()
        var = np.zeros_like(mean)
    inv_std = 1.0 / np.sqrt(np.maximum(var, eps))
    x_hat = centred * inv_std.reshape(per_channel)
    y = x_hat * gamma.reshape(per_channel) + beta.reshape(per_channel)
    return y, x_hat, inv_std, mean, var
