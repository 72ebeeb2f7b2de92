"""decay is used like a momentum of running statistics: it weighs the new weights, not the old."""


# task: ema
class EMA:
    def __init__(self, decay):
        self.decay = decay
        self.steps = 0
        self.state = None

    def update(self, weights):
        d = self.decay
        if self.state is None:
            self.state = [np.zeros_like(w) for w in weights]
        self.steps += 1
        self.state = [
            ((1 - d) * s + d * w).astype(w.dtype) for s, w in zip(self.state, weights, strict=True)
        ]

    def average(self):
        if self.state is None:
            return []
        total = 1 - (1 - self.decay) ** self.steps
        return [(s / total).astype(s.dtype) for s in self.state]
