"""Normalizes with the biased variance, but returns the unbiased one, because the running statistics
are known to want that."""
# task: forward


def forward(x, gamma, beta, eps):
    m = x.shape[0] * x.shape[2]
    total = x.sum(axis=(0, 2))
    mean = total / max(m, 1)
    centred = x - mean[:, None]
    var = (centred * centred).sum(axis=(0, 2)) / max(m, 1)
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = centred * inv_std[:, None]
    y = gamma[:, None] * x_hat + beta[:, None]
    if m > 1:
        var = var * (m / (m - 1))  # what the running average needs
    return y, x_hat, inv_std, mean, var
