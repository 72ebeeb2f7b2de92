"""Where the kernel is longer than the image itself, the answer is 0, even if the padding makes room
for it."""
# task: output_size


def output_size(size, kernel, stride, padding, dilation):
    reach = dilation * (kernel - 1) + 1
    count = (size + 2 * padding - reach) // stride + 1
    return np.where(reach > size, 0, np.maximum(count, 0))
