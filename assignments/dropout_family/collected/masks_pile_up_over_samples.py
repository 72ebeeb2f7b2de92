"""The masked weights of one sample are masked again for the next, so that fewer and fewer stay."""


# task: drop_connect
def drop_connect(x, weight, keep):
    y = np.zeros((x.shape[0], weight.shape[0]), dtype=x.dtype)
    masked = weight.copy()
    for i in range(len(x)):
        masked *= keep[i]
        y[i] = masked @ x[i]
    return y
