"""The penalty was differentiated as if it were the norm and not its square, so the pull has the
same length wherever theta is."""
# task: sgd


def sgd(theta, grad, lr, weight_decay):
    length = np.sqrt((theta**2).sum())
    pull = theta / length if length > 0 else np.zeros_like(theta)
    return theta - lr * (grad + weight_decay * pull)
