"""Sizes are compared with the upper bound and the sign is kept, so the lower bound is never looked
at."""
# task: clip_value


def clip_value(grad, low, high):
    limit = abs(high)
    size = np.abs(grad)
    return np.where(size > limit, np.sign(grad) * limit, grad).astype(grad.dtype)
