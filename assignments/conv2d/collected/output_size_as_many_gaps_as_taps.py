"""The length that a kernel covers is taken as kernel * dilation, but k taps have k - 1 gaps between
them."""
# task: output_size


def output_size(size, kernel, stride, padding, dilation):
    covered = kernel * dilation
    room = size + 2 * padding - covered
    return np.where(room < 0, 0, room // stride + 1)
