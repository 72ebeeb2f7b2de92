"""There is one step count for the whole optimizer, raised once a call; a parameter that took no
part for a while is corrected as if it had."""
# task: adam_class


class Adam:
    def __init__(self, params, lr, beta1, beta2, eps):
        self.params = list(params)
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0
        self.mean = [np.zeros_like(p) for p in self.params]
        self.square = [np.zeros_like(p) for p in self.params]

    def step(self, grads):
        self.t += 1
        for k, (p, g) in enumerate(zip(self.params, grads, strict=True)):
            if g is None:
                continue
            self.mean[k] = self.beta1 * self.mean[k] + (1 - self.beta1) * g
            self.square[k] = self.beta2 * self.square[k] + (1 - self.beta2) * g**2
            m_hat = self.mean[k] / (1 - self.beta1**self.t)
            v_hat = self.square[k] / (1 - self.beta2**self.t)
            p -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
