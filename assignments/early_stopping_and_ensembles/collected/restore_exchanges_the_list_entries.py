"""restore puts the saved arrays into the list, and the network's own arrays stay as they were."""


# task: early_stopping
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0, mode="min"):
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.best = None
        self.best_step = 0
        self.waited = 0
        self.updates = 0
        self.best_weights = None

    def update(self, value, weights):
        self.updates += 1
        if self.best is None:
            improved = not np.isnan(value)
        elif self.mode == "min":
            improved = value < self.best - self.min_delta
        else:
            improved = value > self.best + self.min_delta
        if improved:
            self.best = float(value)
            self.best_step = self.updates
            self.best_weights = [w.copy() for w in weights]
        self.waited = self.updates - self.best_step
        return self.waited >= self.patience

    def restore(self, weights):
        if self.best_weights is None:
            return
        for index, saved in enumerate(self.best_weights):
            weights[index] = saved.copy()
