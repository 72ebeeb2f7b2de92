"""The velocity gathers plain gradients and is scaled when it is applied; it should gather gradients
that have been scaled already."""
# task: rmsprop_centered


def rmsprop_centered(theta, grad, square, mean, velocity, lr, alpha, eps, rho):
    new_square = alpha * square + (1 - alpha) * grad**2
    new_mean = alpha * mean + (1 - alpha) * grad
    variance = np.maximum(new_square - new_mean**2, 0)
    new_velocity = rho * velocity + grad
    new_theta = theta - lr * new_velocity / (np.sqrt(variance) + eps)
    return new_theta, new_square, new_mean, new_velocity
