"""`canary doctor --probe`: a report of what only a real project can show."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from canary.cli.opening import PlanSource, open_session
from canary.cli.output import conclude, keep, print_json, say

if TYPE_CHECKING:
    from canary.engine.jobs.fidelity import ProbeCheck

REPORT: Final = "canary-probe.json"
_GLYPHS: Final = {"ok": "✓", "differs": "✗", "unknown": "?"}


def run_probe(source: PlanSource, *, as_json: bool) -> int:
    """Ask, say and write. Exits 0 whatever was found: nothing is judged; 3 without a report."""
    from importlib.metadata import version

    from canary.engine.jobs.fidelity import probe_document
    from canary.store.outputs import write_output

    checks = asyncio.run(_ask(source))
    document = probe_document(checks, source.plan, version("canary-console"))
    path = source.outputs / REPORT
    _, error = keep(lambda: write_output(path, document))
    if as_json:
        print_json(document)
    else:
        where = "LOCAL CLOUD" if source.plan.provider == "local" else "the real cloud"
        say(f"Asked of {where}; nothing was changed.")
        for check in checks:
            say(f"{_GLYPHS[check.state]} {check.id.replace('_', ' ')}: {check.said}")
        if error is None:
            say(f"Written to {path}: no names of yours are in it. Attach it to an issue.")
    return conclude(0, error)


async def _ask(source: PlanSource) -> list[ProbeCheck]:
    from canary.engine.jobs.fidelity import probe_cloud

    async with open_session(source) as session:
        return await probe_cloud(session)
