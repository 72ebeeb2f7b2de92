"""The damping is added to the whole matrix by broadcasting, not to its diagonal."""
# task: newton


def newton(theta, grad, hessian, damping):
    damped = hessian + damping
    return theta - np.linalg.solve(damped, grad)
