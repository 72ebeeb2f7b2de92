"""Against overflow the sum is clipped where the sigmoid looks flat, which is not yet 0 or 1."""


# task: standout
def standout(x, weight, alpha, beta, uniform, training):
    s = x @ weight.T
    z = np.clip(alpha * s + beta, -6, 6)
    prob = (1.0 / (1.0 + np.exp(-z))).astype(x.dtype)
    h = np.maximum(s, 0)
    factor = uniform < prob if training else prob
    return (h * factor).astype(x.dtype), prob
