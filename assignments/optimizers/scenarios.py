"""How the checks use functions that take functions, lists or several steps, and the classes."""

import numpy as np

from minidl.grading.scenario import scenario


@scenario(task="sgd", returns=("thetas",))
def descend(sgd, theta, grads, lr, weight_decay):
    """Take a step for each gradient, and keep every theta on the way."""
    thetas = [theta]
    for grad in grads:
        thetas.append(sgd(thetas[-1], grad, lr, weight_decay))
    return np.array(thetas)


@scenario(task="momentum", returns=("velocities", "thetas"))
def gather_speed(momentum, theta, grads, lr, rho):
    """Take a step for each gradient from rest, and keep every theta and velocity on the way."""
    thetas, velocities = [theta], [np.zeros_like(theta)]
    for grad in grads:
        new_theta, new_velocity = momentum(thetas[-1], grad, velocities[-1], lr, rho)
        thetas.append(new_theta)
        velocities.append(new_velocity)
    return np.array(velocities), np.array(thetas)


@scenario(task="nesterov", returns=("points", "velocities", "thetas"))
def roll_in_a_bowl(nesterov, theta, velocity, hessian, centre, lr, rho, steps):
    """Take steps on a quadratic; note where its gradient was asked for."""
    points, thetas, velocities = [], [theta], [velocity]

    def gradient(x):
        points.append(np.array(x))
        return hessian @ (x - centre)

    for _ in range(steps):
        theta, velocity = nesterov(gradient, thetas[-1], velocities[-1], lr, rho)
        thetas.append(theta)
        velocities.append(velocity)
    return np.array(points), np.array(velocities), np.array(thetas)


@scenario(task="nesterov", returns=("new_velocity", "new_theta"))
def step_on_a_quartic(nesterov, theta, velocity, centre, lr, rho):
    """Take one step on sum (x - centre)^4 / 4, for arrays of any shape."""
    new_theta, new_velocity = nesterov(lambda x: (x - centre) ** 3, theta, velocity, lr, rho)
    return new_velocity, new_theta


@scenario(task="adam", returns=("means", "squares", "thetas"))
def adapt(adam, theta, grads, lr, beta1, beta2, eps):
    """Take a step for each gradient from averages of zero, and keep everything on the way."""
    thetas, means, squares = [theta], [np.zeros_like(theta)], [np.zeros_like(theta)]
    for t, grad in enumerate(grads, 1):
        state = thetas[-1], grad, means[-1], squares[-1]
        new_theta, new_mean, new_square = adam(*state, t, lr, beta1, beta2, eps)
        thetas.append(new_theta)
        means.append(new_mean)
        squares.append(new_square)
    return np.array(means), np.array(squares), np.array(thetas)


@scenario(task="clip_norm", returns=("first", "second", "third"))
def clip_three(clip_norm, first, second, third, max_norm, eps):
    """Clip three gradients together."""
    return tuple(clip_norm([first, second, third], max_norm, eps))


@scenario(task="clip_norm", returns=("first", "second"))
def clip_twice(clip_norm, first, second, tight, loose, eps):
    """Clip the same two gradients to a tight norm, then, from the start, to a loose one."""
    grads = [first, second]
    clip_norm(grads, tight, eps)
    return tuple(clip_norm(grads, loose, eps))


@scenario(task="warmup_cosine", returns=("rates",))
def rates_of_steps(warmup_cosine, steps, lr, warmup, total):
    """Ask for the rate of each step in a list of numbers."""
    return np.array([float(warmup_cosine(int(t), lr, warmup, total)) for t in steps])


@scenario(task="adam_class", returns=("first_path", "second_path"))
def train_two(Adam, first, second, first_grads, second_grads, takes_part, options):
    """Move two parameters; where takes_part is 0, a parameter has no gradient in that step."""
    first, second = first.copy(), second.copy()
    optimizer = Adam([first, second], *options)
    paths = [first.copy()], [second.copy()]
    for i, parts in enumerate(takes_part):
        grads = first_grads[i], second_grads[i]
        optimizer.step([g if part else None for g, part in zip(grads, parts, strict=True)])
        for path, p in zip(paths, (first, second), strict=True):
            path.append(p.copy())
    return tuple(np.array(path) for path in paths)


@scenario(task="plateau", returns=("bests", "rates"))
def watch_losses(Plateau, losses, lr, factor, patience):
    """Feed losses one by one; note best, and beside each other the returned rate and lr."""
    schedule = Plateau(lr, factor, patience)
    bests, rates = [], []
    for loss in losses:
        returned = schedule.step(float(loss))
        bests.append(float(schedule.best))
        rates.append((float(returned), float(schedule.lr)))
    return np.array(bests), np.array(rates)
