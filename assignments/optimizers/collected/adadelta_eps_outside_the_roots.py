"""eps is added to the roots as in the other rules; it starts the first step there at another
size."""
# task: adadelta


def adadelta(theta, grad, square, delta, rho, eps):
    new_square = rho * square + (1 - rho) * grad * grad
    rms_grad = np.sqrt(new_square) + eps
    rms_step = np.sqrt(delta) + eps
    step = rms_step / rms_grad * grad
    new_delta = rho * delta + (1 - rho) * step * step
    return theta - step, new_square, new_delta
