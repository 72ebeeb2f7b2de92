"""The mean squared difference of two members is taken, twice the distance from their mean."""


# task: ambiguity
def ambiguity(predictions, targets):
    m = len(predictions)
    picked = sum((f - targets) ** 2 for f in predictions) / m
    averaged = (sum(predictions) / m - targets) ** 2
    between = np.zeros_like(picked)
    for a in predictions:
        for b in predictions:
            between += (a - b) ** 2
    return picked, averaged, between / m**2
