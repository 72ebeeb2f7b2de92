"""The count is not set back after a cut, so every further loss without improvement cuts once
more."""
# task: plateau


class Plateau:
    def __init__(self, lr, factor, patience):
        self.lr = lr
        self.best = math.inf
        self.factor = factor
        self.patience = patience
        self.count = 0

    def step(self, loss):
        if loss < self.best:
            self.best = loss
            self.count = 0
            return self.lr
        self.count += 1
        if self.count > self.patience:
            self.lr *= self.factor
        return self.lr
