"""Theta is moved first, with the velocity that came in, and the velocity is brought up to date
afterwards."""
# task: momentum


def momentum(theta, grad, velocity, lr, rho):
    theta = theta - lr * velocity
    velocity = rho * velocity + grad
    return theta, velocity
