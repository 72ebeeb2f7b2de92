"""The weights are shrunk by the factor 1 - weight_decay in every step; the learning rate does not
multiply the decay."""
# task: sgd


def sgd(theta, grad, lr, weight_decay):
    shrunk = (1 - weight_decay) * theta
    return shrunk - lr * grad
