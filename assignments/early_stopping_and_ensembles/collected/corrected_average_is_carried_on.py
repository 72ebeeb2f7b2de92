"""The corrected average is stored and goes into the next step in the place of a_t."""


# task: ema
class EMA:
    def __init__(self, decay):
        self.decay = decay
        self.t = 0
        self.a = []

    def update(self, weights):
        if self.t == 0:
            self.a = [np.zeros_like(w) for w in weights]
        self.t += 1
        correction = 1 - self.decay**self.t
        for i, w in enumerate(weights):
            a = self.decay * self.a[i] + (1 - self.decay) * w
            self.a[i] = (a / correction).astype(w.dtype)

    def average(self):
        return [a.copy() for a in self.a]
