"""What is kept is divided by its probability out of habit, and test time scales once more."""


# task: standout
def standout(x, weight, alpha, beta, uniform, training):
    s = x @ weight.T
    log_q = -np.logaddexp(0, -(alpha * s + beta))
    q = np.exp(log_q).astype(x.dtype)
    h = np.maximum(s, 0)
    if training:
        y = np.zeros_like(h)
        kept = uniform < q
        y[kept] = h[kept] / q[kept]
    else:
        y = h * q
    return y.astype(x.dtype), q
