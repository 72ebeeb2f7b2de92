"""The counter goes up before the running mean is updated, so the old mean weighs one too many."""


# task: swa
class SWA:
    def __init__(self, start, every=1):
        self.start, self.every = start, every
        self.taken = 0
        self.mean = []

    def update(self, epoch, weights):
        if epoch < self.start or (epoch - self.start) % self.every:
            return
        self.taken += 1
        if self.taken == 1:
            self.mean = [w.copy() for w in weights]
            return
        n = self.taken
        self.mean = [
            ((m * n + w) / (n + 1)).astype(w.dtype) for m, w in zip(self.mean, weights, strict=True)
        ]

    def average(self):
        return [m.copy() for m in self.mean]
