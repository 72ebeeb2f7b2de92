"""The sum over the inputs is squared, where each of its terms should be squared before the sum."""


# task: drop_connect_moments
def drop_connect_moments(x, weight, p):
    q = 1 - p
    total = x @ weight.T
    mean = q * total
    variance = p * q * total**2
    return mean.astype(x.dtype), variance.astype(x.dtype)
