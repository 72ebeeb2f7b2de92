"""The norm of all gradients together is taken as the sum of their norms, without squares and
root."""
# task: clip_norm


def clip_norm(grads, max_norm, eps):
    norm = 0.0
    for g in grads:
        norm += float(np.sqrt((g**2).sum()))
    if norm + eps > max_norm:
        return [g * (max_norm / (norm + eps)) for g in grads]
    return [g.copy() for g in grads]
