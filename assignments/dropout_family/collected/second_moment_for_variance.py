"""The mean of the squares is returned as the variance; the squared means are not subtracted."""


# task: drop_connect_moments
def drop_connect_moments(x, weight, p):
    terms = x[:, None, :] * weight[None, :, :]
    mean = ((1 - p) * terms).sum(axis=2)
    variance = ((1 - p) * terms**2).sum(axis=2)
    return mean.astype(x.dtype), variance.astype(x.dtype)
