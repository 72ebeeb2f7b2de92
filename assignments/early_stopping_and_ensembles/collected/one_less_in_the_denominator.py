"""How the members differ is divided by m - 1, as for a sample, so the equation does not hold."""


# task: ambiguity
def ambiguity(predictions, targets):
    mean = predictions.mean(axis=0)
    picked = ((predictions - targets) ** 2).mean(axis=0)
    averaged = (mean - targets) ** 2
    between = predictions.var(axis=0, ddof=1 if len(predictions) > 1 else 0)
    return picked, averaged, between
