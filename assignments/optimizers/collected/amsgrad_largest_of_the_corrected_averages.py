"""v is corrected first and the maximum is taken of the corrected values, which are largest in the
first steps and then stay."""
# task: amsgrad


def amsgrad(theta, grad, mean, square, largest, t, lr, beta1, beta2, eps):
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_square = beta2 * square + (1 - beta2) * grad**2
    m_hat = new_mean / (1 - beta1**t)
    v_hat = new_square / (1 - beta2**t)
    new_largest = np.maximum(largest, v_hat)
    new_theta = theta - lr * m_hat / (np.sqrt(new_largest) + eps)
    return new_theta, new_mean, new_square, new_largest
