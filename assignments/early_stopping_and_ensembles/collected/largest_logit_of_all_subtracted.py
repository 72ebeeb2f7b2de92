"""The largest logit of the whole array is subtracted, so rows far below it become 0/0."""


# task: average
def average(logits):
    def softmax(z):
        e = np.exp(z - z.max())
        return e / e.sum(axis=-1, keepdims=True)

    return softmax(logits).mean(axis=0), softmax(logits.mean(axis=0))
