"""BLAS's threads are set aside and given back, whoever calls, and work survives a fork."""

import multiprocessing
import threading

import numpy as np
import pytest
import threadpoolctl

from bayescape.kernels.threads import _knobs, run_in_chunks, single_threaded, threads
from bayescape.targets import GaussianProcess


@pytest.fixture(autouse=True)
def two_threads():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


def present():
    return {get() for get, _ in _knobs()}


def test_callers_that_overlap_give_back_what_was_there():
    inside, leave = threading.Event(), threading.Event()

    def first():
        with single_threaded():
            inside.set()
            leave.wait(5)

    with single_threaded():
        assert present() == {1}
        assert threads() == 2  # when it is done
    caller = threading.Thread(target=first)
    caller.start()
    assert inside.wait(5)
    with single_threaded():
        leave.set()
        caller.join()
        assert present() == {1}
    assert present() == {2}


def test_every_slice_once_and_errors_come_through():
    done = np.zeros(11, int)

    def count(part):
        done[part] += 1

    run_in_chunks(count, 11)
    assert (done == 1).all()

    def fail(part):
        if part.start:
            raise OSError("a worker's")

    with pytest.raises(OSError, match="a worker's"):
        run_in_chunks(fail, 11)
    assert present() == {2}


def evaluate(target, theta, queue):
    queue.put(target.energy_and_gradient(theta))


def test_the_same_numbers_with_threads_without_and_in_a_forked_child():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(60, 2))
    target = GaussianProcess(X, np.sin(5 * X[:, 0]) + 0.1 * rng.normal(size=60))
    theta = target.starts(40, rng)
    energy, gradient = target.energy_and_gradient(theta)
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        alone = target.energy_and_gradient(theta)
    np.testing.assert_allclose(energy, alone[0], rtol=1e-13)
    np.testing.assert_allclose(gradient, alone[1], rtol=1e-9, atol=1e-9)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=evaluate, args=(target, theta, queue))
    child.start()
    forked = queue.get(timeout=60)
    child.join(10)
    np.testing.assert_allclose(forked[0], energy, rtol=1e-13)
