"""`python -m tests.search [GUARD…]`: search everything; with names, without those guards."""

import sys
import time

from tests.search.script import script_of
from tests.search.search import search_all

for carrier in (True, False):
    began = time.monotonic()
    result = search_all(carrier=carrier, without=frozenset(sys.argv[1:]))
    took_s = time.monotonic() - began
    where = "Legacy carries the split" if carrier else "another carries the split"
    print(f"{where}: {result.states} states, {result.transitions} transitions, {took_s:.0f} s")  # noqa: T201
    if result.violation is not None:
        sys.exit(script_of(result.violation))
print("no violation")  # noqa: T201
