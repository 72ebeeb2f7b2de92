"""The values of x are counted instead of the mask's: too many when channels share one mask."""


# task: drop_block
def drop_block(x, keep):
    ones = np.count_nonzero(keep)
    scale = x.size / ones if ones else 0.0
    return (x * keep * scale).astype(x.dtype), float(scale)
