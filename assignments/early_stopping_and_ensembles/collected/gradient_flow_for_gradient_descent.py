"""What is left after t steps is taken as exp(-lr lambda t), which holds for tiny steps only."""


# task: as_penalty
def as_penalty(eigenvalues, lr, steps):
    time = lr * steps
    kept = -np.expm1(-eigenvalues * time)
    alpha = np.full(eigenvalues.shape, 1 / time)
    curved = eigenvalues > 0
    alpha[curved] = eigenvalues[curved] / np.expm1(eigenvalues[curved] * time)
    return kept, alpha
