"""The shift of the normalization is added to the old bias, which has not been multiplied on its
way."""
# task: fold_into_linear


def fold_into_linear(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / np.sqrt(var + eps)
    shift = beta - mean * scale
    folded = np.diag(scale) @ weight
    return folded, bias + shift
