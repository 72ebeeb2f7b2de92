"""The rewritten form used by libraries, whose parameters are the points ahead, is applied to theta
itself: the gradient comes from here and the step is g + rho * v."""
# task: nesterov


def nesterov(gradient, theta, velocity, lr, rho):
    g = gradient(theta)
    new_velocity = rho * velocity + g
    new_theta = theta - lr * (g + rho * new_velocity)
    return new_theta, new_velocity
