"""What the suite leaves to the long run: more of the same, which seldom finds anything more.

`pytest --long` (`scripts/long`) runs it with the rest. Each claim has a part in the suite, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings


def spread(values: Iterable[Any], suite: Iterable[Any]) -> list[Any]:
    """All values of one parameter, of which the suite tries `suite` and the long run all."""
    now = list(suite)
    return [v if v in now else pytest.param(v, marks=pytest.mark.long) for v in values]


def examples(suite: int, long_run: int, **others: Any) -> settings:
    """For a property that is dear: so many examples in the suite, and so many in the long run."""
    is_long = settings.default == settings.get_profile("long")
    return settings(max_examples=long_run if is_long else suite, **others)
