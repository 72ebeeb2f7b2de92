"""Where an update is dropped the old memory is kept as it is; the forget gate is skipped too."""


# task: cell_update
def cell_update(c, f, i, g, keep, p):
    updated = f * c + i * g / (1 - p)
    return np.where(keep, updated, c).astype(c.dtype)
