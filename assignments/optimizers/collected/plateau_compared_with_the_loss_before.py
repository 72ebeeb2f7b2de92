"""An improvement is a loss below the previous one instead of below the best so far."""
# task: plateau


class Plateau:
    def __init__(self, lr, factor, patience):
        self.lr, self.factor, self.patience = lr, factor, patience
        self.best = float("inf")
        self.last = float("inf")
        self.bad = 0

    def step(self, loss):
        self.bad = 0 if loss < self.last else self.bad + 1
        self.last = loss
        if loss < self.best:
            self.best = loss
        if self.bad > self.patience:
            self.lr *= self.factor
            self.bad = 0
        return self.lr
