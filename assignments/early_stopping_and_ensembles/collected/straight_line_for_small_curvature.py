"""Small lr lambda is taken to keep steps * lr * lambda, which fails when the steps are many."""


# task: as_penalty
def as_penalty(eigenvalues, lr, steps):
    kept = np.empty_like(eigenvalues)
    alpha = np.empty_like(eigenvalues)
    for i, value in enumerate(eigenvalues):
        rate = lr * value
        if rate < 1e-4:
            kept[i] = steps * rate
            alpha[i] = 1 / (lr * steps)
        else:
            left = (1 - rate) ** steps
            kept[i] = 1 - left
            alpha[i] = value * left / (1 - left)
    return kept, alpha
