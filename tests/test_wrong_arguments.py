"""Every public function refuses what it cannot use: by name, by value, and what it should be.

Every argument of every public function is fed values drawn by hypothesis from those that are wrong
for it. The error must name the argument, say what it must be, and show what it was.
"""

import dataclasses
import inspect
import operator
import re

import gpytorch
import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayescape as bs
from bayescape.evaluations import Evaluations
from bayescape.targets.surfaces import SixHumpCamel

EXAMPLES = 12

words = st.text("abcdefgh", min_size=1, max_size=5).map(lambda word: f"{word}?")
objects = st.one_of(st.integers(), words, st.lists(st.integers(), max_size=2))
nothing = st.none()
numbers = st.floats(allow_nan=False)


def whole(least):
    """What is no whole number from ``least`` on."""
    small = st.integers(max_value=least - 1)
    return st.one_of(small, st.floats(1.1, 9.9), words, nothing, st.lists(st.integers(1, 3)))


def positive():
    return st.one_of(st.floats(max_value=0.0), st.just(np.nan), words, st.lists(st.floats(1, 2)))


def flag():
    return st.one_of(words, st.integers(2, 9), nothing, st.lists(st.booleans()))


def choice():
    return st.one_of(words, st.integers(), st.lists(words))


def array():
    """No array of finite numbers, or none of a shape that anything here has."""
    holes = st.lists(st.just(np.nan), min_size=3, max_size=3)
    deep = st.just(np.zeros((2, 3, 4, 5)))
    return st.one_of(words, nothing, holes, deep, st.dictionaries(words, numbers, min_size=1))


def progress():
    return st.one_of(words, st.integers(2, 9), nothing)


def path():
    return st.one_of(st.integers(), nothing, words.map(lambda word: f"no/such/{word}"))


def share():
    """What is no number from 0 to 1."""
    return st.one_of(st.floats(1.1, 9.9), st.floats(-9.9, -0.1), st.just(np.nan), words, nothing)


def upwards():
    """What is no number from 0 on."""
    return st.one_of(st.floats(-9.9, -0.1), st.just(np.nan), words, nothing)


def sentences():
    """What is no tuple of strings."""
    return st.one_of(words, st.integers(), nothing, st.tuples(st.integers()), st.lists(words))


def function():
    return st.one_of(st.integers(), words, nothing)


def maybe(strategy):
    """Where ``None`` is right."""
    return strategy.filter(lambda value: value is not None)


X = np.linspace(0, 3, 8)[:, None]
Y = np.sin(2 * X[:, 0])


def fields(record):
    """What a record was made of."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """Arguments with which every function works."""
    target = bs.GaussianProcess(X, Y)
    landscape = bs.explore(target, progress=False)
    posterior = bs.sample(landscape, 40, "superposition", progress=False)
    rows, outputs = torch.tensor(X), torch.tensor(Y)

    class Smooth(gpytorch.models.ExactGP):
        def __init__(self):
            super().__init__(rows, outputs, gpytorch.likelihoods.GaussianLikelihood())
            self.mean_module = gpytorch.means.ZeroMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

        def forward(self, x):
            return gpytorch.distributions.MultivariateNormal(
                self.mean_module(x), self.covar_module(x)
            )

    with pm.Model() as model:
        pm.Normal("x")

    def density(theta):
        return -0.5 * (theta**2).sum()

    def of_nu(nu):
        return bs.GaussianProcess(X, Y, nu=nu)

    def flatter(depth):
        return bs.from_torch(
            lambda t: -((t**4).sum() - depth * (t**2).sum()), ["a"], starts=[[1.0]]
        )

    module = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    labels = np.array(["low", "high"])[(X[:, 0] > 1).astype(int)]
    network = bs.NetworkLoss(module, X, labels, l2=0.1)
    some = network.starts(4, np.random.default_rng(0))
    networks = bs.Landscape.from_arrays(
        names=network.names,
        minima=some,
        energies=network.energy(some),
        hessians=np.tile(np.eye(7), (4, 1, 1)),
        hits=np.ones(4, int),
        transition_states=np.empty((0, 7)),
        transition_energies=[],
        transition_hessians=np.empty((0, 7, 7)),
        joins=[],
        coverage=0.9,
        evaluations=Evaluations(),
        target=network,
    )
    path = tmp_path_factory.mktemp("maps") / "map.nc"
    landscape.save(path)
    with pm.Model() as stepped:
        pm.Normal("x", shape=2)
    decision = bs.decide(landscape)
    continuation = bs.continue_minima(flatter, [1.0, 1.1], progress=False)
    frame = bs.compare(landscape, posterior, X, Y)
    superposition = {
        "weights": np.ones(1),
        "means": np.zeros((1, 2)),
        "scales": np.eye(2)[None],
        "basins": np.zeros(1, int),
    }
    return {
        "Continuation": fields(continuation),
        "Decision": fields(decision),
        "GaussianProcess": {"X": X, "y": Y},
        "Landscape": fields(landscape),
        "LandscapeGPRegressor": {"X": X, "y": Y},
        "Superposition": superposition,
        "SuperpositionJump": {"superposition": bs.Superposition(**superposition), "model": stepped},
        "NetworkLoss": {"module": module, "X": X, "y": labels},
        "compare": {"landscape": landscape, "posterior": posterior, "X_test": X, "y_test": Y},
        "compare_classifiers": {"landscape": networks, "X_test": X, "y_test": labels},
        "conserved": {"landscape": networks, "groups": [[0, 1], [2, 3]], "permutations": 9},
        "error_disagreement": {"landscape": networks, "X_test": X, "y_test": labels},
        "perturb": {
            "landscape": networks,
            "conserved": np.arange(7) < 3,
            "X_test": X,
            "y_test": labels,
            "repeats": 1,
        },
        "continue_minima": {"target_of": of_nu, "grid": [1.5, 2.5], "progress": False},
        "decide": {"landscape": landscape},
        "ensemble_gain": {"landscape": landscape},
        "ensemble_temperature": {"landscape": landscape, "method": "heat_capacity"},
        "ensemble_weights": {"landscape": landscape, "kind": "occupation"},
        "explore": {"target": target, "progress": False},
        "from_gpytorch": {"model": Smooth()},
        "from_numpy": {"log_density": density, "names": ["a", "b"]},
        "from_pymc": {"model": model, "mode": "FAST_COMPILE"},
        "from_torch": {"log_density": density, "names": ["a", "b"]},
        "kernels.MaternKernel": {"learn_nu": True},
        "kernels.correlation": {"kernel": "matern", "nu": 2.5},
        "load_continuation": {},
        "load_landscape": {"path": path},
        "load_posterior": {},
        "plot_comparison": {"frame": frame},
        "plot_continuation": {"continuation": continuation},
        "plot_disconnectivity": {"landscape": landscape},
        "plot_heat_capacity": {"thermo": landscape},
        "plot_marginals": {"landscape": landscape, "posterior": posterior},
        "plot_network": {"landscape": networks},
        "plot_pair": {"landscape": landscape, "posterior": posterior},
        "plot_predictions": {
            "landscape": landscape,
            "posterior": posterior,
            "X_test": X,
            "y_test": Y,
        },
        "predict": {"landscape": landscape, "posterior": posterior, "X": X},
        "sample": {"landscape": landscape, "progress": False},
        "thermodynamics": {"landscape": landscape},
        "to_gpytorch": {"posterior": posterior, "target": target},
    }


GP = {
    "kernel": choice(),
    "nu": positive(),
    "ard": flag(),
    "mean": choice(),
    "priors": maybe(st.one_of(choice(), st.dictionaries(words, numbers, min_size=1))),
    "standardise": flag(),
    "jitter": st.one_of(st.floats(max_value=-1e-9), st.just(np.nan), words, nothing),
}
AXES = maybe(objects)
STARTS = st.one_of(
    words, st.integers(), st.just(np.full((2, 2), np.nan)), st.just(np.zeros((2, 7)))
)
NAMES = st.one_of(st.integers(), nothing, st.just([]), st.just(["a", "a"]))
WALLS = st.one_of(words, st.just([[1.0, 1.0], [0.0, 0.0]]), st.just(np.zeros(7)))
LANDSCAPE = st.one_of(objects, nothing)
SEEDS = st.one_of(words, st.integers(max_value=-1), st.floats(1.1, 9.9))
FOUND = {
    "evaluations": LANDSCAPE,
    "warnings": sentences(),
    "seconds": upwards(),
    "seed": whole(0),
}

WRONG = {
    "Continuation": FOUND
    | {"branches": LANDSCAPE, "folds": LANDSCAPE, "parameter": st.one_of(st.integers(), nothing)},
    "Decision": {
        "method": choice(),
        "valid": flag(),
        "reasons": sentences(),
        "draws_per_change": upwards(),
        "costs": LANDSCAPE,
        "ess": whole(1),
        "no_integral": sentences(),
        "pilot": LANDSCAPE,
        "evaluations": LANDSCAPE,
    },
    "Landscape": FOUND
    | {
        "minima": LANDSCAPE,
        "transition_states": LANDSCAPE,
        "coverage": share(),
        "ends": LANDSCAPE,
        "stopped": st.one_of(st.integers(), nothing),
    },
    "GaussianProcess": GP
    | {
        "X": array(),
        "y": array(),
        "bounds": maybe(
            st.one_of(words, st.just({"noise": (2.0, 1.0)}), st.just({"warp": (1, 2)}))
        ),
        "input_names": maybe(st.one_of(st.integers(), st.just(["a", "b"]))),
        "output_name": maybe(st.one_of(st.integers(), st.lists(words, min_size=1))),
        "device": st.one_of(words, st.integers(), nothing),
    },
    "LandscapeGPRegressor": GP
    | {
        "draws": whole(1),
        "method": choice(),
        "budget": maybe(positive()),
        "max_quenches": whole(1),
        "effort": upwards(),
        "random_state": SEEDS,
        "progress": progress(),
    },
    "SuperpositionJump": {
        "vars": maybe(st.one_of(st.integers(), st.lists(words, min_size=1))),
        "superposition": LANDSCAPE,
        "attempts": whole(1),
        "rng": SEEDS,
        "blocked": flag(),
        "initial_point": maybe(objects),
        "compile_kwargs": maybe(objects),
    },
    "kernels.MaternKernel": {
        "nu": st.one_of(positive(), st.floats(50.1, 99.0)),
        "learn_nu": flag(),
        "nu_prior": maybe(objects),
        "nu_constraint": maybe(objects),
    },
    "kernels.correlation": {"kernel": choice(), "nu": st.one_of(positive(), nothing)},
    "Superposition": {
        "weights": array(),
        "means": array(),
        "scales": array(),
        "basins": array(),
        "degrees": array(),
    },
    "NetworkLoss": {
        "module": LANDSCAPE,
        "X": array(),
        "y": array(),
        "loss": choice(),
        "l2": positive(),
        "sharpness": positive(),
        "noise": positive(),
        "classes": maybe(st.one_of(st.integers(), words)),
    },
    "compare_classifiers": {
        "landscape": LANDSCAPE,
        "X_test": array(),
        "y_test": array(),
        "restarts": maybe(array()),
        "draws": whole(1),
        "temperature": positive(),
        "seed": whole(0),
    },
    "conserved": {
        "landscape": LANDSCAPE,
        "groups": maybe(st.one_of(words, st.integers(), st.just([[0], [9]]))),
        "energy": st.one_of(words, st.lists(st.integers(), min_size=1)),
        "alpha": st.one_of(words, st.just(np.nan), st.just(1.5), nothing),
        "permutations": whole(1),
        "seed": whole(0),
    },
    "error_disagreement": {"landscape": LANDSCAPE, "X_test": array(), "y_test": array()},
    "perturb": {
        "landscape": LANDSCAPE,
        "conserved": st.one_of(words, st.integers(), st.just([True])),
        "X_test": array(),
        "y_test": array(),
        "size": positive(),
        "repeats": whole(1),
        "seed": whole(0),
    },
    "compare": {
        "landscape": LANDSCAPE,
        "posterior": maybe(objects),
        "X_test": array(),
        "y_test": array(),
        "maximum_draws": whole(1),
    },
    "continue_minima": {
        "target_of": function(),
        "grid": array(),
        "parameter": st.one_of(st.integers(), nothing),
        "explorations": whole(0),
        "quenches": whole(0),
        "landscapes": maybe(objects),
        "seed": whole(0),
        "progress": progress(),
    },
    "decide": {"landscape": LANDSCAPE, "ess": positive(), "seed": whole(0), "chains": whole(1)},
    "ensemble_gain": {"landscape": LANDSCAPE, "temperature": positive()},
    "ensemble_temperature": {"landscape": LANDSCAPE, "method": choice(), "kind": choice()},
    "ensemble_weights": {"landscape": LANDSCAPE, "kind": choice(), "temperature": positive()},
    "explore": {
        "target": LANDSCAPE,
        "seed": whole(0),
        "progress": progress(),
        "budget": maybe(positive()),
        "max_quenches": whole(1),
        "effort": upwards(),
        "executor": maybe(objects),
        "checkpoint": maybe(st.one_of(st.integers(), st.lists(words))),
        "known": maybe(objects),
        "suspected": maybe(array()),
    },
    "from_gpytorch": {
        "model": LANDSCAPE,
        "likelihood": maybe(objects),
        "mll": maybe(objects),
        "data": maybe(objects),
        "missing": choice(),
        "starts": STARTS,
        "compiled": flag(),
    },
    "from_numpy": {
        "log_density": function(),
        "gradient": maybe(function()),
        "hessian": maybe(function()),
        "names": NAMES,
        "starts": STARTS,
        "constrain": maybe(function()),
        "bounds": WALLS,
        "batched": flag(),
        "scale": maybe(array()),
    },
    "from_pymc": {"model": LANDSCAPE, "starts": STARTS, "hessian": choice(), "mode": words},
    "from_torch": {
        "log_density": function(),
        "names": NAMES,
        "starts": STARTS,
        "constrain": maybe(function()),
        "bounds": WALLS,
    },
    "load_continuation": {"path": path()},
    "load_landscape": {
        "path": path(),
        "target": maybe(st.one_of(objects, st.just(SixHumpCamel()))),
    },
    "load_posterior": {"path": path()},
    "plot_comparison": {"frame": LANDSCAPE},
    "plot_continuation": {"continuation": LANDSCAPE, "ax": AXES, "relative": flag()},
    "plot_disconnectivity": {
        "landscape": LANDSCAPE,
        "ax": AXES,
        "groups": maybe(st.one_of(words, st.integers(), st.just([[0], [99]]))),
    },
    "plot_heat_capacity": {"thermo": LANDSCAPE, "ax": AXES},
    "plot_marginals": {
        "landscape": LANDSCAPE,
        "posterior": LANDSCAPE,
        "coordinates": maybe(st.one_of(st.integers(), st.lists(words, min_size=1))),
        "maximum": whole(1),
    },
    "plot_network": {
        "landscape": LANDSCAPE,
        "conserved": maybe(st.one_of(words, st.integers(), st.just([True]))),
        "minimum": st.one_of(whole(0), st.integers(4)),
        "inputs": maybe(st.one_of(words, st.integers(), st.just(["a", "b"]))),
        "outputs": maybe(st.one_of(words, st.integers(), st.just(["a", "b"]))),
        "ax": AXES,
    },
    "plot_pair": {
        "landscape": LANDSCAPE,
        "posterior": maybe(objects),
        "coordinates": maybe(st.one_of(st.integers(), st.lists(words, min_size=1))),
        "maximum": whole(1),
    },
    "plot_predictions": {
        "landscape": LANDSCAPE,
        "posterior": LANDSCAPE,
        "X_test": maybe(array()),
        "y_test": maybe(array()),
        "ax": AXES,
    },
    "predict": {
        "landscape": LANDSCAPE,
        "posterior": LANDSCAPE,
        "X": array(),
        "levels": st.one_of(words, nothing, st.just([0.5, 1.5]), st.just([np.nan])),
        "noise": flag(),
        "maximum_draws": whole(1),
    },
    "sample": {
        "landscape": LANDSCAPE,
        "draws": whole(1),
        "method": choice(),
        "ess": maybe(positive()),
        "seed": whole(0),
        "chains": whole(1),
        "decision": maybe(objects),
        "groups": st.one_of(words, st.integers(), st.lists(words, min_size=1)),
        "nuts": choice(),
        "progress": progress(),
    },
    "thermodynamics": {"landscape": LANDSCAPE, "temperatures": maybe(array())},
    "to_gpytorch": {"posterior": LANDSCAPE, "target": LANDSCAPE, "maximum_draws": whole(1)},
}

# Arguments not fed, and why.
NOT_FED = {
    ("Landscape", "target"): "where it is used it is checked for what it must do there",
    ("SuperpositionJump", "model"): "PyMC asks it for its variables before the step is made",
    ("kernels.MaternKernel", "kwargs"): "are GPyTorch's to check",
}
# Not called: a protocol, records that nothing takes from a user, a module; and what the author of a
# target says of its symmetries, which has tests of its own.
NO_FUNCTIONS = {"Conserved", "Equivalence", "Exchange", "Target", "kernels.Correlation", "kernels"}


def public(name):
    """What is called so, in bayescape or in one of its public modules."""
    return operator.attrgetter(name)(bs)


def test_every_argument_of_every_public_function_is_fed():
    names = set(bs.__all__) | {f"kernels.{name}" for name in bs.kernels.__all__}
    assert set(WRONG) == names - NO_FUNCTIONS
    for name, wrong in WRONG.items():
        known = set(inspect.signature(public(name)).parameters)
        assert set(wrong) | {a for n, a in NOT_FED if n == name} == known, name


def test_a_protocol_makes_no_target():
    with pytest.raises(TypeError, match="Protocols cannot be instantiated"):
        bs.Target()


def call(name, arguments):
    if name == "LandscapeGPRegressor":
        data = {"X": arguments.pop("X"), "y": arguments.pop("y")}
        return bs.LandscapeGPRegressor(**arguments).fit(**data)
    return public(name)(**arguments)


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name in WRONG for argument in WRONG[name]]
)
def test_a_wrong_argument_is_refused_by_name_with_its_value(valid, name, argument):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(WRONG[name][argument])
    def feed(value):
        with pytest.raises((ValueError, TypeError, FileNotFoundError)) as caught:
            call(name, valid[name] | {argument: value})
        plt.close("all")
        message = str(caught.value)
        assert re.search(rf"`{argument}\b", message), (message, value)
        assert "must" in message, (message, value)
        assert says(message, value), (message, value)

    feed()


def says(message, value):
    """Whether a message shows a value: as it is written, by its class, or by its shape."""
    ways = [repr(value)[:20], str(value)[:20], type(value).__name__]
    if isinstance(value, (list, np.ndarray)):
        ways += ["NaN", "shape", str(np.shape(value)), *(repr(item)[:20] for item in value)]
    if isinstance(value, dict):
        ways += [repr(item) for pair in value.items() for item in pair]
    return any(way in message for way in ways)
