"""The variance is taken inside every image around that image's own mean, and then averaged over the
batch; the spread between the images is lost."""
# task: forward


def forward(x, gamma, beta, eps):
    n, c, s = x.shape
    if n * s == 0:
        mean = np.zeros(c, x.dtype)
        var = np.zeros(c, x.dtype)
    else:
        mean = x.mean(axis=2).mean(axis=0)
        var = x.var(axis=2).mean(axis=0)
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = (x - mean[None, :, None]) * inv_std[None, :, None]
    y = gamma[None, :, None] * x_hat + beta[None, :, None]
    return y, x_hat, inv_std, mean, var
