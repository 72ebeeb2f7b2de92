"""Checks of the optimizers assignment.

Expected values come from definitions.py, in float64; so do the states that a step is given.

Tolerances are those of minidl.grading.compare (1e-7 of the largest value in float64, 1e-4 in
float32) where a check states no other.
"""

import numpy as np

from minidl.grading.check import check
from minidl.grading.compare import close

from . import definitions as rules
from .definitions import (
    EPS,
    draw_betas,
    draw_bowl,
    draw_run,
    draw_shape,
    draw_state,
    draw_tiny,
    each,
    weighted,
)


def compare(got, want, names, dtype=np.float64):
    """Compare several arrays, in the order in which they are worked out: theta last."""
    for i in [*range(1, len(names)), 0]:
        close(got[i], want[i].astype(dtype), names[i])


def one_step(function, rule, given, options, names):
    """Compare one step from any state with the rule, number by number."""
    compare(function(*given, *options), each(rule, given, options), names)


def steps_from_zero(function, rule, run, options, names):
    """Compare several steps from states of zero; `options` gives those of step t."""
    theta, grads = run
    state = theta, *(np.zeros_like(theta) for _ in names[1:])
    want = [array.astype(np.float64) for array in state]
    for t, grad in enumerate(grads, 1):
        state = function(state[0], grad, *state[1:], *options(t))
        want = each(rule, (want[0], grad, *want[1:]), options(t))
        compare(state, want, names, theta.dtype)


# --- sgd -----------------------------------------------------------------------------------------


@check(task="sgd", points=3)
def goes_down_and_decays(student, case):
    """One step against the gradient of the loss and its penalty."""
    theta, grad, _, _ = draw_state(case, draw_shape(case))
    lr, decay = case.turn(0.1, 0.5, 0.02), case.turn(0.3, 0.1, 1.5)
    new = student.sgd(theta, grad, lr, decay)
    (want,) = each(lambda x, g: (x - lr * g - lr * decay * x,), (theta, grad))
    close(new, want, "new_theta")


@check(task="sgd", points=2)
def keeps_what_it_was_given(student, case):
    """Several steps in a row, in float32 and float64, with every earlier theta left as it was."""
    dtype = case.turn(np.float32, np.float64)
    theta, grads = draw_run(case, 4, dtype)
    lr, decay = case.turn(0.2, 0.1), case.turn(0.5, 0.25, 0.0)
    want = [theta.astype(np.float64)]
    for grad in grads:
        want.append((1 - lr * decay) * want[-1] - lr * grad)
    close(student.descend(theta, grads, lr, decay), np.array(want).astype(dtype), "thetas")


# --- momentum ------------------------------------------------------------------------------------


@check(task="momentum", points=3)
def velocity_first_then_theta(student, case):
    """One step from a velocity that is not zero."""
    theta, grad, velocity, _ = draw_state(case, draw_shape(case))
    options = case.turn(0.1, 0.3, 0.02), case.turn(0.9, 0.5, 0.0, 0.99)
    names = "new_theta", "new_velocity"
    one_step(student.momentum, rules.momentum, (theta, grad, velocity), options, names)


@check(task="momentum", points=2)
def gathers_all_gradients(student, case):
    """From rest, the velocity is the sum of all gradients, each weighted by rho^age."""
    dtype = case.turn(np.float32, np.float64)
    theta, grads = draw_run(case, 5, dtype)
    lr, rho = case.turn(0.2, 0.05), case.turn(0.9, 0.6, 0.3)
    velocities, thetas = student.gather_speed(theta, grads, lr, rho)
    wide = grads.astype(np.float64)
    seen = [weighted(wide[: k + 1], rho) / (1 - rho) for k in range(len(grads))]
    want = np.array([np.zeros(theta.shape), *seen])
    close(velocities, want.astype(dtype), "velocities")
    close(thetas, (theta - lr * np.cumsum(want, axis=0)).astype(dtype), "thetas")


# --- nesterov ------------------------------------------------------------------------------------


@check(task="nesterov", points=4)
def asks_ahead_and_moves_from_here(student, case):
    """On a bowl: where the gradient is asked for, and what velocity and theta do."""
    d, steps = case.turn(3, 2, 5, 4), case.turn(1, 4, 6)
    hessian, centre = draw_bowl(case, d)
    theta, velocity = case.normal(d, scale=2.0), case.normal(d)
    lr, rho = case.turn(0.1, 0.3, 0.2), case.turn(0.9, 0.5, 0.8)
    given = theta, velocity, hessian, centre, lr, rho
    points, velocities, thetas = student.roll_in_a_bowl(*given, steps)
    want = [], [velocity], [theta]
    for _ in range(steps):
        x, v = want[2][-1], want[1][-1]
        want[0].append(x - rho * lr * v)
        want[1].append(rho * v + hessian @ (want[0][-1] - centre))
        want[2].append(x - lr * want[1][-1])
    close(points, np.array(want[0]), "points")
    close(velocities, np.array(want[1]), "velocities")
    close(thetas, np.array(want[2]), "thetas")


@check(task="nesterov", points=3)
def looks_ahead_on_a_curve(student, case):
    """One step where the gradient is no linear function, in float32 and float64, any shape."""
    dtype = case.turn(np.float32, np.float64)
    shape = case.turn((2, 3), (4,), (2, 2, 2))
    theta, velocity, centre = (case.normal(*shape, dtype=dtype) for _ in range(3))
    lr, rho = case.turn(0.25, 0.125), case.turn(0.75, 0.5)
    got = student.step_on_a_quartic(theta, velocity, centre, lr, rho)

    def rule(x, v, c):
        new = rho * v + (x - lr * rho * v - c) ** 3
        return x - lr * new, new

    want = each(rule, (theta, velocity, centre))
    compare(got[::-1], want, ("new_theta", "new_velocity"), dtype)


# --- adagrad -------------------------------------------------------------------------------------

ADAGRAD = ("new_theta", "new_total")


@check(task="adagrad", points=2)
def adds_up_squares(student, case):
    """One step, with a sum of squares from before."""
    theta, grad, _, total = draw_state(case, draw_shape(case))
    options = case.turn(0.5, 0.1, 1.0), EPS
    one_step(student.adagrad, rules.adagrad, (theta, grad, total), options, ADAGRAD)


@check(task="adagrad", points=2)
def steps_shrink_with_all_gradients(student, case):
    """Several steps from a sum of zero, in float32 and float64."""
    run = draw_run(case, 4, case.turn(np.float32, np.float64))
    options = case.turn(0.5, 0.2), EPS
    steps_from_zero(student.adagrad, rules.adagrad, run, lambda t: options, ADAGRAD)


@check(task="adagrad", points=1)
def eps_beside_the_root_of_the_sum(student, case):
    """With gradients no larger than eps, or zero, it shows where eps stands and that it is used."""
    eps = case.turn(1e-2, 0.3, 1e-4)
    given = draw_tiny(case, draw_shape(case), eps)
    one_step(student.adagrad, rules.adagrad, given, (0.5, eps), ADAGRAD)


# --- rmsprop -------------------------------------------------------------------------------------

RMSPROP = ("new_theta", "new_square")


@check(task="rmsprop", points=2)
def divides_by_the_root_mean_square(student, case):
    """One step, with an average of squares from before."""
    theta, grad, _, square = draw_state(case, draw_shape(case))
    options = case.turn(0.5, 0.1, 1.0), case.turn(0.9, 0.6, 0.99), EPS
    one_step(student.rmsprop, rules.rmsprop, (theta, grad, square), options, RMSPROP)


@check(task="rmsprop", points=2)
def forgets_old_gradients(student, case):
    """Several steps from an average of zero, in float32 and float64."""
    run = draw_run(case, 4, case.turn(np.float32, np.float64))
    options = case.turn(0.5, 0.1), case.turn(0.75, 0.9), EPS
    steps_from_zero(student.rmsprop, rules.rmsprop, run, lambda t: options, RMSPROP)


@check(task="rmsprop", points=1)
def eps_beside_the_root_mean_square(student, case):
    """With gradients no larger than eps, or zero, it shows where eps stands and that it is used."""
    eps = case.turn(1e-2, 0.3, 1e-4)
    given, options = draw_tiny(case, draw_shape(case), eps), (0.5, case.turn(0.9, 0.5), eps)
    one_step(student.rmsprop, rules.rmsprop, given, options, RMSPROP)


# --- rmsprop_centered ----------------------------------------------------------------------------

CENTERED = ("new_theta", "new_square", "new_mean", "new_velocity")


@check(task="rmsprop_centered", points=3)
def divides_by_the_spread(student, case):
    """One step, with averages and a velocity from before."""
    theta, grad, mean, square = draw_state(case, draw_shape(case))
    given = theta, grad, square, mean, case.normal(*theta.shape)
    options = case.turn(0.3, 0.1), case.turn(0.9, 0.6), EPS, case.turn(0.9, 0.5, 0.0)
    one_step(student.rmsprop_centered, rules.centered, given, options, CENTERED)


@check(task="rmsprop_centered", points=2)
def gathers_scaled_gradients(student, case):
    """Several steps from rest, in float32 and float64."""
    run = draw_run(case, 4, case.turn(np.float32, np.float64))
    options = case.turn(0.25, 0.1), case.turn(0.75, 0.9), EPS, case.turn(0.5, 0.9)
    steps_from_zero(student.rmsprop_centered, rules.centered, run, lambda t: options, CENTERED)


@check(task="rmsprop_centered", points=1)
def eps_beside_the_spread(student, case):
    """With a spread no larger than eps, or zero, it shows where eps stands and that it is used."""
    eps = case.turn(1e-2, 0.3, 1e-4)
    theta, grad, square = draw_tiny(case, draw_shape(case), eps)
    given = theta, grad, square, grad * 0, case.normal(*theta.shape)
    one_step(student.rmsprop_centered, rules.centered, given, (0.5, 0.75, eps, 0.5), CENTERED)


# --- adadelta ------------------------------------------------------------------------------------

ADADELTA = ("new_theta", "new_square", "new_delta")


@check(task="adadelta", points=3)
def steps_in_the_unit_of_theta(student, case):
    """One step, with averages of both squares from before."""
    theta, grad, _, square = draw_state(case, draw_shape(case))
    given = theta, grad, square, case.uniform(*theta.shape, low=0.1, high=0.5)
    options = case.turn(0.9, 0.6, 0.95), 1e-7
    one_step(student.adadelta, rules.adadelta, given, options, ADADELTA)


@check(task="adadelta", points=2)
def gets_going_from_zero(student, case):
    """Several steps from averages of zero, in float32 and float64: eps makes the first move."""
    run = draw_run(case, 4, case.turn(np.float32, np.float64))
    options = case.turn(0.75, 0.9), case.turn(0.5, 0.01)
    steps_from_zero(student.adadelta, rules.adadelta, run, lambda t: options, ADADELTA)


@check(task="adadelta", points=1)
def eps_in_both_roots(student, case):
    """With averages no larger than eps, or zero, it shows where eps stands."""
    size = case.turn(1e-2, 0.3)
    theta, grad, square = draw_tiny(case, draw_shape(case), size)
    given = theta, grad, square, case.uniform(*theta.shape, high=2.0) * size**2
    one_step(student.adadelta, rules.adadelta, given, (0.8, size**2), ADADELTA)


# --- adam ----------------------------------------------------------------------------------------

ADAM = ("new_theta", "new_mean", "new_square")


@check(task="adam", points=3)
def one_step_of_adam(student, case):
    """One step somewhere in training: early, where the correction is large, and late."""
    given = draw_state(case, draw_shape(case))
    options = case.turn(3, 20, 1, 200), *draw_betas(case)
    one_step(student.adam, rules.adam, given, options, ADAM)


@check(task="adam", points=4)
def from_the_first_step_on(student, case):
    """Five steps from averages of zero, in float32 and float64; what was kept stays as it was."""
    dtype = case.turn(np.float32, np.float64)
    theta, grads = draw_run(case, 5, dtype)
    options = draw_betas(case)
    _, beta1, beta2, _ = options
    means, squares, thetas = student.adapt(theta, grads, *options)
    wide, zero = grads.astype(np.float64), np.zeros((1, *theta.shape))
    m = np.array([weighted(wide[: k + 1], beta1) for k in range(len(grads))])
    v = np.array([weighted(wide[: k + 1] ** 2, beta2) for k in range(len(grads))])
    close(means, np.concatenate([zero, m]).astype(dtype), "means")
    close(squares, np.concatenate([zero, v]).astype(dtype), "squares")
    close(thetas, rules.adam_path(theta, grads, options).astype(dtype), "thetas")


@check(task="adam", points=1)
def eps_beside_the_corrected_root(student, case):
    """With gradients no larger than eps, or zero, it shows where eps stands and that it is used."""
    eps = case.turn(1e-2, 0.3, 1e-4)
    theta, grad, square = draw_tiny(case, draw_shape(case), eps)
    options = case.turn(2, 5, 1), 0.5, 0.75, 0.875, eps
    one_step(student.adam, rules.adam, (theta, grad, grad * 0, square), options, ADAM)


# --- amsgrad -------------------------------------------------------------------------------------

AMSGRAD = ("new_theta", "new_mean", "new_square", "new_largest")


@check(task="amsgrad", points=3)
def divides_by_the_largest(student, case):
    """One step where the largest is sometimes the new average and sometimes an older one."""
    theta, grad, mean, square = draw_state(case, case.turn((4, 3), (7,), (2, 3, 4)))
    given = theta, grad, mean, square, square * case.uniform(*theta.shape, low=0.5, high=2.0)
    options = case.turn(3, 20, 1, 200), *draw_betas(case)
    one_step(student.amsgrad, rules.amsgrad, given, options, AMSGRAD)


@check(task="amsgrad", points=2)
def never_forgets_a_large_gradient(student, case):
    """Several steps from zero whose gradients shrink, in float32 and float64, eps small or not."""
    theta, grads = draw_run(case, 4, case.turn(np.float32, np.float64))
    sizes = np.array([4, 1, 0.5, 0.25], theta.dtype).reshape(-1, *[1] * theta.ndim)
    options = 0.25, 0.75, 0.5, case.turn(0.5, 1e-3, EPS)
    run = theta, grads * sizes
    steps_from_zero(student.amsgrad, rules.amsgrad, run, lambda t: (t, *options), AMSGRAD)


# --- adamw ---------------------------------------------------------------------------------------


@check(task="adamw", points=3)
def decays_apart_from_the_gradient(student, case):
    """One step of Adam, and theta made smaller beside it."""
    given = draw_state(case, draw_shape(case))
    options = case.turn(3, 20, 1, 200), *draw_betas(case), case.turn(0.5, 0.1, 1.5)
    one_step(student.adamw, rules.adamw, given, options, ADAM)


@check(task="adamw", points=2)
def decays_from_the_first_step_on(student, case):
    """Several steps from averages of zero, in float32 and float64, eps small or not."""
    run = draw_run(case, 4, case.turn(np.float32, np.float64))
    options = 0.25, 0.75, 0.5, case.turn(0.5, 1e-3, EPS), case.turn(0.5, 1.0)
    steps_from_zero(student.adamw, rules.adamw, run, lambda t: (t, *options), ADAM)


# --- adamax --------------------------------------------------------------------------------------

ADAMAX = ("new_theta", "new_mean", "new_norm")


@check(task="adamax", points=3)
def divides_by_the_decayed_maximum(student, case):
    """One step where the gradient sometimes is the larger and sometimes the norm that decays."""
    given = draw_state(case, case.turn((4, 3), (7,), (2, 3, 4)))
    options = case.turn(3, 20, 1, 200), *draw_betas(case)
    one_step(student.adamax, rules.adamax, given, options, ADAMAX)


@check(task="adamax", points=2)
def survives_a_zero_gradient(student, case):
    """Several steps from zero, some gradients zero, in float32 and float64, eps small or not."""
    theta, grads = draw_run(case, 4, case.turn(np.float32, np.float64))
    grads[:2].reshape(2, -1)[:, 0] = 0
    options = 0.25, 0.75, 0.5, case.turn(0.5, 1e-3, EPS)
    run = theta, grads
    steps_from_zero(student.adamax, rules.adamax, run, lambda t: (t, *options), ADAMAX)


# --- clipping ------------------------------------------------------------------------------------


@check(task="clip_value", points=2)
def brings_numbers_inside(student, case):
    """Bounds of different sizes: what lies below, between and above."""
    low, high = case.turn((-0.5, 1.5), (-2.0, 0.25), (0.2, 0.9), (-1.0, -0.25))
    grad = case.normal(*case.turn((4, 5), (20,), (2, 3, 4)), scale=2.0)
    got = student.clip_value(grad, low, high)
    (want,) = each(lambda g: (low if g < low else high if g > high else g,), [grad])
    close(got, want, "clipped")


@check(task="clip_value", points=1)
def clips_in_the_dtype_it_was_given(student, case):
    """float32 in, float32 out, and float64 in, float64 out, infinite gradients included."""
    dtype = case.turn(np.float32, np.float64)
    grad = case.normal(3, 4, scale=2.0, dtype=dtype)
    grad[0, :2] = np.inf, -np.inf
    got = student.clip_value(grad, -0.75, 0.5)
    (want,) = each(lambda g: (-0.75 if g < -0.75 else 0.5 if g > 0.5 else g,), [grad])
    close(got, want.astype(dtype), "clipped")


def draw_three(case, dtype=np.float64):
    """Return three gradients of different shapes and sizes."""
    sizes = case.turn((0.5, 2.0, 1.0), (3.0, 0.2, 1.0), (1.0, 1.0, 5.0))
    shapes = case.turn(((3, 2), (4,), (1,)), ((5,), (2, 2, 2), (3, 1)))
    drawn = [case.normal(*s, scale=z, dtype=dtype) for s, z in zip(shapes, sizes, strict=True)]
    length = float(np.linalg.norm(np.concatenate([g.astype(np.float64).ravel() for g in drawn])))
    return drawn, length


def three(got, want, dtype=np.float64):
    """Compare three clipped gradients."""
    for array, right, name in zip(got, want, ("first", "second", "third"), strict=True):
        close(array, right.astype(dtype), name)


@check(task="clip_norm", points=3)
def one_factor_for_all(student, case):
    """Too long together: all arrays are scaled by the same factor, in float32 and float64."""
    dtype = case.turn(np.float64, np.float32)
    grads, length = draw_three(case, dtype)
    most, eps = case.turn(0.5, 0.9, 0.2) * length, case.turn(1e-6, 0.5)
    got = student.clip_three(*grads, most, eps)
    three(got, [g.astype(np.float64) / ((length + eps) / most) for g in grads], dtype)


@check(task="clip_norm", points=2)
def leaves_short_gradients_alone(student, case):
    """What is too long is cut; what is shorter than max_norm, or zero, is not changed at all."""
    grads, length = draw_three(case)
    three(student.clip_three(*grads, length / 2, 0.0), [g / 2 for g in grads])
    for most, eps in ((1.5 * length, 1e-6), (length, 0.0), (10 * length, 1e-6)):
        three(student.clip_three(*grads, most, eps), grads)
    zeros = [g * 0 for g in grads]
    three(student.clip_three(*zeros, 1.0, 1e-6), zeros)


@check(task="clip_norm", points=2)
def clips_copies(student, case):
    """The list and its arrays stay as they were: clipped twice, each time from the start."""
    (first, second, _), _ = draw_three(case)
    length = float(np.hypot(np.linalg.norm(first), np.linalg.norm(second)))
    tight, loose = 0.25 * length, 0.75 * length
    got = student.clip_twice(first, second, tight, loose, 1e-9)
    close(got[0], first * loose / (length + 1e-9), "first")
    close(got[1], second * loose / (length + 1e-9), "second")


# --- warmup_cosine -------------------------------------------------------------------------------


@check(task="warmup_cosine", points=2)
def rises_in_equal_parts(student, case):
    """The first steps, up to the highest rate."""
    lr, warmup = case.uniform(low=0.1, high=2.0).item(), case.turn(4, 7, 1, 10)
    total = warmup + case.integer(5, 20)
    steps = np.arange(warmup + 2)
    got = student.rates_of_steps(steps, lr, warmup, total)
    close(got, np.array([rules.rate(t, lr, warmup, total) for t in steps]), "rates")


@check(task="warmup_cosine", points=3)
def falls_as_a_cosine(student, case):
    """All steps after warm-up, with and without one, up to the last but one."""
    lr, warmup = case.uniform(low=0.1, high=2.0).item(), case.turn(3, 0, 8)
    total = warmup + case.integer(5, 20)
    steps = np.arange(warmup, total)
    got = student.rates_of_steps(steps, lr, warmup, total)
    close(got, np.array([rules.rate(t, lr, warmup, total) for t in steps]), "rates")


@check(task="warmup_cosine", points=1)
def stays_at_zero(student, case):
    """From step `total` on the rate is zero: it does not rise again."""
    warmup, total = case.turn((2, 8), (0, 5), (5, 6))
    steps = np.arange(total - 1, 2 * total + 3)
    got = student.rates_of_steps(steps, 0.5, warmup, total)
    want = np.array([rules.rate(t, 0.5, warmup, total) for t in steps])
    close(got, want, "rates", atol=1e-12)


# --- newton --------------------------------------------------------------------------------------


@check(task="newton", points=3)
def lands_in_the_centre(student, case):
    """On a quadratic, without damping, one step ends in its centre, minimum or saddle."""
    hessian, centre = draw_bowl(case, case.turn(3, 2, 6, 1))
    hessian = hessian * case.turn(1, 1, -1)
    theta = centre + case.normal(len(centre), scale=3.0)
    close(student.newton(theta, hessian @ (theta - centre), hessian, 0.0), centre, "new_theta")


@check(task="newton", points=3)
def damping_tames_a_saddle(student, case):
    """A Hessian with negative eigenvalues and a damping above them, in float64 and float32."""
    dtype = case.turn(np.float64, np.float32)
    d = case.turn(4, 3, 5)
    frame, _ = np.linalg.qr(case.normal(d, d))
    values = np.linspace(-1.0, 3.0, d)
    hessian = ((frame * values) @ frame.T).astype(dtype)
    hessian = (hessian + hessian.T) / 2
    theta, grad = case.normal(d, dtype=dtype), case.normal(d, dtype=dtype)
    damping = case.turn(2.0, 1.5, 4.0)
    wide, vectors = np.linalg.eigh(hessian.astype(np.float64))
    want = theta - vectors @ ((vectors.T @ grad) / (wide + damping))
    close(student.newton(theta, grad, hessian, damping), want.astype(dtype), "new_theta")


# --- adam_class ----------------------------------------------------------------------------------


def two_runs(student, case, takes_part, dtype=np.float64, eps=EPS):
    """Train two parameters, and compare their paths with those of two Adams on their own."""
    shapes = case.turn(((3, 2), (3, 2)), ((4,), (2, 3)), ((2,), (2,)))
    starts = [case.normal(*shape, dtype=dtype) for shape in shapes]
    grads = [case.normal(len(takes_part), *s, mean=0.3, dtype=dtype) for s in shapes]
    options = (*draw_betas(case)[:3], eps)
    parts = np.array(takes_part)
    got = student.train_two(*starts, *grads, parts, list(options))
    for i, name in enumerate(("first_path", "second_path")):
        given = [g if part else None for g, part in zip(grads[i], parts[:, i], strict=True)]
        close(got[i], rules.adam_path(starts[i], given, options).astype(dtype), name)


@check(task="adam_class", points=3)
def moves_the_arrays_it_was_given(student, case):
    """One step for two parameters."""
    two_runs(student, case, [(1, 1)])


@check(task="adam_class", points=3)
def remembers_from_step_to_step(student, case):
    """Several steps, each with a gradient for both, in float32 and float64, eps small or not."""
    dtype = case.turn(np.float32, np.float64)
    two_runs(student, case, [(1, 1)] * 4, dtype, eps=case.turn(EPS, 0.5))


@check(task="adam_class", points=2)
def skips_what_took_no_part(student, case):
    """Steps in which one of the two has no gradient, or both."""
    turns = case.turn(
        [(1, 1), (0, 1), (1, 1), (1, 0), (1, 1)],
        [(0, 1), (1, 1), (0, 0), (1, 0), (1, 1)],
    )
    two_runs(student, case, turns)


# --- plateau -------------------------------------------------------------------------------------


def plateau_runs(student, losses, lr, factor, patience):
    """Feed losses, and compare rates and best losses."""
    bests, rates = student.watch_losses(losses, lr, factor, patience)
    want = rules.plateau([float(loss) for loss in losses], lr, factor, patience)
    close(bests, want[1], "bests")
    close(rates, np.stack([want[0], want[0]], axis=1), "rates")


@check(task="plateau", points=3)
def waits_as_long_as_it_should(student, case):
    """A loss that falls and then stays where it is: when the rate is cut, and when again."""
    patience = case.turn(2, 1, 0, 4)
    falling = np.sort(case.uniform(4, low=1.0, high=5.0))[::-1]
    losses = np.concatenate([falling, np.full(3 * patience + 5, falling[-1])])
    plateau_runs(student, losses, case.turn(0.8, 0.1), case.turn(0.5, 0.1, 0.25), patience)


@check(task="plateau", points=4)
def an_improvement_starts_anew(student, case):
    """A loss that goes up and down, with records now and then."""
    patience = case.turn(1, 2, 3, 0)
    trend = np.linspace(3.0, 2.0, 30)
    losses = trend + case.normal(30, scale=0.4)
    # Two falling losses above a record, and then a record after as long a wait as is allowed.
    losses[3 : 7 + patience] = np.linspace(9.0, 8.0, 4 + patience)
    losses[12] = 0.9
    losses[13 : 13 + patience] = 1.5
    losses[13 + patience] = 0.8
    plateau_runs(student, losses, 1.0, case.turn(0.5, 0.25), patience)


@check(task="plateau", points=1)
def a_broken_loss_is_no_improvement(student, case):
    """NaN, at the start too, is one more loss without improvement, and never becomes the best."""
    patience = case.turn(1, 2)
    losses = case.uniform(12, low=1.0, high=2.0)
    losses[[3, 4, 5, 9]] = np.nan
    losses[: case.turn(0, patience + 1)] = np.nan
    plateau_runs(student, losses, 0.5, 0.5, patience)
