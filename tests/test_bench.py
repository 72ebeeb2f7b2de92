import io
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from minidl import cli, manual_seed
from minidl.bench import (
    accuracy,
    bars,
    command,
    peaks,
    report,
    roofline,
    run,
    sides,
    steps,
    worker,
)
from minidl.bench.libraries import Minidl
from minidl.bench.rows import CONVOLUTIONS, Convolution, Layer, Part, Row, normal, operations
from minidl.errors import ArgumentError


def side(time, spread=0.0, cpu=1.0):
    return {
        "min": time,
        "median": time * (1 + spread),
        "spread": spread,
        "cpu_per_wall": cpu,
        "samples": 9,
        "page_faults": 0,
    }


def row(name, times, kind="operation", **more):
    """A measured row; `times` are numbers, or sides."""
    found = {k: v if isinstance(v, dict) else side(v) for k, v in times.items()}
    plain = {"name": name, "part": "forward", "family": "conv2d", "kind": kind, "easy": False}
    goals = {"unit": "ms", "flops": 2e9, "bytes": 4e7, "target": None, "moonshot": None}
    return {**plain, **goals, "sides": found, **more}


def result(*rows, **more):
    facts = {
        "threads": 1,
        "rounds": 3,
        "most_rounds": 9,
        "machine": {"processor": "abacus"},
        "missing": [],
    }
    return {"format": 1, **facts, "sides": {"minidl": {"numpy": "2"}}, "rows": list(rows), **more}


PEAKS = {
    "fma_gflops": 100.0,
    "sgemm_gflops": 90.0,
    "triad_gbs": 20.0,
    "copy_gbs": 40.0,
    "read_dram_gbs": 22.0,
    "read_l3_gbs": 50.0,
    "read_l2_gbs": 90.0,
    "read_l1_gbs": 130.0,
}


# -- rows -------------------------------------------------------------------------------------


def test_rows_have_names_of_their_own_and_goals_in_order():
    rows = [*operations(), *steps.ROWS]
    assert len({r.key for r in rows}) == len(rows)
    for r in rows:
        assert r.target is None or 0 < r.moonshot <= r.target, r.key
        assert "minidl" in r.sides
        assert r.kind != "operation" or (r.flops > 0 and r.bytes > 0), r.key


def test_rows_appear_with_their_layer(monkeypatch):
    missing = Row("x", "forward", "norm", needs="NoSuchNorm")
    assert not missing.there
    monkeypatch.setattr("minidl.nn.__all__", ["NoSuchNorm"])
    assert missing.there


def test_the_work_of_a_convolution():
    forward, *_ = Convolution(2, 6, 5, 4, kernel=3, stride=2, padding=1, groups=2).rows()
    # 2 images, 4 channels, 3x3 pixels out; each from 3 channels of 3x3 pixels.
    assert forward.flops == 2 * (2 * 4 * 9) * 27
    assert forward.bytes == 4 * (2 * 6 * 25 + 2 * 4 * 9 + 4 * 27)


@pytest.mark.parametrize("part", ["forward", "input gradient", "weight gradient"])
def test_a_row_computes_what_it_says(part):
    """The gradient rows against a difference quotient along their own direction."""
    which = Convolution(2, 2, 5, 3)
    call = worker.begin(next(r for r in which.rows() if r.part == part), Minidl())
    got = call()
    if part == "forward":
        assert got.shape == (2, 3, 5, 5)
        assert got.requires_grad
    else:
        (gradient,) = got
        assert gradient.shape == ((2, 2, 5, 5) if part == "input gradient" else (3, 2, 3, 3))
        np.testing.assert_array_equal(call()[0], gradient)


def test_forward_and_backward_walks_both_ways():
    layer = Layer(
        "norm", "norm", lambda nn: nn.BatchNorm2d(3), (4, 3, 2, 2), (Part("backward", 3),)
    )
    (backward,) = layer.rows()
    dx, dgamma, dbeta = worker.begin(backward, Minidl())()
    assert dx.shape == (4, 3, 2, 2)
    assert dgamma.shape == dbeta.shape == (3,)
    assert np.abs(dx.sum(axis=(0, 2, 3))).max() < 1e-5
    assert backward.bytes == 3 * 4 * 48


def test_the_tape_on_plain_numpy_is_the_same_product():
    ours = steps.tape(False, Minidl(), np.random.default_rng(3))()

    class Bare(Minidl):
        name = "numpy"

    np.testing.assert_array_equal(ours.data, steps.tape(False, Bare(), np.random.default_rng(3))())


def test_a_training_step_trains():
    manual_seed(0)
    call = steps.training(
        lambda lib: steps.mlp(8, lib),
        steps.default_adam,
        (16, 784),
        Minidl(),
        np.random.default_rng(0),
    )
    losses = [call().item() for _ in range(90)]
    assert losses[-1] < losses[0] / 2


# -- timing -----------------------------------------------------------------------------------


def test_short_calls_are_repeated_and_samples_are_of_one_call():
    calls = []
    clocked = worker.Clocked(lambda: calls.append(sum(range(2_000))))
    assert clocked.repeat > 1
    before = len(calls)
    samples = clocked.turn(0.01)
    assert len(calls) - before == 1 + len(samples) * clocked.repeat
    # A call takes some 20 us, a sample of them a millisecond.
    assert all(0 < cpu < 5e-4 and wall > 0 for cpu, wall in samples)


def test_fresh_pages_are_counted_for_each_call(monkeypatch):
    handed = iter(range(0, 700, 70))
    monkeypatch.setattr(worker, "page_faults", lambda: next(handed))
    answers = worker.Worker.__new__(worker.Worker)
    answers.clocked = worker.Clocked(lambda: sum(range(500_000)))
    answers.turn(1e-4)
    answers.turn(1e-4)
    assert answers.drop() == 70
    assert answers.clocked is None


def test_a_call_longer_than_a_turn_runs_once():
    calls = []
    clocked = worker.Clocked(lambda: calls.append(sum(range(500_000))))
    before = len(calls)
    assert len(clocked.turn(1e-4)) == 1
    assert len(calls) == before + 1


def test_the_peak_kernel_computes_chains_of_fused_multiply_adds():
    with peaks.chains() as compiled:
        # a <- a/2 + 1/2 from 1/2: 3/4, 7/8, ...
        assert compiled(1, 0.5) == peaks.CHAINS * 0.75
        assert compiled(2, 0.5) == peaks.CHAINS * 0.875


def test_peaks_are_those_of_a_computer(monkeypatch):
    monkeypatch.setattr(peaks, "LOOPS", 20_000)
    assert 0.1 < peaks.fma() < 1000
    assert 0.1 < peaks.sgemm(128) < 1000
    assert 0.1 < peaks.read(2**14) < 5000
    assert 0.1 < peaks.triad(2**16) < 5000
    assert 0.1 < peaks.copy(2**16) < 5000


# -- worker processes -------------------------------------------------------------------------


class Echo:
    def twice(self, value):
        return 2 * value

    def fail(self):
        raise ValueError("no luck")


def test_serve_answers_each_message_and_survives_errors():
    asked = b"".join(pickle.dumps(m) for m in [("twice", 21), ("fail",), ("twice", "ab")])
    sink = io.BytesIO()
    worker.serve(io.BytesIO(asked), sink, Echo())
    sink.seek(0)
    answers = [pickle.load(sink) for _ in range(3)]
    assert answers[0] == ("ok", 42)
    assert answers[1][0] == "error"
    assert "no luck" in answers[1][1]
    assert answers[2] == ("ok", "abab")
    assert sink.read() == b""


def test_a_side_measures_complains_and_ends():
    numpy = sides.Side("numpy", 1)
    try:
        numpy.ask("prepare", "linear (128, 784) -> 512: forward")
        cpu, wall = numpy.ask("turn", 0.001)[0]
        assert 0 < cpu < 1
        assert wall > 0
        assert numpy.ask("drop") >= 0
        facts = numpy.ask("facts")
        assert facts["numpy"] == np.__version__
        assert {v for k, v in facts.items() if "openblas" in k} <= {"1 thread(s)"}
        with pytest.raises(sides.BenchError, match=r"numpy failed at prepare.*\n[^$]*KeyError"):
            numpy.ask("prepare", "no such row")
        numpy.process.kill()
        numpy.process.wait()
        with pytest.raises(sides.BenchError, match="numpy: expected an answer to drop, got its"):
            numpy.ask("drop")
    finally:
        numpy.close()
    assert numpy.process.poll() is not None


def test_each_side_allocates_as_it_should(monkeypatch):
    monkeypatch.setenv("MINIDL_ALLOCATOR", "off")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=3")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert sides.environment("torch_kept", 2)["GLIBC_TUNABLES"] == sides.KEEP
    for name in ("minidl", "torch", "numpy"):
        env = sides.environment(name, 2)
        assert "GLIBC_TUNABLES" not in env
        assert env.get("MINIDL_ALLOCATOR") == (None if name == "minidl" else "off")
        assert env["OMP_NUM_THREADS"] == env["OPENBLAS_NUM_THREADS"] == "2"


def test_what_is_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(sides, "installed", lambda name: name in ("minidl", "numpy"))
    assert sides.present() == ["minidl", "numpy"]
    torch = sides.absent()[1]
    assert torch.startswith(
        "bench: expected torch, it is not installed; pip install 'minidl[peers]'"
    )


# -- what is made of the numbers --------------------------------------------------------------


def test_bars_are_geometric_means_and_the_worst():
    found = result(
        row("a", {"minidl": 1, "torch": 4, "torch_kept": 2}),
        row("b", {"minidl": 9, "torch": 4, "torch_kept": 4.5}),
        row("c", {"minidl": 1, "torch": 100, "torch_kept": 100}, easy=True),
        row("net", {"minidl": 3, "torch": 4}, kind="step", target=0.8, moonshot=0.5),
        row("last", {"minidl": 3, "torch_last": 2}, kind="step", target=0.98, moonshot=0.6),
    )
    mean, hard, worst, net, last = bars.bars(found)
    assert mean.value == pytest.approx((1 / 4 * 9 / 4 / 100) ** (1 / 3))
    assert hard.value == pytest.approx((1 / 2 * 9 / 4.5) ** (1 / 2))
    assert worst.value == 9 / 4
    assert worst.name.endswith(": b, forward")
    assert (net.value, net.met) == (0.75, "met")
    assert (last.value, last.met) == (1.5, "**missed**")
    assert bars.Bar("x", 0.1, 0.4, 0.2).met == "moonshot"


def test_without_pytorch_bars_are_not_measured():
    found = result(row("a", {"minidl": 1, "numpy": 2}))
    assert [bar.met for bar in bars.bars(found)] == ["not measured"] * 3


def test_accuracy_is_a_bar_too():
    errors = {"minidl": [1e-6, 3e-6, 8e-6], "torch": [2e-6, 6e-6, 4e-6]}
    flips = {"minidl": [2.0, 3.0], "torch": [3.0, 2.0]}
    found = result(accuracy={"resnet20": errors, "flips": flips, "convolutions": {}})
    median, mean, relus = list(bars.bars(found))[-3:]
    assert median.value == pytest.approx(0.75)
    assert mean.value == pytest.approx(1.0)
    assert relus.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"minidl": 1.0, "torch": 2.0}, False),
        ({"minidl": 3.0, "torch": 6.0}, False),  # a slower machine
        ({"minidl": 1.09, "torch": 2.0}, False),  # within 10 %
        ({"minidl": 1.2, "torch": 2.0}, True),
        ({"minidl": side(1.2, spread=0.3), "torch": 2.0}, False),  # within the spread
        ({"minidl": side(1.5, spread=0.3), "torch": 2.0}, True),
        ({"minidl": 1.2, "torch": 2.0, "torch_kept": 9.0}, True),  # not there before
    ],
)
def test_slower_is_beyond_noise_and_relative_to_the_yardstick(now, said):
    before = result(row("a", {"minidl": 1.0, "torch": 2.0}), row("gone", {"minidl": 1}))
    lines = bars.slower(result(row("a", now), row("new", {"minidl": 1})), before)
    assert len(lines) == said
    assert all("a: forward" in text and "torch" in text for text in lines)


def test_more_threads_than_set_are_noticed_and_waiting_is_counted():
    found = result(
        row("a", {"minidl": 1, "torch": side(1, cpu=1.9)}),
        row("b", {"minidl": side(1, cpu=0.5), "torch": 1}),
    )
    (complaint,) = run.too_many_threads(found)
    assert "a: forward: torch used 1.90" in complaint
    assert run.waited(found) == 1
    assert not list(run.too_many_threads({**found, "threads": 2}))
    text = report.markdown(found)
    assert "Not to be trusted" in text
    assert "In 1 of 2 rows" in text


def test_the_summary_is_processor_time_on_one_thread_and_wall_time_on_more():
    samples = [(0.002, 0.004), (0.001, 0.006), (0.003, 0.002)]
    plain = Row("x", "forward", "linear")
    one = run._summary(samples, plain, run.Plan(1), 5)
    assert (one["min"], one["median"], one["page_faults"]) == (1.0, 2.0, 5)
    assert one["cpu_per_wall"] == pytest.approx(0.5)
    assert run._summary(samples, plain, run.Plan(2), 0)["min"] == 2.0
    tape = Row("x", "forward", "tape", kind="tape", calls=100)
    assert run._summary(samples, tape, run.Plan(1), 0)["min"] == pytest.approx(10.0)


def test_bars_on_several_threads_are_for_information():
    found = result(row("a", {"minidl": 1, "torch": 2}))
    said = ["set for one thread" in report.markdown({**found, "threads": n}) for n in (1, 2)]
    assert said == [False, True]


def test_sides_rest_between_turns_where_the_threads_of_one_may_spin_on(monkeypatch):
    class Quiet:
        def ask(self, what, *arguments):
            return [(1.0, 1.0)] if what == "turn" else 0.0

    slept = []
    monkeypatch.setattr(run.time, "sleep", slept.append)
    first = next(r for r in run.operations() if r.there)
    for threads in (1, 2):
        run._row(first, {"minidl": Quiet()}, run.Plan(threads, rounds=2, most=2), lambda text: None)
    assert slept == [0, 0, run.REST, run.REST]


def test_minidl_and_pytorch_go_on_while_their_minima_fall():
    class Side:
        def __init__(self, *times):
            self.times, self.turns = times, 0

        def ask(self, what, *arguments):
            if what != "turn":
                return 0.0
            self.turns += 1
            time = self.times[min(self.turns, len(self.times)) - 1]
            return [(2 * time, 2 * time), (time, time)]

    def turns(*race, **plan):
        sides = {"minidl": race[0], "torch": race[1], "numpy": Side(*range(90, 1, -1))}
        found = run._row(first, sides, run.Plan(**plan), lambda text: None)
        return [side.turns for side in sides.values()], found["sides"]["torch"]

    first = next(r for r in run.operations() if r.there)
    assert turns(Side(2.0), Side(3.0))[0] == [7, 7, 7]
    played, found = turns(Side(2.0), Side(*[3.0] * 5, 2.5))
    assert (played, found["min"], found["samples"]) == ([11, 11, 7], 2500.0, 22)
    assert turns(Side(2.0), Side(*[3.0] * 5, 2.99))[0] == [7, 7, 7]
    assert turns(Side(*range(90, 1, -1)), Side(2.0))[0] == [28, 28, 7]
    assert turns(Side(*range(90, 1, -1)), Side(2.0), rounds=3, most=3)[0] == [3, 3, 3]


def test_the_report_says_what_was_measured():
    times = {"minidl": side(2.0, 0.1), "torch": 4.0, "torch_kept": 2.5, "numpy": 8.0}
    tape = {"minidl": 1.5, "torch": 2.0, "numpy": 0.5}
    found = result(
        row("conv", times, target=0.4, moonshot=0.3),
        row("tape", tape, kind="tape", unit="us", flops=0, bytes=0),
        peaks=PEAKS,
        missing=["LSTM: forward"],
        accuracy={
            "convolutions": {"minidl": {"conv": [1e-7, 2e-7, 3e-7]}},
            "resnet20": {"minidl": [1e-6, 2e-6]},
            "flips": {"minidl": [2.5, 3.0]},
        },
    )
    text = report.markdown(found)
    head = (
        "| conv, forward | 2.00 (2.20) | 4.00 (4.00) | 2.50 (2.50) | 8.00 (8.00) | **0.50** | 0.80 "
    )
    assert head + "| 0.25 | 0.4 (0.3) | 10% | 1000.0 | 20.0 |" in text
    assert "1.50 us gross, 1.00 us net of NumPy's own 0.50 us" in text
    assert "| conv | 1.0e-07 / 2.0e-07 / 3.0e-07 |" in text
    assert "| minidl | 1.5e-06 | 1.5e-06 | 2.0e-06 | 2.75 |" in text
    assert "- LSTM: forward" in text
    assert "| fused multiply-add on registers | 100 GF/s |" in text
    assert "| conv, forward | 2.00 | 1.60 | 1.00 | 20.0 |" in text
    found["rows"][0]["target"] = 0.5
    assert "Targets that are missed" not in report.markdown(found)


def test_the_report_says_where_minidl_is_behind():
    found = result(
        row("ahead", {"minidl": 1, "torch": 2, "torch_kept": 1.5}),
        row("pages", {"minidl": 3, "torch": 6, "torch_kept": 2}),
        row("worst", {"minidl": 4, "torch": 2, "torch_kept": 2}),
        row("layout", {"minidl": 11, "torch_last": 10}),
        row("alone", {"minidl": 11, "numpy": 10}),
    )
    text = (
        report.markdown(found).partition("## Where minidl is behind")[2].partition("The reasons")[0]
    )
    assert text.split("\n- ")[1:] == [
        "worst, forward: 2.00, 2.00 with pages kept",
        "pages, forward: 0.50, 1.50 with pages kept",
        "layout, forward: 1.10\n\n",
    ]
    assert "Nowhere." in report.markdown(result(row("ahead", {"minidl": 1, "torch": 2})))


def test_the_roofline_is_a_picture(tmp_path):
    rows = [
        row("conv", {"minidl": 30, "torch": 40}),
        row("norm", {"minidl": 1}, family="norm", flops=1e6, bytes=4e6),
        row("relu", {"minidl": 1, "torch": 2}, family="activation", flops=1e6, bytes=8e6),
    ]
    roofline.draw(result(*rows, peaks=PEAKS), tmp_path / "new" / "r.png")
    assert (tmp_path / "new" / "r.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["r.png"]


# -- accuracy ---------------------------------------------------------------------------------


def test_errors_are_relative_to_float64():
    which = Convolution(2, 3, 6, 4)
    exact = accuracy.convolution(Minidl(), which, "float64")
    got = accuracy.convolution(Minidl(), which, "float32")
    assert [a.dtype for a in (*exact, *got)] == [np.float64] * 3 + [np.float32] * 3
    for a, b in zip(got, exact, strict=True):
        assert 0 < np.abs(a - b).max() < 1e-5 * np.abs(b).max()


def test_distance_of_gradients():
    exact = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    got = {"a": np.array([3.0, 0.3]), "b": np.array([[3.6]])}
    assert accuracy.apart(got, exact) == pytest.approx(0.1)


def test_relus_that_may_flip_are_counted_without_luck():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(1_000_000)
    error = 1e-4 * rng.standard_normal(x.size)
    got = np.maximum(x + error, 0)
    expected = accuracy.flips({"a": got}, {"a": np.maximum(x, 0)})
    # A normal density of 0.4 at zero, an error of sqrt(2 / pi) of its deviation on average.
    assert expected == pytest.approx(1e6 * 0.399 * 1e-4 * np.sqrt(2 / np.pi), rel=0.03)
    assert expected == pytest.approx(np.count_nonzero((x > 0) != (got > 0)), rel=0.6)
    assert accuracy.flips({"a": np.maximum(x, 0)}, {"a": np.maximum(x, 0)}) == 0


def test_each_relu_of_the_network_is_watched():
    found = accuracy.resnet(Minidl(), 0, "float32", precise=False)
    blocks = {f"layer{g}.{b}" for g in (1, 2, 3) for b in range(3)}
    assert set(found.relus) == blocks | {f"{block}.bn1" for block in blocks} | {"bn1"}
    assert all((y >= 0).all() and (y > 0).any() for y in found.relus.values())


def test_two_networks_that_differ_are_an_error():
    exact = accuracy.Network({"a": np.ones(3)}, {})
    run._same_network(accuracy.Network({"a": np.ones(3) + 1e-9}, {}), exact)
    with pytest.raises(sides.BenchError, match=r"agree to 1e-6, got 1\.0e-03 apart"):
        run._same_network(accuracy.Network({"a": np.ones(3) * 1.001}, {}), exact)
    with pytest.raises(sides.BenchError, match="nan apart"):
        run._same_network(accuracy.Network({"a": np.full(3, np.nan)}, {}), exact)


# -- the command ------------------------------------------------------------------------------


def bench(*words):
    return CliRunner().invoke(cli.main, ["bench", *map(str, words)], prog_name="minidl")


@pytest.fixture
def alone(monkeypatch):
    """minidl and NumPy, as if nothing else were installed."""
    monkeypatch.setattr(sides, "installed", lambda name: name in ("minidl", "numpy"))


def test_the_command_measures_writes_and_compares(tmp_path, alone):
    done = bench("--quick", "--only", "linear", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert "pip install 'minidl[peers]'" in done.output
    assert {p.name for p in tmp_path.iterdir()} == {"pytorch.md", "pytorch.json"}
    found = json.loads((tmp_path / "pytorch.json").read_text())
    assert [r["name"] for r in found["rows"]] == ["linear (128, 784) -> 512"]
    assert set(found["rows"][0]["sides"]) == {"minidl", "numpy"}
    assert found["rows"][0]["sides"]["minidl"]["samples"] >= 3
    for times in found["rows"][0]["sides"].values():
        times["min"] = times["median"] = times["min"] * (0.01 if times is found else 1)
    found["rows"][0]["sides"]["minidl"].update(min=1e-9, median=1e-9, spread=0)
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(found))
    again = bench("--quick", "--only", "linear", "--against", earlier)
    assert again.exit_code == 1
    assert "slower: linear (128, 784) -> 512: forward" in again.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "no such row"], "expected --only to fit a row, got 'no such row'"),
        (["--against", "nowhere.json"], "expected results in nowhere.json"),
        (["--against", __file__], "expected results in"),
        (["--threads", "0"], "0 is not in the range"),
        (["--threads", str(10**20)], "is not in the range"),
        (["--only", "tape", "--output", f"{__file__}/x"], "test_bench.py/x to write to, got"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(words, said, alone, monkeypatch):
    monkeypatch.setattr(command, "measure", lambda *_: pytest.fail("nothing is to be measured"))
    done = bench(*words)
    assert done.exit_code == 2
    assert said in done.output


SIDE = {"min": 1.0, "median": 1.0, "spread": 0.1}
TAPE = {"name": "tape, product of 8 floats", "part": "forward", "sides": {"minidl": SIDE}}


@pytest.mark.parametrize(
    "found",
    [
        {"format": 7, "rows": []},
        {"format": 1},
        {"format": 1, "rows": 3},
        {"format": 1, "rows": [{"name": "x"}]},
        {"format": 1, "rows": [TAPE | {"part": 3}]},
        {"format": 1, "rows": [TAPE | {"sides": {"numpy": SIDE}}]},
        {"format": 1, "rows": [TAPE | {"sides": {"minidl": SIDE | {"min": 0}}}]},
        {"format": 1, "rows": [TAPE | {"sides": {"minidl": {"min": 1.0, "median": 1.0}}}]},
        {"format": 1, "rows": [TAPE | {"sides": []}]},
        [],
        None,
    ],
)
def test_results_of_something_else_are_refused(tmp_path, found):
    (tmp_path / "x.json").write_text(json.dumps(found))
    with pytest.raises(ArgumentError, match="as `minidl bench` wrote it"):
        run.read(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"threads": 2}, "of a run on 1 thread(s), got 2; add --threads 2"),
        ({"rows": [TAPE | {"name": "another"}]}, "with rows of this run, got none of them"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(
    tmp_path, monkeypatch, changed, said
):
    monkeypatch.setattr(command, "measure", lambda *_: pytest.fail("nothing is to be measured"))
    (tmp_path / "x.json").write_text(json.dumps({"format": 1, "threads": 1, "rows": [TAPE]}))
    assert run.read(tmp_path / "x.json")["rows"] == [TAPE]
    (tmp_path / "x.json").write_text(
        json.dumps({"format": 1, "threads": 1, "rows": [TAPE]} | changed)
    )
    done = bench("--only", "tape", "--against", tmp_path / "x.json")
    assert done.exit_code == 2
    assert said in done.output


def test_files_are_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "out" / "a.md"
    run.write(path, "old")

    def full(self, content):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        run.write(path, "new")
    assert path.read_text() == "old"


def test_benchmarking_imports_no_peer():
    assert not {"torch", "dezero"} & set(sys.modules)
    assert len(CONVOLUTIONS) == 10
    assert normal(2, 3)(np.random.default_rng(0)).dtype == np.float32
