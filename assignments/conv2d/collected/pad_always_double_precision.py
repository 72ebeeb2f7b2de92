"""The larger array is made by np.zeros without a dtype, so float32 images come back as float64."""
# task: pad


def pad(x, padding):
    ph, pw = padding
    n, c, h, w = x.shape
    result = np.zeros((n, c, h + 2 * ph, w + 2 * pw))
    result[:, :, ph : ph + h, pw : pw + w] = x
    return result
