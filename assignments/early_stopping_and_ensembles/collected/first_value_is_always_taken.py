"""The first value becomes the best unseen; if it is NaN, nothing is ever better again."""


# task: early_stopping
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0, mode="min"):
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.best = None
        self.best_step = 0
        self.waited = 0
        self.t = 0
        self.store = None

    def update(self, value, weights):
        self.t += 1
        if self.best is None:
            better = True
        else:
            gain = self.best - value if self.mode == "min" else value - self.best
            better = gain > self.min_delta
        if better:
            self.best = value
            self.best_step = self.t
            self.waited = 0
            self.store = [w.copy() for w in weights]
            return False
        self.waited += 1
        return self.waited >= self.patience

    def restore(self, weights):
        if self.store is None:
            return
        for w, s in zip(weights, self.store, strict=True):
            np.copyto(w, s)
