"""Both corrections are drawn into the learning rate, as the paper suggests for speed; eps then
stands beside the root of the uncorrected v and weighs more in the first steps."""
# task: adam


def adam(theta, grad, mean, square, t, lr, beta1, beta2, eps):
    new_mean = beta1 * mean + (1 - beta1) * grad
    new_square = beta2 * square + (1 - beta2) * grad * grad
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    new_theta = theta - rate * new_mean / (np.sqrt(new_square) + eps)
    return new_theta, new_mean, new_square
