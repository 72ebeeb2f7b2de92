"""Seeds are shifted along the rows and along the columns, but never both: blocks are hooks."""


# task: drop_block_mask
def drop_block_mask(seeds, block_size):
    n, c, a, b = seeds.shape
    dropped = np.zeros((n, c, a + block_size - 1, b + block_size - 1), dtype=bool)
    for shift in range(block_size):
        dropped[:, :, shift : shift + a, :b] |= seeds
        dropped[:, :, :a, shift : shift + b] |= seeds
    return ~dropped
