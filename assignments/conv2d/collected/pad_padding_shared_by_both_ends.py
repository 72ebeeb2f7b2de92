"""The given numbers are taken as the total for both ends, half of it on each, as "same" padding is
computed elsewhere."""
# task: pad


def pad(x, padding):
    n, c, h, w = x.shape
    rows, columns = padding
    top, left = rows // 2, columns // 2
    padded = np.zeros((n, c, h + rows, w + columns), dtype=x.dtype)
    padded[:, :, top : top + h, left : left + w] = x
    return padded
