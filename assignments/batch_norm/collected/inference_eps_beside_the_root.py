"""eps is added to the standard deviation, outside of the root."""
# task: inference


def inference(x, gamma, beta, mean, var, eps):
    y = np.empty_like(x)
    for k in range(x.shape[1]):
        std = np.sqrt(var[k])
        y[:, k, :] = gamma[k] * (x[:, k, :] - mean[k]) / (std + eps) + beta[k]
    return y
