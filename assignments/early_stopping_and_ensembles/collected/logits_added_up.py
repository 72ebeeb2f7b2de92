"""Multiplying the opinions is read as adding the logits; they are not divided by the members."""


# task: average
def average(logits):
    def probs(z):
        shifted = z - np.max(z, axis=-1, keepdims=True)
        e = np.exp(shifted)
        return e / np.sum(e, axis=-1, keepdims=True)

    of_probabilities = np.mean([probs(member) for member in logits], axis=0)
    of_logits = probs(logits.sum(axis=0))
    return of_probabilities, of_logits
