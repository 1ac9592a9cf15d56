"""The landscape's record: ordering, graph, and the file it goes to and comes from."""

import numpy as np
import pytest
import xarray as xr

from bayescape.evaluations import Counted, Evaluations
from bayescape.landscape.record import Landscape, load_landscape
from bayescape.targets import from_numpy


class Named:
    """A target of which only the coordinates' names are asked."""

    def __init__(self, *names):
        self.names = names


@pytest.fixture
def landscape():
    """Three minima given out of order, two transition states given out of order."""
    return Landscape.from_arrays(
        names=["a", "b"],
        minima=[[2.0, 0.0], [0.0, 0.0], [1.0, 1.0]],
        energies=[5.0, 1.0, 3.0],
        hessians=[np.eye(2) * k for k in (1.0, 2.0, 3.0)],
        hits=[1, 7, 2],
        transition_states=[[1.5, 0.5], [0.5, 0.5]],
        transition_energies=[9.0, 6.0],
        transition_hessians=[np.diag([-1.0, 4.0]), np.diag([-2.0, 5.0])],
        joins=[[0, 2], [2, 1]],
        coverage=0.97,
        evaluations=Evaluations(10, 20, 30),
        ends={"minimum": 10, "at a bound": 2},
        stopped="all found",
        warnings=["mind the gap"],
        seconds=1.5,
        seed=2**63 + 11,
    )


def test_points_are_sorted_by_energy_and_joins_follow(landscape):
    assert landscape.minima["energy"].values.tolist() == [1.0, 3.0, 5.0]
    assert landscape.minima["hits"].values.tolist() == [7, 2, 1]
    np.testing.assert_array_equal(landscape.minima["hessian"].values[0], 2 * np.eye(2))
    states = landscape.transition_states
    assert states["energy"].values.tolist() == [6.0, 9.0]
    # The lower state joined the given minima 2 and 1, which are now 1 and 0.
    assert states["joins"].values.tolist() == [[0, 1], [1, 2]]


def test_graph_has_the_energies(landscape):
    graph = landscape.graph
    assert sorted(graph.nodes) == [0, 1, 2]
    assert {tuple(sorted(edge[:2])): edge[2]["energy"] for edge in graph.edges(data=True)} == {
        (0, 1): 6.0,
        (1, 2): 9.0,
    }


def test_one_file_holds_everything(landscape, tmp_path):
    path = tmp_path / "map.nc"
    landscape.save(path)
    back = load_landscape(path)
    xr.testing.assert_identical(back.minima, landscape.minima)
    xr.testing.assert_identical(back.transition_states, landscape.transition_states)
    for field in (
        "coverage",
        "evaluations",
        "ends",
        "stopped",
        "warnings",
        "seconds",
        "seed",
    ):
        assert getattr(back, field) == getattr(landscape, field), field
    assert list(tmp_path.iterdir()) == [path]  # nothing half-written is left beside it


def test_an_empty_map_is_a_map(tmp_path):
    empty = Landscape.from_arrays(
        names=["a"],
        minima=[],
        energies=[],
        hessians=[],
        hits=[],
        transition_states=[],
        transition_energies=[],
        transition_hessians=[],
        joins=[],
        coverage=0.0,
        evaluations=Evaluations(),
    )
    empty.save(tmp_path / "map.nc")
    back = load_landscape(tmp_path / "map.nc")
    assert back.minima.sizes == {"minimum": 0, "coordinate": 1, "coordinate_2": 1}
    assert "0 minima" in repr(back)


def test_a_target_is_attached_only_if_it_fits(landscape, tmp_path):
    landscape.save(tmp_path / "map.nc")
    target = from_numpy(lambda theta: -theta @ theta, names=["a", "b"])
    assert load_landscape(tmp_path / "map.nc", target).target is target
    other = from_numpy(lambda theta: -theta @ theta, names=["a", "c"])
    with pytest.raises(ValueError, match="`target` must have the coordinates"):
        load_landscape(tmp_path / "map.nc", other)
    with pytest.raises(ValueError, match="`target` must be a Target or None"):
        load_landscape(tmp_path / "map.nc", Named("a", "b"))


def test_other_files_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_landscape(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("not a map")
    with pytest.raises(ValueError, match="not a netCDF file"):
        load_landscape(tmp_path / "text.nc")
    xr.Dataset({"x": 1.0}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="does not hold a landscape"):
        load_landscape(tmp_path / "other.nc")


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(landscape, tmp_path, monkeypatch):
    path = tmp_path / "map.nc"
    landscape.save(path)
    before = path.read_bytes()

    def fail(self, target, **_):
        target.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match="disk full"):
        landscape.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_repr_says_what_there_is(landscape):
    text = repr(landscape)
    for part in ("3 minima", "2 transition states", "coverage 0.970", "mind the gap"):
        assert part in text
    assert "mind the gap" in landscape._repr_html_()


def test_counted_counts_points_by_kind_and_never_nests():
    class Quadratic(Named):
        def energy(self, theta):
            return (theta**2).sum(axis=1)

        def energy_and_gradient(self, theta):
            return self.energy(theta), 2 * theta

        def hessian(self, theta):
            return np.tile(2 * np.eye(theta.shape[1]), (len(theta), 1, 1))

    inner = Counted(Quadratic("a", "b"))
    outer = Counted(inner)
    assert outer.target is inner.target
    points = np.ones((3, 2))
    outer.energy(points)
    outer.energy_and_gradient(points[:2])
    outer.hessian(points[:1])
    assert outer.evaluations == Evaluations(value=3, gradient=2, hessian=1)
    assert inner.evaluations == Evaluations()
    assert outer.evaluations.gradient_equivalents(2) == 1.5 + 2 + 3
