"""RMS[g] is taken before the average of squares has been brought up to date; both averages are
updated after the step."""
# task: adadelta


def adadelta(theta, grad, square, delta, rho, eps):
    d = np.sqrt(delta + eps) / np.sqrt(square + eps) * grad
    new_square = rho * square + (1 - rho) * grad**2
    new_delta = rho * delta + (1 - rho) * d**2
    return theta - d, new_square, new_delta
