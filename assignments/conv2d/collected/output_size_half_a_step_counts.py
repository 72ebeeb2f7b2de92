"""The division is rounded up: a last step that fits only in part gives one more position."""
# task: output_size


def output_size(size, kernel, stride, padding, dilation):
    span = (kernel - 1) * dilation + 1
    travel = size + 2 * padding - span
    steps = -(-travel // stride)
    return np.where(travel >= 0, steps + 1, 0)
