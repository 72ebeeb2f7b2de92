"""average hands out the arrays of the running mean, which the next update changes in place."""


# task: swa
class SWA:
    def __init__(self, start, every=1):
        self.start = start
        self.every = every
        self.taken = 0
        self.mean = []

    def update(self, epoch, weights):
        if epoch < self.start or (epoch - self.start) % self.every != 0:
            return
        if self.taken == 0:
            self.mean = [np.zeros_like(w) for w in weights]
        self.taken += 1
        for m, w in zip(self.mean, weights, strict=True):
            m += (w - m) / self.taken

    def average(self):
        return self.mean
