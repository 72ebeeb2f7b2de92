"""The squares of the whole gradient are added up to one number, so all entries share one rate."""
# task: adagrad


def adagrad(theta, grad, total, lr, eps):
    new_total = total + np.sum(grad * grad)
    return theta - lr * grad / (np.sqrt(new_total) + eps), new_total
