"""`python -m benchmarks.evidence`: the simulation bars of the evidence, measured and printed.

Every bar is judged by the functions that the console uses. Two processes; under five minutes.
Exits 1 when a bar is missed. `--quick` makes a tenth of the runs, to see that it works.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
import time
from collections.abc import Callable

import msgspec

from benchmarks import evidence_naive as naive
from benchmarks.evidence_bursts import (
    Bursts,
    Rise,
    bursts_proven_run,
    crash_loop_hidden_run,
    crash_loop_run,
    false_pass_run,
    instances_run,
    rise_run,
)
from benchmarks.evidence_cases import (
    Ratios,
    Run,
    alarms,
    latency_run,
    moving_share_run,
    quantile,
    ratio_run,
    score_run,
)

PROCESSES = 2
CHUNK = 20

Delays = list[float | None]


class Figure(msgspec.Struct, frozen=True):
    """What another way of judging would do, to compare with: no bar. `known`: as published."""

    text: str
    run: Run
    runs: int
    known: str


class Bar(msgspec.Struct, frozen=True):
    """One line of the table: what is run how often, and what must hold of it.

    `most`: of the share of runs that alarm, or of the median and the 90th percentile delay.
    """

    text: str
    run: Run
    runs: int
    most: tuple[float, ...]


def _ratio(requests_per_s: float, **options: float | bool) -> Run:
    settings = {"requests_per_s": requests_per_s, **options}
    return functools.partial(ratio_run, msgspec.convert(settings, Ratios))


def bars() -> list[Bar]:
    """The table, in its order."""
    null = "no difference, 0.5 %, 2 h, "
    rise = "0.5 → 3 % from the start, "
    return [
        *(
            # As the console shows it: with the mixture over starts.
            Bar(f"{null}{n} requests/s: ever worse now", _ratio(n), 2000, (0.017,))
            for n in (20, 100, 500)
        ),
        Bar(f"{rise}20 requests/s", _rise(20), 1000, (240, 520)),
        Bar(f"{rise}50 requests/s", _rise(50), 1000, (100, 210)),
        Bar(f"{rise}100 requests/s", _rise(100), 1000, (50, 115)),
        Bar(f"{rise}200 requests/s", _rise(200), 1000, (30, 60)),
        Bar(
            "onset after 30 healthy minutes, mixture, 100 requests/s",
            _ratio(100, canary=0.03, onset_s=1800.0),
            1000,
            (90, 165),
        ),
        Bar(
            "only Cloud Monitoring (60 s windows), 100 requests/s",
            _ratio(100, canary=0.03, window_s=60.0),
            1000,
            (60, 120),
        ),
        Bar("latency × 1.5, 100 requests/s", latency_run, 1000, (50, 85)),
        Bar("score −0.05, 20 requests/s", functools.partial(score_run, -0.05), 1000, (130, 190)),
        Bar(
            "score −0.05 after 24 healthy hours, 20 requests/s",
            functools.partial(score_run, -0.05, healthy_s=86_400.0),
            200,
            (400, 600),
        ),
        Bar("score, no difference: ever alarms", functools.partial(score_run, 0.0), 2000, (0.017,)),
        Bar(
            "false pass at a true ratio of 2 (α .05), 100 requests/s",
            false_pass_run,
            300,
            (0.05,),
        ),
        Bar("share moves and base rate rises together", moving_share_run, 1000, (0.01,)),
        *burst_bars(),
    ]


def burst_bars() -> list[Bar]:
    """What is called proven: rare in bursts without a difference, soon where there is one.

    Fewer runs than of the quick test, which costs a tenth: two processes in six minutes.
    """
    alone = [
        Bar(
            f"bursts of 60 s in Canary alone, CV {cv}, {n} requests/s: ever proven",
            functools.partial(bursts_proven_run, Bursts(n, canary_cv=cv)),
            200,
            (0.01,),
        )
        for n in (100, 500)
        for cv in (1, 2)
    ]
    return [
        *(
            Bar(
                f"no difference, {n} requests/s: ever proven",
                functools.partial(bursts_proven_run, Bursts(n)),
                200,
                (0.005,),
            )
            for n in (20, 100, 500)
        ),
        *alone,
        Bar(
            "bursts of 60 s in both arms, each its own, 100 requests/s: ever proven",
            functools.partial(bursts_proven_run, Bursts(100, canary_cv=1, legacy_cv=1)),
            200,
            (0.01,),
        ),
        Bar("20 alike instances: ever proven", functools.partial(instances_run, 20), 200, (0.015,)),
        Bar("3 alike instances: ever proven", functools.partial(instances_run, 3), 200, (0.025,)),
        Bar(
            "bursts of 300 s in Canary alone, blocks of 300 s: ever proven",
            functools.partial(
                bursts_proven_run, Bursts(100, canary_cv=1, burst_s=300.0, holds_for_s=300.0)
            ),
            200,
            (0.01,),
        ),
        *(
            Bar(
                f"0.5 → 3 % from the start, {n} requests/s: proven",
                functools.partial(rise_run, Rise(n)),
                300,
                most,
            )
            for n, most in ((20, (410, 760)), (100, (270, 310)), (500, (245, 270)))
        ),
        Bar(
            "the same after 30 healthy minutes, 100 requests/s: proven",
            functools.partial(rise_run, Rise(100, 1800.0)),
            300,
            (370, 440),
        ),
        Bar(
            "crash loop, 20 s in every 2 min: proven",
            functools.partial(crash_loop_run, 120.0),
            200,
            (900, 900),
        ),
        Bar(
            "crash loop, 20 s in every 5 min: proven",
            functools.partial(crash_loop_run, 300.0),
            200,
            (1800, 1800),
        ),
        Bar(
            "crash loop, 2 min: fewer than 95 % of looks say worse now",
            functools.partial(crash_loop_hidden_run, 120.0),
            100,
            (0.0,),
        ),
        Bar(
            "crash loop, 5 min: fewer than 95 % of looks say worse now",
            functools.partial(crash_loop_hidden_run, 300.0),
            100,
            (0.0,),
        ),
    ]


def _rise(requests_per_s: float) -> Run:
    """As the console runs it: with the mixture. Without, the first alarm would come earlier."""
    return _ratio(requests_per_s, canary=0.03)


def figures() -> list[Figure]:
    """How often the ways that the evidence avoids are wrong, and where its own limits are."""
    peeking, bursts = naive.peeking_run, naive.bursts_run
    equal = [
        Figure(
            f"z-test asked every 5 s, equal sides, {n} requests/s",
            _with(peeking, n, 0.5),
            1000,
            "42-48 %",
        )
        for n in (20, 100, 500)
    ]
    small = [
        Figure(f"the same, 5 % share, {n} requests/s", _with(peeking, n, 0.05), 300, "nearly half")
        for n in (20, 100, 500)
    ]
    fixed = Figure(
        "1 % limit on a minute of 5 % of 20 requests/s, 1 h",
        naive.small_side_run,
        1000,
        "almost surely",
    )
    pooled = Figure(
        "share and base rate rise, pooled z-test", naive.pooled_moving_share_run, 1000, "100 %"
    )
    arms = [
        Figure(
            f"bursts in one arm (CV 1, {s} s), {n} requests/s, bare e-process",
            _with(bursts, n, s),
            200,
            "24-61 %",
        )
        for n, s in ((100, 300), (500, 60), (500, 300))
    ]
    return [*equal, *small, fixed, pooled, *arms]


def compare_delays(runs: int, spread: Callable[..., Delays]) -> None:
    """0.5 → 3 % at 5 % of 100 requests/s: what others take, how often they are wrong, the bound."""
    bound = naive.information_bound_s(100, 0.05, 0.005, 0.03, 0.01)
    print("0.5 → 3 % from the start, 100 requests/s: median / 90 %, and without a difference")
    for text, run in (("z-test, p < .05", naive.z_run), ("mSPRT, α = .01", naive.msprt_run)):
        delays = spread(_with(run, 100, 0.03), range(runs), CHUNK)
        wrong = alarms(spread(_with(run, 100, 0.005), range(runs), CHUNK))
        said = f"{quantile(delays, 0.5):.0f} / {quantile(delays, 0.9):.0f} s"
        print(f"{text:<60} {runs:>5} {said:>14} {wrong:>14.1%}", flush=True)
    print(f"{'information bound, α = .01':<66} {bound:>10.1f} s")


def _with(run: Callable[..., float | None], *arguments: float) -> Run:
    return functools.partial(run, *arguments)


def measure(bar: Bar, runs: int, spread: Callable[..., Delays]) -> tuple[float, ...]:
    """The share of alarms, or median and 90th percentile delay."""
    delays = spread(bar.run, range(runs), CHUNK)
    if len(bar.most) == 1:
        return (alarms(delays),)
    return (quantile(delays, 0.5), quantile(delays, 0.9))


def say(bar: Bar, runs: int, found: tuple[float, ...], took_s: float) -> bool:
    """Print one line; whether the bar is met."""
    met = all(value <= most for value, most in zip(found, bar.most, strict=True))
    if len(found) == 1:
        said, limit = f"{found[0]:.2%}", f"≤ {bar.most[0]:.1%}"
    else:
        said, limit = f"{found[0]:.0f} / {found[1]:.0f} s", f"≤ {bar.most[0]} / {bar.most[1]} s"
    verdict = "met" if met else "MISSED"
    print(f"{bar.text:<60} {runs:>5} {said:>14} {limit:>14}  {verdict:<6} {took_s:5.1f} s")
    sys.stdout.flush()
    return met


def main() -> int:
    """Measure all bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    quick = parser.parse_args().quick
    begun, all_met = time.monotonic(), True
    print(f"{'5 % share, α = .01, windows of 5 s':<60} {'runs':>5} {'measured':>14} {'bar':>14}")
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        for bar in bars():
            since, runs = time.monotonic(), bar.runs // 10 if quick else bar.runs
            found = measure(bar, runs, pool.map)
            all_met = say(bar, runs, found, time.monotonic() - since) and all_met
        print(f"{'to compare with: ever alarms without a difference':<60} {'':>5} {'':>14} known")
        for each in figures():
            runs = each.runs // 10 if quick else each.runs
            share = alarms(pool.map(each.run, range(runs), CHUNK))
            print(f"{each.text:<66} {runs:>5} {share:>8.1%} {each.known:>14}", flush=True)
        compare_delays(30 if quick else 300, pool.map)
    print(
        f"{'every bar met' if all_met else 'NOT every bar met'}, {time.monotonic() - begun:.0f} s"
    )
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
