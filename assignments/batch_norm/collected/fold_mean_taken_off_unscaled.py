"""In the shift only the division by the standard deviation is remembered for the mean; gamma, which
multiplies it too, is missing."""
# task: fold


def fold(gamma, beta, mean, var, eps):
    inv_std = 1 / np.sqrt(var + eps)
    scale = gamma * inv_std
    shift = beta - mean * inv_std
    return scale, shift
