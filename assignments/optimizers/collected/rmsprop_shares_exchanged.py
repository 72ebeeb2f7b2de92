"""The new square gets the share alpha and the old average 1 - alpha."""
# task: rmsprop


def rmsprop(theta, grad, square, lr, alpha, eps):
    new_square = square + alpha * (grad**2 - square)
    new_theta = theta - lr * grad / (np.sqrt(new_square) + eps)
    return new_theta, new_square
