"""The average over the masks is taken as the share that the mask at hand keeps, not as 1 - p."""


# task: standard
def standard(x, keep, p, training):
    if training:
        return x * keep
    return (x * keep.mean()).astype(x.dtype)
