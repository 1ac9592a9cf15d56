"""Executors, checkpoints and budgets: the same map by every way, and nothing lost."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import xarray as xr

from bayescape.explore import explore
from bayescape.landscape.record import load_landscape
from bayescape.targets.surfaces import MuellerBrown, SixHumpCamel

KILLS = 20


class Slow(SixHumpCamel):
    """Two milliseconds for every batch."""

    def energy_and_gradient(self, theta):
        time.sleep(0.002)
        return super().energy_and_gradient(theta)


SCRIPT = """
import sys
from bayescape import explore
from tests.explore.test_long_runs import Slow
explore(Slow(), seed=3, progress=False, checkpoint=sys.argv[1]).save(sys.argv[2])
"""


def identical(one, two):
    xr.testing.assert_identical(one.minima, two.minima)
    xr.testing.assert_identical(one.transition_states, two.transition_states)
    assert one.evaluations == two.evaluations
    assert one.coverage == two.coverage
    assert one.ends == two.ends


@pytest.fixture(scope="module")
def whole():
    return explore(Slow(), seed=3, progress=False)


def test_threads_give_the_same_map(whole):
    with ThreadPoolExecutor(3) as executor:
        identical(explore(Slow(), seed=3, progress=False, executor=executor), whole)


def test_processes_give_the_same_map(whole):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        identical(explore(Slow(), seed=3, progress=False, executor=executor), whole)


@pytest.mark.slow
def test_dask_gives_the_same_map(whole):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as c,
        c.get_client() as client,
    ):
        identical(explore(Slow(), seed=3, progress=False, executor=client.get_executor()), whole)


def start(checkpoint, out):
    command = [sys.executable, "-c", SCRIPT, str(checkpoint), str(out)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.getcwd()})


@pytest.mark.slow
def test_killed_at_any_moment_a_resumed_run_ends_in_the_same_map(tmp_path, whole):
    checkpoint, out = tmp_path / "checkpoint", tmp_path / "map.nc"
    rng = np.random.default_rng(0)
    sizes = []
    for _ in range(KILLS):
        checkpoint.unlink(missing_ok=True)
        process = start(checkpoint, out)
        while process.poll() is None and not checkpoint.exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.6))
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)
        sizes.append(checkpoint.stat().st_size)
        resumed = tmp_path / "resumed"
        resumed.write_bytes(checkpoint.read_bytes())
        identical(explore(Slow(), seed=3, progress=False, checkpoint=resumed), whole)
    assert len(set(sizes)) >= 3  # the kills came at moments that differ


def test_a_torn_checkpoint_is_gone_on_from(tmp_path, whole):
    checkpoint = tmp_path / "checkpoint"
    explore(Slow(), seed=3, progress=False, checkpoint=checkpoint)
    content = checkpoint.read_bytes()
    for share in (0.001, 0.3, 0.9):
        checkpoint.write_bytes(content[: int(share * len(content))])
        identical(explore(Slow(), seed=3, progress=False, checkpoint=checkpoint), whole)
        assert len(checkpoint.read_bytes()) >= 0.9 * len(content)


def test_a_resumed_run_evaluates_nothing_twice(tmp_path, whole):
    class Forbidden(Slow):
        def energy_and_gradient(self, theta):
            raise AssertionError("evaluated again")

    checkpoint = tmp_path / "checkpoint"
    explore(Slow(), seed=3, progress=False, checkpoint=checkpoint)
    identical(explore(Forbidden(), seed=3, progress=False, checkpoint=checkpoint), whole)


@pytest.mark.parametrize(
    ("target", "seed", "message"),
    [(MuellerBrown(), 3, "energies differ"), (Slow(), 4, "seed")],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, target, seed, message):
    checkpoint = tmp_path / "checkpoint"
    explore(Slow(), seed=3, progress=False, checkpoint=checkpoint, budget=50)
    with pytest.raises(ValueError, match=message):
        explore(target, seed=seed, progress=False, checkpoint=checkpoint)


def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("of some value")
    with pytest.raises(ValueError, match="not a checkpoint"):
        explore(Slow(), progress=False, checkpoint=path)
    assert path.read_text() == "of some value"
    with pytest.raises(ValueError, match="folder"):
        explore(Slow(), progress=False, checkpoint=tmp_path)


def test_a_budget_of_time_is_kept():
    class Slower(Slow):
        def energy_and_gradient(self, theta):
            time.sleep(0.02)
            return super().energy_and_gradient(theta)

    started = time.perf_counter()
    landscape = explore(Slower(), seed=0, progress=False, budget="1 s")
    assert 0.9 < time.perf_counter() - started < 1.15
    assert any("budget of 1 second" in w for w in landscape.warnings)


def test_a_target_that_raises_at_random_is_mapped_and_told_of():
    class Raising(SixHumpCamel):
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def energy_and_gradient(self, theta):
            if self.rng.uniform() < 0.2:
                raise FloatingPointError("out of luck")
            return super().energy_and_gradient(theta)

    landscape = explore(Raising(), seed=0, progress=False)
    assert landscape.minima.sizes["minimum"] == 6
    assert any("out of luck" in w for w in landscape.warnings)


def test_a_gradient_that_jumps_ends_and_is_told_of():
    class Kinked(SixHumpCamel):
        """A sharp valley along a line, to which all walks lead."""

        def energy(self, theta):
            return self.energy_and_gradient(theta)[0]

        def energy_and_gradient(self, theta):
            energy, gradient = SixHumpCamel().energy_and_gradient(theta)
            side = np.sign(theta[:, 0] - 0.3)
            return energy + 5 * np.abs(theta[:, 0] - 0.3), gradient + 5 * side[:, None] * [1, 0]

    landscape = explore(Kinked(), seed=0, progress=False)
    assert any("stuck" in w for w in landscape.warnings)


def test_a_map_from_a_checkpoint_saves_as_any_other(tmp_path, whole):
    whole.save(tmp_path / "map.nc")
    identical(load_landscape(tmp_path / "map.nc", Slow()), whole)
