"""The average that is kept is that of squared distances from the mean instead of squares, and it is
used as the variance."""
# task: rmsprop_centered


def rmsprop_centered(theta, grad, square, mean, velocity, lr, alpha, eps, rho):
    def average(old, new):
        return alpha * old + (1 - alpha) * new

    new_mean = average(mean, grad)
    new_square = average(square, (grad - new_mean) ** 2)
    scaled = grad / (np.sqrt(new_square) + eps)
    new_velocity = rho * velocity + scaled
    return theta - lr * new_velocity, new_square, new_mean, new_velocity
