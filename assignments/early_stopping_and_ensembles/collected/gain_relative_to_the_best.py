"""min_delta is read as a share of the best value, as in some schedulers, not as a difference."""


# task: early_stopping
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0, mode="min"):
        self.patience, self.min_delta, self.mode = patience, min_delta, mode
        self.best, self.best_step, self.waited = None, 0, 0
        self._count, self._copy = 0, []

    def _better(self, value):
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        if self.mode == "min":
            return value < self.best * (1 - self.min_delta)
        return value > self.best * (1 + self.min_delta)

    def update(self, value, weights):
        self._count += 1
        if self._better(value):
            self.best, self.best_step, self.waited = value, self._count, 0
            self._copy = [np.array(w) for w in weights]
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self, weights):
        if self._copy:
            for target, source in zip(weights, self._copy, strict=True):
                target[...] = source
