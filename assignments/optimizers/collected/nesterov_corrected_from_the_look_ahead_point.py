"""The whole new velocity is applied at the point ahead, which the old velocity has already moved,
so that part of the way is gone twice."""
# task: nesterov


def nesterov(gradient, theta, velocity, lr, rho):
    ahead = theta - lr * rho * velocity
    new_velocity = rho * velocity + gradient(ahead)
    return ahead - lr * new_velocity, new_velocity
