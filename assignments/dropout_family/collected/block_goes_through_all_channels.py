"""A block is cut out of all channels of its image, though the seeds are given for each channel."""


# task: drop_block_mask
def drop_block_mask(seeds, block_size):
    n, c, rows, columns = seeds.shape
    b = block_size
    keep = np.ones((n, c, rows + b - 1, columns + b - 1), dtype=bool)
    for i, _, r, s in np.argwhere(seeds):
        keep[i, :, r : r + b, s : s + b] = False
    return keep
