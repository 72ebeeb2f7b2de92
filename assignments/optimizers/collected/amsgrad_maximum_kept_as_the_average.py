"""The maximum replaces v for good: it is also returned as the average of squares, which then can no
longer fall."""
# task: amsgrad


def amsgrad(theta, grad, mean, square, largest, t, lr, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    square = np.maximum(square, largest)
    step = (mean / (1 - beta1**t)) / (np.sqrt(square / (1 - beta2**t)) + eps)
    return theta - lr * step, mean, square, square.copy()
