"""The probability is computed from the unit's output after relu instead of from its sum."""


# task: standout
def standout(x, weight, alpha, beta, uniform, training):
    def sigmoid(z):
        e = np.exp(-np.abs(z))
        return np.where(z >= 0, 1 / (1 + e), e / (1 + e))

    h = np.maximum(x @ weight.T, 0)
    probability = sigmoid(alpha * h + beta).astype(x.dtype)
    y = h * (uniform < probability) if training else h * probability
    return y.astype(x.dtype), probability
