"""Numbers outside the bounds are thrown away, that is set to zero, instead of brought to the nearer
end."""
# task: clip_value


def clip_value(grad, low, high):
    clipped = grad.copy()
    clipped[(grad < low) | (grad > high)] = 0
    return clipped
