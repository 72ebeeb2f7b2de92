"""Damping is taken as a smaller step: the plain Newton direction is divided by 1 + damping."""
# task: newton


def newton(theta, grad, hessian, damping):
    direction = np.linalg.solve(hessian, grad)
    return theta - direction / (1 + damping)
