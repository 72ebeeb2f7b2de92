"""The gradient's size enters the maximum with the factor 1 - beta2, as it would enter an
average."""
# task: adamax


def adamax(theta, grad, mean, norm, t, lr, beta1, beta2, eps):
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_norm = np.maximum(beta2 * norm, (1 - beta2) * (np.abs(grad) + eps))
    return theta - lr / (1 - beta1**t) * new_mean / new_norm, new_mean, new_norm
