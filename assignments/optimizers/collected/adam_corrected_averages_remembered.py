"""The averages are corrected in place and returned like that, so the next step corrects them
again."""
# task: adam


def adam(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    m = beta1 * mean + (1 - beta1) * grad
    v = beta2 * square + (1 - beta2) * grad**2
    m = m / (1 - beta1**t)
    v = v / (1 - beta2**t)
    return theta - lr * m / (np.sqrt(v) + eps), m, v
