"""The mean is subtracted from the weights before they are scaled, as if weights were inputs, and so
it is missing from the bias."""
# task: fold_into_linear


def fold_into_linear(weight, bias, gamma, beta, mean, var, eps):
    scale = (gamma / np.sqrt(var + eps))[:, None]
    new_weight = (weight - mean[:, None]) * scale
    new_bias = bias * scale[:, 0] + beta
    return new_weight, new_bias
