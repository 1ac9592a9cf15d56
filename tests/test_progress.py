"""Progress never disturbs a run, and says what it is told."""

import io

import pytest

from bayescape.progress import reporter


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_one_line_in_the_algorithm_s_words(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with reporter(True, "mapping") as report:
        report(minima=3, coverage=0.98765, transition_states=2)
        report(minima=4)
    last = terminal.getvalue().split("\r")[-1]
    assert "mapping: minima 4, coverage 0.988, transition states 2" in last
    assert last.endswith("\n")


def test_no_terminal_no_output(monkeypatch):
    plain = io.StringIO()
    monkeypatch.setattr("sys.stderr", plain)
    for progress in (True, False):
        with reporter(progress, "mapping") as report:
            report(minima=1)
    assert plain.getvalue() == ""


def test_a_display_that_fails_is_no_failure_of_the_run():
    def broken(**_):
        raise RuntimeError("display")

    with reporter(broken, "mapping") as report:
        report(minima=1)


def test_errors_of_the_run_come_through():
    with pytest.raises(ZeroDivisionError), reporter(lambda **_: None, "mapping"):
        raise ZeroDivisionError
