"""Torch's batched likelihood against the compiled one, on the CPU and on a GPU if there is one."""

import numpy as np
import pytest
import torch

from bayescape.kernels import correlation
from bayescape.targets import GaussianProcess
from bayescape.targets import torch_likelihood as module
from bayescape.targets.marginal_likelihood import MarginalLikelihood
from bayescape.targets.torch_likelihood import TorchLikelihood

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    ),
]
KERNELS = [("rbf", None), *(("matern", nu) for nu in (0.5, 0.7, 2.3, 2.5, "free"))]


def problem(n=40, p=3):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n, p))
    X[-1] = X[0]
    return X, np.sin(3 * X).sum(axis=1) + 0.1 * rng.normal(size=n)


def both(device, kernel, nu, ard, mean):
    X, y = problem()
    form = {"ard": ard, "mean": mean, "jitter": 1e-6}
    chosen = correlation(kernel, nu)
    d = (3 if ard else 1) + 2 + (nu == "free") + mean
    theta = np.random.default_rng(1).normal(scale=0.7, size=(9, d))
    theta[0, 0] = 800.0  # a lengthscale that overflows
    theta[1, d - 2 - (nu == "free") - mean] = 800.0  # and an outputscale
    return (
        theta,
        MarginalLikelihood(chosen, X, y, **form),
        TorchLikelihood(chosen, X, y, **form, device=device),
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("ard", [False, True])
@pytest.mark.parametrize(("kernel", "nu"), KERNELS)
def test_same_numbers_as_compiled(device, kernel, nu, ard, mean):
    theta, ours, theirs = both(device, kernel, nu, ard, mean)
    new = np.random.default_rng(2).uniform(-1, 1, (11, 3))
    for known, got in (
        ((ours.energy(theta),), (theirs.energy(theta),)),
        (ours.energy_and_gradient(theta), theirs.energy_and_gradient(theta)),
        ((ours.hessian(theta),), (theirs.hessian(theta),)),
        (ours.predict(theta, new), theirs.predict(theta, new)),
        (ours.leave_one_out(theta), theirs.leave_one_out(theta)),
    ):
        for a, b in zip(known, got, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(a[2:])))
    assert theirs.failures == ours.failures > 0


def test_batches_are_split_to_fit(monkeypatch):
    theta, _, theirs = both("cpu", "matern", 2.3, True, True)
    whole = theirs.energy_and_gradient(theta)
    sizes = []
    begin = TorchLikelihood._begin
    monkeypatch.setattr(
        TorchLikelihood,
        "_begin",
        lambda self, theta, rows, bent=False: (
            sizes.append(len(theta)),
            begin(self, theta, rows, bent),
        )[1],
    )
    monkeypatch.setattr(module, "ON_CPU", 3 * 8 * 11 * 40**2)
    parts = theirs.energy_and_gradient(theta)
    assert sizes == [3, 3, 3]
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("device", DEVICES[1:])
def test_a_target_on_a_gpu(device):
    X, y = problem()
    theta = GaussianProcess(X, y).starts(20, np.random.default_rng(0))
    for nu in (2.5, "free"):
        here, there = (GaussianProcess(X, y, nu=nu, device=d) for d in ("cpu", device))
        theta = here.starts(20, np.random.default_rng(0))
        for a, b in zip(
            here.energy_and_gradient(theta), there.energy_and_gradient(theta), strict=True
        ):
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * np.abs(a).max())
