"""Code for fully connected layers, with one sample to a row, is reused by flattening to rows of c
numbers; with more than one place a row is no longer one number from each channel."""
# task: inference


def inference(x, gamma, beta, mean, var, eps):
    c = x.shape[1]
    rows = x.reshape(-1, c)
    y = gamma * (rows - mean) / np.sqrt(var + eps) + beta
    return y.reshape(x.shape)
