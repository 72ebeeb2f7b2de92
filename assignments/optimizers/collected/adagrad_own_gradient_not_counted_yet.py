"""The step is divided by the root of the total before this gradient; where nothing has been seen
yet the step is huge."""
# task: adagrad


def adagrad(theta, grad, total, lr, eps):
    rate = lr / (np.sqrt(total) + eps)
    new_theta = theta - rate * grad
    new_total = total + grad**2
    return new_theta, new_total
