"""A parameter without gradient is stepped with a gradient of zeros: its averages fade and it keeps
coasting."""
# task: adam_class


class Adam:
    def __init__(self, params, lr, beta1, beta2, eps):
        self.lr = lr
        self.betas = (beta1, beta2)
        self.eps = eps
        self.states = []
        for p in params:
            self.states.append({"p": p, "m": np.zeros_like(p), "v": np.zeros_like(p), "t": 0})

    def step(self, grads):
        b1, b2 = self.betas
        for state, grad in zip(self.states, grads, strict=True):
            if grad is None:
                grad = np.zeros_like(state["p"])
            state["t"] += 1
            state["m"] = b1 * state["m"] + (1 - b1) * grad
            state["v"] = b2 * state["v"] + (1 - b2) * grad * grad
            m_hat = state["m"] / (1 - b1 ** state["t"])
            v_hat = state["v"] / (1 - b2 ** state["t"])
            state["p"][...] -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
