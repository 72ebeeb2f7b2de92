"""bisect_left finds the place: a loss equal to a kept one is put before it."""

# task: keep_best
import bisect


class KeepBest:
    def __init__(self, k):
        self.k = k
        self.losses = []
        self.snapshots = []

    def add(self, loss, weights):
        if math.isnan(loss):
            return False
        place = bisect.bisect_left(self.losses, loss)
        if place >= self.k:
            return False
        self.losses.insert(place, loss)
        self.snapshots.insert(place, [w.copy() for w in weights])
        del self.losses[self.k :], self.snapshots[self.k :]
        return True
