"""The figures that the benchmark prints beside the bars."""

import pytest

from benchmarks.evidence import bars
from benchmarks.evidence_naive import information_bound_s, msprt_run


def test_the_information_bound_is_the_published_one():
    # 35.6 s for 0.5 → 3 % at 5 % of 100 requests/s
    assert information_bound_s(100, 0.05, 0.005, 0.03, 0.01) == pytest.approx(35.6, abs=0.05)


def test_an_msprt_finds_a_rise_in_every_run():
    assert all(msprt_run(100, 0.03, seed) is not None for seed in range(9))


def test_no_bar_measures_less_than_what_the_console_shows():
    cases = [bar.run.args[0] for bar in bars() if getattr(bar.run, "args", ())]
    assert all(getattr(case, "late_onset", True) for case in cases)
