"""From `start` on the epochs divisible by `every` count, instead of every so many after `start`."""


# task: swa
class SWA:
    def __init__(self, start, every=1):
        self.start = start
        self.every = every
        self.taken = 0
        self.total = []

    def update(self, epoch, weights):
        if epoch >= self.start and epoch % self.every == 0:
            if self.taken == 0:
                self.total = [np.zeros(w.shape) for w in weights]
                self.dtypes = [w.dtype for w in weights]
            for t, w in zip(self.total, weights, strict=True):
                t += w
            self.taken += 1

    def average(self):
        if not self.taken:
            return []
        return [(t / self.taken).astype(d) for t, d in zip(self.total, self.dtypes, strict=True)]
