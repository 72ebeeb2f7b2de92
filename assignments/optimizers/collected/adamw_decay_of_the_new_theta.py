"""The decay is applied after Adam's step and so shrinks the step too."""
# task: adamw


def adamw(theta, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = mean * beta1 + grad * (1 - beta1)
    square = square * beta2 + grad**2 * (1 - beta2)
    update = mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + eps)
    theta = theta - lr * update
    theta = theta * (1 - lr * weight_decay)
    return theta, mean, square
