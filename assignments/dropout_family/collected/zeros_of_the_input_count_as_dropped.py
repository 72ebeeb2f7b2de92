"""What is left is counted in the masked values, where zeros that x has itself count as dropped."""


# task: drop_block
def drop_block(x, keep):
    y = x * keep
    left = np.count_nonzero(y)
    scale = y.size / left if left > 0 else 0.0
    return (y * scale).astype(x.dtype), float(scale)
