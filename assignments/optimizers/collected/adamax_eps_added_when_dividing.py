"""eps is added in the division, as in the other rules, and not to the gradient's size inside the
maximum."""
# task: adamax


def adamax(theta, grad, mean, norm, t, lr, beta1, beta2, eps):
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_norm = np.maximum(beta2 * norm, np.abs(grad))
    m_hat = new_mean / (1 - beta1**t)
    return theta - lr * m_hat / (new_norm + eps), new_mean, new_norm
