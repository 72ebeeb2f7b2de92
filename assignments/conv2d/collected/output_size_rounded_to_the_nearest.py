"""The number of steps is computed in floating point and rounded to the nearest whole number instead
of down."""
# task: output_size


def output_size(size, kernel, stride, padding, dilation):
    travel = size + 2 * padding - dilation * (kernel - 1) - 1
    positions = np.rint(travel / stride).astype(np.int64) + 1
    positions[travel < 0] = 0
    return positions
