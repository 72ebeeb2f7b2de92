"""A pair of brackets in the wrong place: beta is added before the multiplication by gamma."""
# task: inference


def inference(x, gamma, beta, mean, var, eps):
    def column(a):
        return a[None, :, None]

    std = np.sqrt(column(var) + eps)
    return column(gamma) * ((x - column(mean)) / std + column(beta))
