"""For mode "max" the sign is turned to compare once, and best shows the turned value."""


# task: early_stopping
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0, mode="min"):
        self.patience = patience
        self.min_delta = min_delta
        self.sign = 1 if mode == "min" else -1
        self.best = None
        self.best_step = 0
        self.waited = 0
        self.step = 0
        self.saved = None

    def update(self, value, weights):
        self.step += 1
        value = self.sign * value
        if not np.isnan(value) and (self.best is None or value < self.best - self.min_delta):
            self.best = value
            self.best_step = self.step
            self.waited = 0
            self.saved = [w.copy() for w in weights]
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self, weights):
        if self.saved is not None:
            for w, s in zip(weights, self.saved, strict=True):
                w[...] = s
