"""A new loss is written where the highest one stood, and the order is not made again."""


# task: keep_best
class KeepBest:
    def __init__(self, k):
        self.k = k
        self.losses = []
        self.snapshots = []

    def add(self, loss, weights):
        if np.isnan(loss):
            return False
        copies = [w.copy() for w in weights]
        if len(self.losses) < self.k:
            self.losses.append(loss)
            self.snapshots.append(copies)
            return True
        worst = int(np.argmax(self.losses))
        if loss >= self.losses[worst]:
            return False
        self.losses[worst] = loss
        self.snapshots[worst] = copies
        return True
