"""docs/theano.md: each row of its tables, and its programs, against NumPy and SciPy."""

import inspect
import os
import pickle
import re
import sys
import time
import timeit
import warnings
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytensor
import pytest
import scipy.signal
from conftest import REPOSITORY
from pytensor.compile.mode import Mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.link.numba import NumbaLinker
from scipy.special import expit, log_softmax, softmax

import logistic_sgd
from utils import tile_raster_images

pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")

PAGE = (REPOSITORY / "docs" / "theano.md").read_text("utf-8")
PRELUDE, *PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

random = np.random.default_rng(7)
X, Z = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[4.0, 1.0], [-1.0, 2.0]])
P, TARGETS = np.array([[0.2, 0.8], [0.7, 0.3]]), np.array([[0.0, 1.0], [0.4, 0.6]])
V, Y = np.array([1.0, -2.0, 3.0]), np.array([1, 0])
A, B = random.normal(size=(4, 2, 3)), random.normal(size=(4, 3, 5))
IMAGES, FILTERS = random.normal(size=(2, 3, 8, 8)), random.normal(size=(4, 3, 3, 3))
VALUES = dict(x=X, z=Z, p=P, t=TARGETS, v=V, s=-3.0, y=Y.astype("int32"), a=A, b=B)
VALUES |= dict(images=IMAGES, filters=FILTERS)

# A third dimension, valid, with the filters turned round there, adds up the channels.
CONVOLVED = [
    [scipy.signal.convolve(image, f[::-1], "valid")[0] for f in FILTERS]
    for image in IMAGES
]
CORNERS = [IMAGES[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]


def draw(method, *arguments, **named):
    return getattr(np.random.default_rng(1), method)(*arguments, **named)


def starts_like_numpy(rng):
    return rng.get_value().random() == draw("random")


# How code ends whose name is not there, and code that is to go.
GONE = AttributeError, ModuleNotFoundError
WARNS = DeprecationWarning, FutureWarning
BATCHED_DOT = FutureWarning if pytensor.__version__.startswith("3.0.") else GONE

# The code in the first column -> what its replacement, or otherwise the code itself,
# gives: a value, a function that judges it, or an error. A pair begins with how the old
# code ends where it is not GONE.
CHECKS = {
    "T.nnet.softmax(x)": softmax(X, axis=1),
    "T.nnet.sigmoid(x)": expit(X),
    "T.nnet.hard_sigmoid(x)": [[0.7, 0.1], [0.6, 1.0]],
    "T.nnet.relu(x, 0.1)": [[1, -0.2], [0.5, 3]],
    "T.nnet.softplus(x)": np.log1p(np.exp(X)),
    "T.nnet.categorical_crossentropy(p, y)": -np.log([0.8, 0.7]),
    "T.nnet.categorical_crossentropy(p, t)": -np.log([0.8, 0.7**0.4 * 0.3**0.6]),
    "T.nnet.binary_crossentropy(p, t)": -np.log([[0.8] * 2, [0.7**0.4 * 0.3**0.6] * 2]),
    "T.nnet.crossentropy_softmax_1hot(x, y)[0]": -log_softmax(X, axis=1)[[0, 1], Y],
    "T.nnet.conv2d(images, filters)": CONVOLVED,
    "T.signal.pool.pool_2d(images, (2, 2))": np.max(CORNERS, axis=0),
    "T.inv(x)": [[1, -0.5], [2, 1 / 3]],
    "T.abs_(x)": [[1, 2], [0.5, 3]],
    "T.batched_dot(a, b)": (BATCHED_DOT, A @ B),
    # Where something else has imported the old module, it warns.
    "T.nlinalg.matrix_inverse(x)": ((*GONE, *WARNS), [[0.75, 0.5], [-0.125, 0.25]]),
    "T.addbroadcast(w, 1) * x": X,
    "T.patternbroadcast(w, (False, True)) * x": X,
    "theano.shared(np.ones((2, 1)), broadcastable=(False, True)) * x": (WARNS, X),
    "theano.clone(x ** 2, replace={x: z})": Z**2,
    "T.verify_grad(T.tanh, [np.ones(2)], rng=np.random)": None,
    "theano.ifelse.ifelse(s > 0, s, -s)": 3.0,
    "theano.pp(x + 1)": "(x + 1)",
    "theano.function([x, theano.Param(s, default=2.0)], s * x)([[3]])": [[6]],
    "theano.function([x, theano.In(s, value=2.0)], s * x)([[3]])": (ValueError, [[6]]),
    "theano.scan(lambda i, sum: sum + i, v, T.zeros(()))": (WARNS, [1, -1, 2]),
    "theano.function([s], 2 * s, no_default_updates=True)(3.0)": (WARNS, 6.0),
    "T.shared_randomstreams.RandomStreams(1)": starts_like_numpy,
    "theano.sandbox.rng_mrg.MRG_RandomStreams(1)": starts_like_numpy,
    "T.random.RandomStream(1).uniform(size=(3,))": (WARNS, draw("uniform", size=3)),
    'rng.binomial(size=x.shape, n=1, p=0.5, dtype="float64")': (
        ValueError, draw("binomial", 1, 0.5, size=(2, 2)),
    ),
    "rng.random_integers(size=(9,), low=0, high=5)": draw("integers", 0, 6, size=9),
    "rng.multinomial(n=1, pvals=[0.2, 0.8])": (
        TypeError, draw("multinomial", 1, [0.2, 0.8]),
    ),
    "theano.scan(T.random.RandomStream(1).uniform, n_steps=3)": (
        WARNS, draw("uniform", size=3),
    ),
    "rng.normal((3,), 5.0, 0.1)": (TypeError, draw("normal", 5.0, 0.1, size=3)),
    "theano.config.blas.ldflags": lambda flags: isinstance(flags, str),
    "theano.config.device": 6.0 if find_spec("jax") else ModuleNotFoundError,
    "theano.config.compute_test_value": [[9.0]],
    'theano.config.optimizer = "fast_compile"': (
        Exception, lambda _: pytensor.config.mode == "FAST_COMPILE",
    ),
    'theano.function([s], 2 * s, mode="PROFILE_MODE")(3.0)': (ValueError, "name"),
    "T.special.softmax(x)": np.exp(X) / np.exp(X).sum(),
    "bool(w)": TypeError,
    "x == z": False,
    "bool(x > z)": TypeError,
    'pytensor.config.device = "cuda"': None,
    "rng.normal(size=(100,), avg=5.0, std=0.1)[1]": draw("normal", 0, 1, size=100),
    'pytensor.compile.get_mode("FAST_RUN").linker': (
        lambda linker: isinstance(linker, NumbaLinker)
    ),
    'print "epoch", 1': (SyntaxError, None),
    'print >> sys.stderr, "done"': (TypeError, None),
    "xrange(50000 / 600)": (NameError, range(83)),
    "import cPickle": None,
    'pickle.dump([1], open(os.devnull, "w"))': (TypeError, None),
    '{"W": 1}.iteritems()': lambda items: list(items) == [("W", 1)],
    "import urllib; urllib.urlretrieve": None,
    "time.clock()": lambda seconds: seconds > 0,
    "np.asarray([1], dtype=np.float)": [1.0],
}  # fmt: skip

TABLES, LESSON = PAGE.split("## What was in logistic_sgd.py")
CODES = re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)` \|)?", TABLES, re.MULTILINE)


@pytest.fixture(autouse=True)
def settings():
    """Python runs the graphs, which are not compiled; what a row sets is set back."""
    mode = Mode("py", "fast_compile")
    with pytensor.config.change_flags(mode=mode, floatX="float64"):
        yield
    vars(pytensor.config).pop("device", None)


def evaluate(code):
    """The value of a row's code, or of the graph that it builds; warns of nothing."""
    namespace = dict(os=os, pickle=pickle, sys=sys, time=time, timeit=timeit)
    exec(PRELUDE, namespace)
    with warnings.catch_warnings():
        for category in WARNS:
            warnings.simplefilter("error", category)
        try:
            result = eval(compile(code, "docs/theano.md", "eval"), namespace)
        except SyntaxError:
            result = exec(compile(code, "docs/theano.md", "exec"), namespace)
    if not isinstance(result, Variable) or isinstance(result, SharedVariable):
        return result
    inputs = [namespace[name] for name in VALUES]
    function = pytensor.function(inputs, result, on_unused_input="ignore")
    return function(*VALUES.values())


def check(code, expected):
    if inspect.isclass(expected) or isinstance(expected, tuple):
        with pytest.raises(expected):
            evaluate(code)
    elif callable(expected):
        assert expected(evaluate(code))
    else:
        value = np.array(expected) if isinstance(expected, list) else expected
        assert evaluate(code) == pytest.approx(value)


def test_each_row_has_its_check():
    assert [first for first, _ in CODES] == list(CHECKS)
    assert len(CODES) == len(re.findall("^[|] `", TABLES, re.MULTILINE))


@pytest.mark.parametrize("first, replacement", CODES)
def test_row(first, replacement):
    expected = CHECKS[first]
    if replacement:
        if not isinstance(expected, tuple):
            expected = GONE, expected
        ends, expected = expected
        check(first.replace("theano", "pytensor"), ends)
    check(replacement or first, expected)


def test_what_is_as_it_was_runs():
    start = TABLES.index("Of what old scripts use")
    codes = re.findall("`([^`]+)`", TABLES[start : TABLES.index("##", start)])
    assert len(codes) > 20
    for code in codes:
        evaluate(code)


def test_flags(run):
    """Only the old flags without a section are still known."""
    flags = "device=cuda,blas.ldflags=-lx,gcc__cxxflags=-O1,floatX=float32"
    program = "from pytensor import config; print(config.floatX, config.gcc__cxxflags)"
    shown = run("-c", program, environment={"PYTENSOR_FLAGS": flags})
    assert shown.stdout == "float32 -O1\n"
    unknown = re.findall(r"this flag: ([\w.]+)$", shown.stderr, re.MULTILINE)
    assert unknown == ["device", "blas.ldflags"]


def test_names_of_the_first_lesson_are_there():
    names = re.findall(r"`(logistic_\w+)\.(\w{3,})`", LESSON)
    assert len(names) == 4
    for module, name in names:
        assert callable(getattr(import_module(module), name))
    for name, parameters in re.findall(r"^\| `(\w+)\((.*?)\)`", LESSON, re.MULTILINE):
        given = inspect.signature(getattr(logistic_sgd, name)).parameters.values()
        required = [p.name for p in given if p.default is p.empty]
        assert required == parameters.split(", ")


AUTOENCODER = """
b_prime = pytensor.shared(np.zeros(n_in, dtype=floatX), name="b_prime", borrow=True)
rng = T.random.shared_rng(seed=123)
next_rng, kept = rng.binomial(n=1, p=0.7, size=x.shape)
hidden = T.sigmoid(T.dot(x * kept.astype(floatX), W) + b)
z = T.sigmoid(T.dot(hidden, W.T) + b_prime)
cost = -(x * T.log(z) + (1 - x) * T.log(1 - z)).sum(axis=1).mean()
updates = [(p, p - 0.1 * T.grad(cost, p)) for p in [W, b, b_prime]] + [(rng, next_rng)]
givens = {x: train_set_x[minibatch]}
train_da = pytensor.function([index], cost, updates=updates, givens=givens)
da_costs = [train_da(i) for i in range(20)]
"""


def test_scripts_like_mlp_and_dA():
    session = {}
    for program in (PRELUDE, *PROGRAMS):
        exec(program, session)
    # Each call goes on in NumPy's sequence.
    corrupted = [session["corrupt"](np.ones((5, 8))) for _ in range(2)]
    assert (corrupted == draw("binomial", 1, 0.7, size=(2, 5, 8))).all()
    # From zeros on top, each class is equally probable.
    regularization = 0.0001 * (session["initial_W"] ** 2).sum()
    costs = session["costs"]
    assert costs[0] == pytest.approx(np.log(10) + regularization)
    assert np.mean(costs[-59:]) < 0.5 * costs[0]
    variables = [session[name] for name in ("test_set_x", "test_set_y", "W", "b")]
    variables += session["classifier"].params
    x, y, W, b, V, c = (variable.get_value() for variable in variables)
    predicted = np.argmax(np.tanh(x @ W + b) @ V + c, axis=1)
    assert session["test_error"] == np.mean(predicted != y) < 0.2

    exec(AUTOENCODER, session)
    assert np.mean(session["da_costs"][-5:]) < 0.7 * session["da_costs"][0]
    filters = session["W"].get_value(borrow=True).T
    assert tile_raster_images(filters, (8, 8), (3, 10), (1, 1)).shape == (26, 89)
