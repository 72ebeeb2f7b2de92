"""The step by step derivation from course notes, where x - mean stands in the way through the
variance; x is not at hand, and x_hat was put there as it is."""
# task: backward


def backward(dy, x_hat, inv_std, gamma):
    axes = (0, 2)
    m = max(dy.shape[0] * dy.shape[2], 1)
    wide = (1, len(gamma), 1)

    dbeta = dy.sum(axis=axes)
    dgamma = (dy * x_hat).sum(axis=axes)

    dxhat = dy * gamma.reshape(wide)
    dvar = (dxhat * x_hat).sum(axis=axes) * -0.5 * inv_std**3
    dmean = -(dxhat.sum(axis=axes)) * inv_std

    dx = dxhat * inv_std.reshape(wide)
    dx = dx + dvar.reshape(wide) * 2 * x_hat / m
    dx = dx + dmean.reshape(wide) / m
    return dx, dgamma, dbeta
