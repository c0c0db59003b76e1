import math
from random import Random

import pytest

from canary.rollout.failures.discoveries import find_discoveries
from canary.simulator.world.traffic.sampling import standard_normal


# why.md, "Beyond chance, in many groups at once"; α .05, m = 4: 80, 40, 26.7, 20.
@pytest.mark.parametrize(
    ("e_values", "marked"),
    [
        ((2_000, 90, 45, 3), {0, 1, 2}),
        ((70, 41, 3, 1), {0, 1}),
        ((70, 39, 3, 1), set()),
        ((3, 45, 2_000, 90), {1, 2, 3}),
        ((), set()),
        ((20,), {0}),
        ((19.9,), set()),
    ],
)
def test_the_worked_numbers(e_values, marked):
    assert find_discoveries([math.log(e) for e in e_values]) == marked


def test_of_many_groups_without_a_difference_few_are_ever_marked():
    rng, false = Random(7), 0
    for _ in range(400):
        # Likelihood ratios of a normal shift: e-values under the null.
        logs = [0.8 * standard_normal(rng) - 0.32 for _ in range(50)]
        false += bool(find_discoveries(logs))
    assert false <= 0.05 * 400
