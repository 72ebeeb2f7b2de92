"""While fewer than k are kept every loss is taken in, NaN as well."""


# task: keep_best
class KeepBest:
    def __init__(self, k):
        self.k = k
        self.losses = []
        self.snapshots = []

    def add(self, loss, weights):
        if len(self.losses) == self.k:
            if not loss < self.losses[-1]:
                return False
            self.losses.pop()
            self.snapshots.pop()
        position = sum(1 for other in self.losses if other <= loss)
        self.losses.insert(position, loss)
        self.snapshots.insert(position, [np.copy(w) for w in weights])
        return True
