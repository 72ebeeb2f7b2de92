"""Ensembles: averages of probabilities, members from several runs or one, what they are worth."""

import signal

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import data, nn, optim
from minidl.errors import ArgumentError, DTypeError
from minidl.gradcheck import gradcheck
from minidl.models import MLP
from minidl.train import (
    Callback,
    Checkpoint,
    Ensemble,
    Snapshots,
    compare_with_random_pick,
    evaluate,
    fit,
    fit_ensemble,
    predict,
)


def digits(start=0, stop=400):
    images, labels = data.digits()
    return images[start:stop].reshape(-1, 64), labels[start:stop]


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def members(count=3):
    return [MLP([64, 8, 10], rng=np.random.default_rng(i)) for i in range(count)]


def test_the_average_is_that_of_probabilities():
    models, (x, y) = members(), digits(0, 20)
    for model in models:
        model[2].weight.data *= 20  # far from equal
    ensemble = Ensemble(models)
    mean = np.mean([softmax(model(Tensor(x)).data.astype(np.float64)) for model in models], axis=0)
    np.testing.assert_allclose(softmax(ensemble(Tensor(x)).data), mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.exp(ensemble(Tensor(x)).data), mean, rtol=1e-4, atol=1e-6)
    score = evaluate(ensemble, (x, y))
    assert score.loss == pytest.approx(-np.log(mean[np.arange(20), y]).mean(), rel=1e-5)
    assert score.accuracy == np.mean(mean.argmax(1) == y)


def test_extreme_logits_do_not_overflow_and_one_member_is_itself():
    class Fixed(nn.Module):
        def forward(self, x):
            return Tensor(np.array([[1000.0, -1000.0]], np.float32))

    out = Ensemble([Fixed(), Fixed()])(Tensor([0.0])).data
    assert out.tolist() == [[0.0, -2000.0]]
    x = Tensor(digits(0, 4)[0])
    (model,) = members(1)
    one = Ensemble([model])
    np.testing.assert_allclose(softmax(one(x).data), softmax(model(x).data), rtol=1e-5)
    assert len(one) == 1


def test_outputs_are_averaged_for_regression():
    models, x = members(), digits(0, 5)[0]
    mean = np.mean([predict(model, x) for model in models], axis=0)
    np.testing.assert_allclose(predict(Ensemble(models, "outputs"), x), mean, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("average", ["probabilities", "outputs"])
def test_gradients_reach_every_member(average):
    rng = np.random.default_rng(0)
    layers = [nn.Linear(3, 4, rng=rng).double() for _ in range(2)]
    ensemble = Ensemble(layers, average)
    gradcheck(ensemble, [rng.normal(size=(5, 3))])
    (ensemble(Tensor(rng.normal(size=(5, 3)))) * Tensor(rng.normal(size=(5, 4)))).sum().backward()
    assert all(np.abs(p.grad).min() > 0 for p in ensemble.parameters())


def test_members_differ_in_their_random_numbers_alone():
    options = {"epochs": 2, "lr": 0.01, "progress": False}
    minidl.manual_seed(5)
    state = minidl.random.generator().bit_generator.state
    ensemble = fit_ensemble(lambda: MLP([64, 16, 10]), digits(), 3, seed=1, **options)
    assert minidl.random.generator().bit_generator.state == state
    minidl.manual_seed(6)
    again = fit_ensemble(lambda: MLP([64, 16, 10]), digits(), 3, seed=1, **options)
    other = fit_ensemble(lambda: MLP([64, 16, 10]), digits(), 1, seed=2, **options)
    weights = [member[0].weight.data for member in ensemble.members]
    for mine, theirs in zip(weights, again.members, strict=True):
        assert np.array_equal(mine, theirs[0].weight.data)
    different = [*weights, other.members[0][0].weight.data]
    assert len({array.tobytes() for array in different}) == 4
    assert evaluate(ensemble, digits(400, 600)).accuracy > 0.7


def test_bagging_draws_as_many_samples_with_replacement():
    x = np.arange(200, dtype=np.float32)[:, None]
    seen = []

    class Watch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)
            seen.append([])

        def forward(self, x):
            seen[-1].extend(x.data[:, 0].tolist())
            return self.layer(x * 0.01)

    def loss(outputs, targets):
        return ((outputs - targets) ** 2).mean()

    fit_ensemble(Watch, x, 3, bagging=True, epochs=1, loss=loss, lr=1e-4, progress=False)
    assert [len(rows) for rows in seen] == [200] * 3
    for rows in seen:
        # 1 - 1/e of 200 are 126; five standard deviations of about 4.4 either way.
        assert 104 < len(set(rows)) < 149
    assert sorted(seen[0]) != sorted(seen[1])


def test_an_interrupt_ends_all_of_it():
    class Press(Callback):
        def on_step_end(self, trainer):
            signal.raise_signal(signal.SIGINT)

    built = []

    def build():
        built.append(MLP([64, 10]))
        return built[-1]

    with pytest.raises(KeyboardInterrupt):
        fit_ensemble(build, digits(), 3, epochs=1, callbacks=[Press()])
    assert len(built) == 1


# -- snapshots ----------------------------------------------------------------------------------


class Rates(Callback):
    """Notes the rate with which each step is taken."""

    def __init__(self):
        self.seen = []

    def on_train_begin(self, trainer):
        self.note(trainer)

    def on_step_end(self, trainer):
        self.note(trainer)

    def note(self, trainer):
        self.seen.append([group["lr"] for group in trainer.optimizer.param_groups])


def test_rates_follow_the_papers_formula():
    model, rates, snapshots = MLP([64, 8, 10]), Rates(), Snapshots(3)
    groups = [{"params": [p], "lr": 0.1 * (i + 1)} for i, p in enumerate(model.parameters())]
    optimizer = optim.SGD(groups)
    loader = data.DataLoader(*digits(0, 80), batch_size=20)
    callbacks = [snapshots, rates]
    fit(model, loader, epochs=5, optimizer=optimizer, callbacks=callbacks, progress=False)
    total, cycles = 20, 3
    n = int(np.ceil(total / cycles))
    wanted = [0.5 * (np.cos(np.pi * ((t - 1) % n) / n) + 1) for t in range(1, total + 1)]
    for group in range(4):
        got = [row[group] for row in rates.seen[:-1]]
        assert got == pytest.approx([0.1 * (group + 1) * share for share in wanted])
    assert len(snapshots.states) == 3
    last = snapshots.ensemble(model, last=1).members[0]
    assert np.array_equal(last[0].weight.data, model[0].weight.data)


def test_snapshots_make_an_ensemble_and_survive_a_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"

    def run(epochs_first):
        minidl.manual_seed(0)
        model, snapshots = MLP([64, 16, 10]), Snapshots(4)

        class Halt(Callback):
            def on_epoch_end(self, trainer):
                if trainer.epoch == epochs_first:
                    raise RuntimeError("halt")

        callbacks = [snapshots, Checkpoint(path, resume=True), Halt()]
        optimizer = optim.SGD(model.parameters(), lr=0.5)
        options = {"epochs": 8, "callbacks": callbacks, "progress": False}
        fit(model, digits(), optimizer=optimizer, **options)
        return model, snapshots

    model, snapshots = run(None)
    path.unlink()
    with pytest.raises(RuntimeError, match="halt"):
        run(6)
    _, resumed = run(None)
    assert len(snapshots.states) == len(resumed.states) == 4
    for mine, theirs in zip(snapshots.states, resumed.states, strict=True):
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    ensemble = snapshots.ensemble(model)
    held = digits(400, 800)
    alone = [evaluate(member, held).loss for member in ensemble.members]
    assert len(set(alone)) == 4
    assert evaluate(ensemble, held).loss < np.mean(alone)  # Jensen: always


# -- what an average is worth -------------------------------------------------------------------


def test_a_random_pick_errs_by_the_average_and_the_variance_between_members():
    """The identity to rounding, and each of its terms by a plain loop."""
    models, (x, y) = members(4), digits(0, 30)
    worth = compare_with_random_pick(Ensemble(models), (x, y), batch_size=7)
    assert worth.picked == pytest.approx(worth.averaged + worth.between, rel=1e-12)
    probabilities = [softmax(model(Tensor(x)).data.astype(np.float64)) for model in models]
    right = np.eye(10)[y]
    errors = [((p - right) ** 2).sum(1).mean() for p in probabilities]
    assert worth.picked == pytest.approx(np.mean(errors), rel=1e-6)
    mean = np.mean(probabilities, axis=0)
    assert worth.averaged == pytest.approx(((mean - right) ** 2).sum(1).mean(), rel=1e-6)
    assert worth.between > 0


def test_the_same_for_regression():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    models = [nn.Linear(3, 2, rng=np.random.default_rng(i)).double() for i in range(3)]
    worth = compare_with_random_pick(models, (x, y))
    assert worth.picked == pytest.approx(worth.averaged + worth.between, rel=1e-12)
    errors = [((model(Tensor(x)).data - y) ** 2).sum(1).mean() for model in models]
    assert worth.picked == pytest.approx(np.mean(errors), rel=1e-12)
    alike = compare_with_random_pick([models[0]] * 3, (x, y))
    assert alike.between == pytest.approx(0, abs=1e-25)
    assert alike.picked == pytest.approx(alike.averaged)


# -- bad input ----------------------------------------------------------------------------------


def test_bad_input():
    class Plain:
        def step(self):
            """Do nothing."""

        zero_grad = step

    model, pair = MLP([64, 10]), digits(0, 32)
    for call, error, words in [
        (lambda: Ensemble([]), ArgumentError, "Ensemble: expected at least one model, got none"),
        (lambda: Ensemble([model], "votes"), ArgumentError, "or \"outputs\", got 'votes'"),
        (lambda: Ensemble([3]), DTypeError, "expected modules, got int"),
        (lambda: fit_ensemble(MLP, pair, 0), ArgumentError, "members as an integer of at least 1"),
        (lambda: Snapshots(0), ArgumentError, "cycles as an integer of at least 1"),
        (lambda: Snapshots().ensemble(model), ArgumentError, "at least 1 snapshots, got 0; train"),
        (lambda: compare_with_random_pick([], pair), ArgumentError, "at least one model"),
        (
            lambda: fit(model, pair, epochs=2, callbacks=[Snapshots(5)]),
            ArgumentError,
            "at least 5 steps, got 2; train longer",
        ),
        (
            lambda: fit(model, pair, epochs=9, callbacks=[Snapshots(5)], optimizer=Plain()),
            DTypeError,
            "an optimizer of minidl.optim, got Plain",
        ),
    ]:
        with pytest.raises(error, match=words):
            call()
