"""A cloud at each of the four routers."""

from pathlib import Path

import pytest

from tests.chaos.routers import PLANS, install_program
from tests.embedded import Embed


@pytest.fixture(params=sorted(PLANS))
async def on_each_router(embed: Embed, request: pytest.FixtureRequest, tmp_path: Path):
    """At 10 %."""
    async with embed(PLANS[request.param], http=True, operation_s=0.0) as opened:
        if request.param == "command":
            install_program(opened, tmp_path)
        yield opened
