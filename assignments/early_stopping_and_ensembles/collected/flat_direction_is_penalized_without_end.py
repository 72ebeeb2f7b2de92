"""Where lambda is 0 nothing is kept, from which an infinite penalty is concluded."""


# task: as_penalty
def as_penalty(eigenvalues, lr, steps):
    log_left = steps * np.log1p(-lr * eigenvalues)
    kept = -np.expm1(log_left)
    left = np.exp(log_left)
    alpha = np.full_like(kept, np.inf)
    some = kept > 0
    alpha[some] = eigenvalues[some] * left[some] / kept[some]
    return kept, alpha
