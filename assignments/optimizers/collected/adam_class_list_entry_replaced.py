"""The new value is put into the list of parameters as a new array; the array that the network holds
never moves."""
# task: adam_class


class Adam:
    def __init__(self, params, lr, beta1, beta2, eps):
        self.params = params
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = [0] * len(params)

    def step(self, grads):
        for i in range(len(self.params)):
            g = grads[i]
            if g is not None:
                self.t[i] += 1
                self.m[i] = self.beta1 * self.m[i] + (1 - self.beta1) * g
                self.v[i] = self.beta2 * self.v[i] + (1 - self.beta2) * g**2
                m_hat = self.m[i] / (1 - self.beta1 ** self.t[i])
                v_hat = self.v[i] / (1 - self.beta2 ** self.t[i])
                step = self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
                self.params[i] = self.params[i] - step
