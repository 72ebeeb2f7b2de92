"""A channel was made a row by reshape alone, without bringing the channel axis to the front first,
so with more than one image the rows mix channels."""
# task: forward


def forward(x, gamma, beta, eps):
    n, c, s = x.shape
    m = n * s
    rows = x.reshape(c, m)
    if m > 0:
        mean = rows.mean(axis=1)
        var = ((rows - mean[:, None]) ** 2).mean(axis=1)
    else:
        mean, var = np.zeros(c, x.dtype), np.zeros(c, x.dtype)
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = (x - mean[None, :, None]) * inv_std[None, :, None]
    y = gamma[None, :, None] * x_hat + beta[None, :, None]
    return y, x_hat, inv_std, mean, var
