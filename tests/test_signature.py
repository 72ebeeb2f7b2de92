import pytest

from minidl.grading.signature import Signatures

WANTED = ("x", "gamma", "beta", "eps")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def foward(x): pass", "there is no forward, but there is `foward` (line 1)."),
        ("\ndef Forward(x): pass", "`Forward` (line 2)"),
        ("class Net:\n    def forward(self, x): pass", "the one in line 2 stands inside"),
        ("if True:\n    def forward(x): pass", "the one in line 2 stands inside"),
    ],
)
def test_what_there_is_instead(source, words):
    finding = Signatures(source.encode()).missing("forward")
    assert words in finding.seen
    assert finding.question.endswith("?")


@pytest.mark.parametrize("source", ["def backward(x): pass", "", "def (", "x = 1"])
def test_nothing_like_it(source):
    assert Signatures(source.encode()).missing("forward") is None


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("x, gamma, beta", "takes 3 arguments (x, gamma, beta), and is called with 4 (x, gamma, b"),
        ("x, gamma, beta, eps, m", "takes 5 arguments (x, gamma, beta, eps, m), and is called"),
        ("x, beta, gamma, eps", "by position: beta receives gamma."),
    ],
)
def test_parameters_unlike_the_arguments(parameters, words):
    signatures = Signatures(f"def forward({parameters}): pass".encode())
    assert words in signatures.unlike("forward", WANTED).seen


@pytest.mark.parametrize(
    "parameters",
    [
        "x, gamma, beta, eps",
        "x, gamma, beta, eps=1e-5",
        "a, b, c, d",
        "*args",
        "x, *rest",
        "x, gamma, beta, eps, m=1",
        "x, gamma, beta, eps, *, m=1",
    ],
)
def test_parameters_that_take_what_comes(parameters):
    signatures = Signatures(f"def forward({parameters}): pass".encode())
    assert signatures.unlike("forward", WANTED) is None


def test_a_name_that_tells_of_another_quantity():
    signatures = Signatures(b"def f(dout, std): pass")
    assert signatures.misnamed("f", ("dy", "inv_std")) == (
        "Your f has a parameter std, and what comes there is inv_std."
    )
    assert signatures.misnamed("f", ("dy", "std")) == ""
