"""Maps in other programs' files: there and back, files of their own making, and wrong ones."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayescape as bs
from bayescape.evaluations import Evaluations
from bayescape.landscape import (
    barriers,
    crossing_rates,
    read_graphml,
    read_pathsample,
    read_topsearch,
    relaxation_time,
    superbasins,
    write_graphml,
    write_pathsample,
    write_topsearch,
)
from bayescape.plots.disconnectivity import plot_disconnectivity
from bayescape.sample.superposition import harmonic_superposition
from bayescape.targets.surfaces import MuellerBrown, Schwefel, SixHumpCamel

from .conftest import make

CAMEL = Path(__file__).parents[1] / "reference" / "topsearch_camel"
READERS = {"pathsample": read_pathsample, "topsearch": read_topsearch}
WRITERS = {"pathsample": write_pathsample, "topsearch": write_topsearch}

# Two minima and the pass between them in two coordinates, as PATHSAMPLE prints them.
MIN_DATA = """\
       -1.500000000000000        1.386294361119891     1        1.0000000000        1.0000000000        1.0000000000
       -2.250000000000000        0.000000000000000     1        1.0000000000        1.0000000000        1.0000000000
"""  # noqa: E501
TS_DATA = """\
        0.500000000000000        0.693147180559945     1         1         2        1.0000000000        1.0000000000        1.0000000000
"""  # noqa: E501


@pytest.fixture
def pathsample(tmp_path):
    """A small database of PATHSAMPLE, the higher minimum first."""
    (tmp_path / "min.data").write_text(MIN_DATA)
    (tmp_path / "ts.data").write_text(TS_DATA)
    np.array([[1.0, 2.0], [3.0, -4.0]]).tofile(tmp_path / "points.min")
    np.array([[1.5, 0.25]]).tofile(tmp_path / "points.ts")
    return tmp_path


@pytest.fixture
def dumped(tmp_path):
    """What TopSearch wrote of the six-hump camel."""
    return Path(shutil.copytree(CAMEL, tmp_path / "camel"))


def same_points(a, b, names=("theta", "energy")):
    for kind in ("minima", "transition_states"):
        for name in names:
            left, right = getattr(a, kind)[name].values, getattr(b, kind)[name].values
            assert left.tobytes() == right.tobytes(), (kind, name)
    np.testing.assert_array_equal(
        a.transition_states["joins"].values, b.transition_states["joins"].values
    )


numbers = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def maps(draw):
    """Maps of any finite numbers, with loops, repeats and ties, and positive curvatures."""
    d, count = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    links = draw(st.integers(0, 4))

    def array(*shape):
        size = int(np.prod(shape))
        return np.reshape(draw(st.lists(numbers, min_size=size, max_size=size)), shape)

    end = st.integers(0, count - 1)
    joins = draw(st.lists(st.tuples(end, end), min_size=links, max_size=links))
    stiffness = draw(st.floats(1e-100, 1e100))
    return make(
        array(count, d), array(count), [stiffness * np.eye(d)] * count,
        array(links, d), array(links), [stiffness * np.diag([-1.0, 1, 1][:d])] * links, joins,
        coverage=draw(st.floats(0, 1)), evaluations=Evaluations(1, 2, 3), ends={"minimum": 3},
        stopped=draw(st.text(max_size=9)), warnings=[draw(st.text(max_size=9))], seed=2**70,
        seconds=draw(st.floats(0, 1e9)),
    )  # fmt: skip


freely = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@freely
@given(maps())
def test_text_formats_keep_energies_coordinates_and_joins_to_the_bit(tmp_path, landscape):
    for name, write in WRITERS.items():
        write(landscape, tmp_path / name)
        back = READERS[name](tmp_path / name, names=landscape.names)
        same_points(back, landscape)
        assert back.names == landscape.names
        assert back.coverage == 0
        assert not back.minima["hits"].any()


@freely
@given(maps())
def test_graphml_keeps_everything_to_the_bit(tmp_path, landscape):
    write_graphml(landscape, tmp_path / "map.graphml")
    back = read_graphml(tmp_path / "map.graphml")
    xr.testing.assert_identical(back.minima, landscape.minima)
    xr.testing.assert_identical(back.transition_states, landscape.transition_states)
    same_points(back, landscape, ("theta", "energy", "hessian"))
    for field in dataclasses.fields(landscape):
        if field.name not in ("minima", "transition_states"):
            assert getattr(back, field.name) == getattr(landscape, field.name), field.name


@pytest.mark.parametrize("name", WRITERS)
def test_there_and_back_with_the_target_is_the_same_map(tmp_path, dumped, name):
    landscape = read_topsearch(dumped, target=SixHumpCamel())
    WRITERS[name](landscape, tmp_path / "files")
    back = READERS[name](tmp_path / "files", target=SixHumpCamel())
    xr.testing.assert_identical(back.minima, landscape.minima)
    xr.testing.assert_identical(back.transition_states, landscape.transition_states)
    assert back.evaluations == Evaluations(value=13, hessian=13)
    assert len(back.warnings) == 1
    assert "coverage" in back.warnings[0]


# PATHSAMPLE


def test_a_database_of_pathsample_is_read_as_it_means(pathsample):
    landscape = read_pathsample(pathsample, names=["a", "b"])
    assert landscape.names == ("a", "b")
    assert landscape.minima["energy"].values.tolist() == [-2.25, -1.5]
    assert landscape.minima["theta"].values.tolist() == [[3.0, -4.0], [1.0, 2.0]]
    assert landscape.transition_states["theta"].values.tolist() == [[1.5, 0.25]]
    assert landscape.transition_states["joins"].values.tolist() == [[0, 1]]
    np.testing.assert_allclose(landscape.minima["log_product"], [0, np.log(4)])
    np.testing.assert_allclose(landscape.transition_states["log_product"], [np.log(2)])
    assert np.isnan(landscape.minima["hessian"]).all()
    assert landscape.warnings[0].startswith("how the minima were found is not known")
    assert landscape.warnings[1].startswith("the map has log products")
    assert barriers(landscape).tolist() == [[0, 2.75], [2.0, 0]]


def test_log_products_are_enough_for_occupations_and_for_writing(pathsample, tmp_path):
    landscape = read_pathsample(pathsample)
    weights = np.exp([2.25, 1.5]) / np.sqrt([1, 4])
    got = bs.thermodynamics(landscape, [1.0])["occupation"].values[0]
    np.testing.assert_allclose(got, weights / weights.sum(), rtol=1e-14)
    np.testing.assert_allclose(bs.ensemble_weights(landscape, "occupation"), got, rtol=1e-14)
    labels = [text.get_text() for text in plot_disconnectivity(landscape).axes[0].texts]
    assert f"0\n{got[0]:.0%}" in labels
    write_pathsample(landscape, tmp_path / "again")
    same_points(read_pathsample(tmp_path / "again"), landscape, ("theta", "energy", "log_product"))
    write_graphml(landscape, tmp_path / "map.graphml")
    back = read_graphml(tmp_path / "map.graphml")
    xr.testing.assert_identical(back.minima, landscape.minima)
    xr.testing.assert_identical(back.transition_states, landscape.transition_states)


def test_rates_are_those_that_pathsample_makes_of_the_files(tmp_path, network_of):
    landscape = network_of([0.0, 0.7, 1.1], [(2.0, 0, 1), (3.0, 0, 1), (2.5, 1, 2), (2, 2, 2)])
    write_pathsample(landscape, tmp_path)
    energy, log_product = np.loadtxt(tmp_path / "min.data", usecols=(0, 1), unpack=True)
    expected = np.zeros((3, 3))
    for e, product, order, plus, minus in np.loadtxt(tmp_path / "ts.data", usecols=range(5)):
        ends = int(plus) - 1, int(minus) - 1
        for a, b in (ends, ends[::-1]):
            if a != b:  # KPLUS of PATHSAMPLE's setup.f, at temperature 1
                log_rate = np.log(1 / (2 * np.pi * order))
                log_rate += (log_product[a] - product) / 2 - (e - energy[a])
                expected[a, b] += np.exp(log_rate)
    np.testing.assert_allclose(crossing_rates(landscape, np.eye(3)), expected, rtol=1e-12)


def test_fortran_and_further_columns_are_understood(pathsample):
    text = MIN_DATA.replace("-1.500000000000000", "-0.15D+01").replace("\n", "  7.5 8\r\n\n")
    (pathsample / "min.data").write_text(text)
    assert read_pathsample(pathsample).minima["energy"].values.tolist() == [-2.25, -1.5]


def test_symmetric_copies_are_not_counted_and_that_is_said(pathsample):
    (pathsample / "min.data").write_text(MIN_DATA.replace("     1  ", "    12  ", 1))
    assert "point group orders up to 12" in read_pathsample(pathsample).warnings[0]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("min.data", "1.0 2.0 1 1 1\n", "line 1 of min.data should hold energy, log product"),
        ("min.data", MIN_DATA + "**** 0 1 1 1 1\n", "line 3 of min.data .* got '\\*\\*\\*\\* 0"),
        ("min.data", "nan 0 1 1 1 1\n", "line 1 of min.data"),
        ("min.data", "1e999 0 1 1 1 1\n", "line 1 of min.data"),
        ("min.data", "1 0 1.5 1 1 1\n", "line 1 of min.data"),
        ("min.data", b"\xff\xfe\x00", "line 1 of min.data"),
        ("min.data", "", "line 1 of ts.data joins minima 1 and 2, but .* minima 1 to 0"),
        ("min.data", MIN_DATA * 3, "points.min holds 32 bytes, which is not 6 points"),
        ("ts.data", "1 0 1 1 3 1 1 1\n", "line 1 of ts.data joins minima 1 and 3"),
        ("ts.data", "1 0 1 0 1 1 1 1\n", "line 1 of ts.data joins minima 0 and 1"),
        ("ts.data", "1 0 1\n", "line 1 of ts.data should hold energy"),
        ("ts.data", TS_DATA * 2, "points.ts holds 16 bytes, which is not 2 points of 2 coord"),
        ("points.min", bytes(20), "points.min holds 20 bytes, which is not 2 points"),
        ("points.min", b"", "points.min holds 0 bytes"),
        ("points.ts", np.array([1, np.nan]).tobytes(), "points.ts .* point 1 that is not finite"),
    ],
)
def test_wrong_files_of_pathsample_are_named_with_the_line(pathsample, name, content, words):
    content = content if isinstance(content, bytes) else content.encode()
    (pathsample / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^`folder`: .*{words}"):
        read_pathsample(pathsample, names=["a", "b"])


@pytest.mark.parametrize("name", ["min.data", "ts.data", "points.min", "points.ts"])
def test_a_missing_file_is_named(pathsample, name):
    (pathsample / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"`folder`: there is no file .*{name}"):
        read_pathsample(pathsample)


def test_a_map_without_hessians_cannot_be_written_for_pathsample(dumped, tmp_path):
    with pytest.raises(ValueError, match="no Hessian at minimum 0, and PATHSAMPLE's files need"):
        write_pathsample(read_topsearch(dumped), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# TopSearch


def test_topsearchs_own_dump_is_read(dumped):
    landscape = read_topsearch(dumped)
    assert landscape.names == ("x[0]", "x[1]")
    energies = [-1.03163, -1.03163, -0.21546, -0.21546, 2.10425, 2.10425]
    assert landscape.minima["energy"].values.tolist() == energies
    expected = [-8.984201070675888745e-02, 7.126563984389716611e-01]
    assert landscape.minima["theta"].values[0].tolist() == expected
    states = landscape.transition_states
    assert states["energy"].values.tolist()[:3] == [0.0, 0.54372, 0.54372]
    assert states["joins"].values.tolist()[0] == [0, 1]
    assert superbasins(landscape, 0.3) == [(0, 1), (2,), (3,)]
    assert superbasins(landscape, 1.0) == [(0, 1, 2, 3)]


def test_a_target_brings_hessians_and_full_energies(dumped):
    landscape = read_topsearch(dumped, target=SixHumpCamel())
    theta = landscape.minima["theta"].values
    np.testing.assert_array_equal(landscape.minima["energy"], SixHumpCamel().energy(theta))
    np.testing.assert_array_equal(landscape.minima["hessian"], SixHumpCamel().hessian(theta))
    curvatures = np.linalg.eigvalsh(landscape.transition_states["hessian"].values)
    assert ((curvatures < 0).sum(axis=1) == 1).all()
    assert np.isfinite(relaxation_time(landscape))
    assert landscape.target.names == landscape.names == ("x", "y")


def test_without_a_target_what_cannot_be_had_is_said(dumped):
    landscape = read_topsearch(dumped)
    assert "no Hessians" in landscape.warnings[1]
    plot_disconnectivity(landscape)
    for function in (bs.thermodynamics, relaxation_time, crossing_rates):
        with pytest.raises(ValueError, match=r"no .*Hessian at minimum 0"):
            function(landscape)
    with pytest.raises(ValueError, match="Hessian is not known"):
        bs.ensemble_weights(landscape, "occupation")
    with pytest.raises(ValueError, match="no target"):
        bs.decide(landscape)
    with pytest.raises(ValueError, match="without a Hessian"):
        harmonic_superposition(dataclasses.replace(landscape, target=SixHumpCamel()))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (MuellerBrown(), "`target` is not what TopSearch's .* maps: at .* its energy is"),
        (Schwefel(3), "`target` has 3 coordinates, .* have 2"),
        (Schwefel(2), "`target` is not what"),
    ],
)
def test_another_target_is_refused(dumped, target, words):
    with pytest.raises(ValueError, match=words):
        read_topsearch(dumped, target=target)


def test_a_target_that_is_outside_its_domain_there_is_refused(dumped):
    class Walled(SixHumpCamel):
        def energy(self, theta):
            return np.where(theta[:, 0] > 0, np.inf, super().energy(theta))

    with pytest.raises(ValueError, match=r"its energy is inf, and the file's"):
        read_topsearch(dumped, target=Walled())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("min.data", "0 1.0\n0 2.0\n", "line 2 of min.data has minimum 0 again"),
        ("min.data", "0 1.0 3\n", "line 1 of min.data should hold a minimum's number and energy"),
        ("min.data", "0 1.0\n", "line 1 of ts.data joins minima 0 and 1"),
        ("ts.data", "0 1\n", "line 1 of ts.data should hold the numbers of two minima"),
        ("ts.data", "0 1 2.0\n0 9 2.0\n", "line 2 of ts.data joins minima 0 and 9"),
        ("min.coords", "1 2\n3\n", "line 2 of min.coords should hold the 2 coordinates"),
        ("min.coords", "1 2\n", "min.coords holds 1 points, expected 6"),
        ("ts.coords", "1 2 3\n", "line 1 of ts.coords should hold the 2 coordinates"),
    ],
)
def test_wrong_files_of_topsearch_are_named_with_the_line(dumped, name, content, words):
    (dumped / name).write_text(content)
    with pytest.raises(ValueError, match=f"^`folder`: .*{words}"):
        read_topsearch(dumped)


def test_a_suffix_goes_to_every_file(dumped, tmp_path):
    landscape = read_topsearch(dumped)
    write_topsearch(landscape, tmp_path / "out", suffix=".1")
    names = ["min.coords.1", "min.data.1", "pairlist.1", "ts.coords.1", "ts.data.1"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    same_points(read_topsearch(tmp_path / "out", suffix=".1"), landscape)


def test_topsearch_keeps_the_lowest_state_of_a_pair(tmp_path, network_of):
    landscape = network_of([0.0, 1.0], [(3.0, 0, 1), (5.0, 1, 0), (4.0, 1, 1)])
    write_topsearch(landscape, tmp_path)
    assert (tmp_path / "ts.data").read_text() == "0 1 5.0\n1 1 4.0\n0 1 3.0\n"
    assert (tmp_path / "pairlist").read_text() == "0 1\n"


# GraphML


def test_a_target_fills_in_hessians_that_graphml_lacks(dumped, tmp_path):
    bare = read_topsearch(dumped, names=["x", "y"])
    write_graphml(bare, tmp_path / "map.graphml")
    back = read_graphml(tmp_path / "map.graphml")
    xr.testing.assert_identical(back.minima, bare.minima)
    assert back.warnings == bare.warnings
    with pytest.raises(ValueError, match="`target` must have the coordinates"):
        read_graphml(tmp_path / "map.graphml", Schwefel(2))

    full = read_topsearch(dumped, target=SixHumpCamel())
    write_graphml(full, tmp_path / "full.graphml")
    filled = read_graphml(tmp_path / "full.graphml", SixHumpCamel())
    xr.testing.assert_identical(filled.minima, full.minima)
    products = dataclasses.replace(
        full, minima=full.minima.assign(hessian=full.minima["hessian"] * np.nan)
    )
    write_graphml(products, tmp_path / "full.graphml")
    filled = read_graphml(tmp_path / "full.graphml", SixHumpCamel())
    xr.testing.assert_identical(filled.minima, full.minima)
    with pytest.raises(ValueError, match=r"`target` is not what full\.graphml"):
        read_graphml(tmp_path / "full.graphml", type("Other", (MuellerBrown,), {})())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not XML", "is not a GraphML file of a landscape"),
        ("<graphml/>", "is not a GraphML file of a landscape"),
        (
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
            '<graph edgedefault="undirected"><node id="0"/></graph></graphml>',
            "does not hold a landscape in the format",
        ),
    ],
)
def test_other_graphml_is_refused_in_a_sentence(tmp_path, content, words):
    (tmp_path / "map.graphml").write_text(content)
    with pytest.raises(ValueError, match=f"`path`: .*{words}"):
        read_graphml(tmp_path / "map.graphml")
    with pytest.raises(FileNotFoundError, match="`path`: there is no file"):
        read_graphml(tmp_path / "none.graphml")


def test_graphml_with_a_point_missing_is_refused(tmp_path, network_of):
    path = tmp_path / "map.graphml"
    write_graphml(network_of([0.0, 1.0], [(2.0, 0, 1)]), path)
    path.write_text(path.read_text().replace('<node id="1">', '<node id="7">'))
    with pytest.raises(ValueError, match="something missing or out of place"):
        read_graphml(path)


def test_names_that_graphml_cannot_hold_are_refused(landscape_of, tmp_path):
    landscape = landscape_of([[0.0]], [0.0], [[[1.0]]])
    minima = landscape.minima.assign_coords(coordinate=["a\x07"], coordinate_2=["a\x07"])
    with pytest.raises(ValueError, match="printable names"):
        write_graphml(dataclasses.replace(landscape, minima=minima), tmp_path / "map.graphml")
    assert not list(tmp_path.iterdir())


# All of them


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("ab", "`names` must be one string for each coordinate"),
        ([1, 2], "`names` must be one string for each coordinate"),
        (["a", "a"], "`names` must differ"),
        (["a"], "`names` has 1 coordinates, .* have 2"),
    ],
)
@pytest.mark.parametrize("reader", READERS)
def test_names_that_do_not_fit_are_refused(pathsample, reader, names, words):
    folder = pathsample if reader == "pathsample" else CAMEL
    with pytest.raises(ValueError, match=words):
        READERS[reader](folder, names=names)


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_map_needs_names(tmp_path, landscape_of, name):
    WRITERS[name](landscape_of(np.empty((0, 2)), [], []), tmp_path)
    with pytest.raises(ValueError, match="give `names`"):
        READERS[name](tmp_path)
    assert READERS[name](tmp_path, names=["a", "b"]).minima.sizes["coordinate"] == 2
    back = READERS[name](tmp_path, target=SixHumpCamel())
    assert back.names == ("x", "y")


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_no_folder(tmp_path, landscape_of, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"`folder`: .*file"):
        WRITERS[name](landscape_of([[0.0]], [0.0], [[[1.0]]]), tmp_path / "file")
    with pytest.raises(ValueError, match=r"`folder`: .*is not a file"):
        READERS[name](tmp_path / "file")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, landscape_of, monkeypatch):
    landscape = landscape_of([[0.0]], [0.0], [[[1.0]]])
    write_topsearch(landscape, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    for write in (write_topsearch, write_pathsample):
        with pytest.raises(OSError, match="disk full"):
            write(landscape, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@freely
@given(st.sampled_from(["min.data", "ts.data", "min.coords", "ts.coords"]), st.data())
def test_no_text_breaks_the_reader_of_topsearch(tmp_path, name, data):
    folder = tmp_path / "camel"
    shutil.copytree(CAMEL, folder, dirs_exist_ok=True)
    (folder / name).write_bytes(scrambled(data, (folder / name).read_bytes()))
    read_or_refuse(read_topsearch, folder, "`(folder|names)`")


@freely
@given(st.sampled_from(["min.data", "ts.data", "points.min", "points.ts"]), st.data())
def test_no_bytes_break_the_reader_of_pathsample(pathsample, name, data):
    original = (pathsample / name).read_bytes()
    try:
        (pathsample / name).write_bytes(scrambled(data, original))
        read_or_refuse(read_pathsample, pathsample, "`(folder|names)`")
    finally:
        (pathsample / name).write_bytes(original)


@freely
@given(st.data())
def test_no_bytes_break_the_reader_of_graphml(tmp_path, data):
    path = tmp_path / "map.graphml"
    write_graphml(make([[0.0], [1.0]], [0, 1], [[[1]]] * 2, [[0.5]], [2], [[[-1]]], [[0, 1]]), path)
    path.write_bytes(scrambled(data, path.read_bytes()))
    read_or_refuse(read_graphml, path, "`path`")


def scrambled(data, content):
    """The content with some bytes in the middle put in place of others."""
    start = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, 30))
    noise = st.one_of(
        st.binary(max_size=20), st.text('0123456789.eD-+ \n<>"/', max_size=20).map(str.encode)
    )
    return content[:start] + data.draw(noise) + content[start + length :]


def read_or_refuse(read, path, words):
    """Either a map of finite energies comes, or one sentence about an argument."""
    try:
        landscape = read(path)
    except ValueError as error:
        said = str(error)
    else:
        assert np.isfinite(landscape.minima["theta"]).all()
        return
    assert re.match(words, said), said
