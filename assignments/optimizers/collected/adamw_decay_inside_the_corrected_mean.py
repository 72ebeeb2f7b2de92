"""The decay is kept out of the averages, but it is added to the corrected mean and so divided by
the root of v like a gradient."""
# task: adamw


def adamw(theta, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_square = beta2 * square + (1 - beta2) * grad**2
    m_hat = new_mean / (1 - beta1**t) + weight_decay * theta
    v_hat = new_square / (1 - beta2**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), new_mean, new_square
