"""The gradients of the images are averaged instead of added."""
# task: backward_bias


def backward_bias(dy):
    per_image = dy.sum(axis=(2, 3))
    return per_image.mean(axis=0)
