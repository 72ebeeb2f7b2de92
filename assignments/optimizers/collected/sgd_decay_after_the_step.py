"""First the step, then the decay of what came out of it: the step itself is shrunk as well."""
# task: sgd


def sgd(theta, grad, lr, weight_decay):
    new_theta = theta - lr * grad
    new_theta -= lr * weight_decay * new_theta
    return new_theta
