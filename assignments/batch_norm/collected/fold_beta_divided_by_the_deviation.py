"""Everything that is not x is put over one denominator, beta included."""
# task: fold


def fold(gamma, beta, mean, var, eps):
    std = np.sqrt(var + eps)
    scale = gamma / std
    shift = (beta - gamma * mean) / std
    return scale, shift
