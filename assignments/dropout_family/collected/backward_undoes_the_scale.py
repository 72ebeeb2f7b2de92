"""The way back is taken for the inverse of the way forward: it multiplies where that divides."""


# task: inverted_backward
def inverted_backward(dy, keep, p):
    dx = np.zeros_like(dy)
    dx[keep] = dy[keep] * (1 - p)
    return dx
