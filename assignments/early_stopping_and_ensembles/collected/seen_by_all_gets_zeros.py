"""Against a division by zero the count is raised to 1: a sample seen by all gets zeros, not NaN."""


# task: out_of_bag
def out_of_bag(probabilities, out):
    total = np.einsum("mn,mnk->nk", out.astype(probabilities.dtype), probabilities)
    count = np.maximum(out.sum(axis=0), 1)
    return (total / count[:, None]).astype(probabilities.dtype)
