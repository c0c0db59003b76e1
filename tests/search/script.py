"""A counterexample as a script that replays it on the embedded cloud, over the real protocols."""

from __future__ import annotations

from tests.search.search import Violation

_HEAD = """\
# {invariant}
import asyncio, pathlib, tempfile
from tests.embedded import embed
from tests.search.replay import Replay, plan_of

async def main():
    async with embed(plan_of(carrier={carrier}), **{config!r}) as cloud:
        at = Replay(cloud, pathlib.Path(tempfile.mkdtemp()))
        await at.scale({legacy})
"""
_FOOT = """\
        print("holds" if await at.holds() else "does not hold")

asyncio.run(main())
"""


def script_of(violation: Violation) -> str:
    """Questions and foreign changes where they come; an executor runs from its beginning to its end
    where its last instant is: what is interleaved finer is a comment.
    """
    from tests.search.replay import config_of

    legacy = violation.beginning.legacy
    head = _HEAD.format(
        invariant=violation.invariant,
        carrier=violation.carrier,
        config=config_of(violation),
        legacy=(legacy.min, legacy.max),
    )
    lines = (f"        {line}\n" for line in _lines(violation))
    return "".join((head, *lines, _FOOT))


def _lines(violation: Violation) -> list[str]:
    last = {who: index for index, (who, _) in enumerate(violation.events)}
    lines = []
    for index, (who, what) in enumerate(violation.events):
        if not who:
            lines.append(f"at.meddle({what!r})")
        elif what.startswith("ask "):
            lines.append(f"await at.ask({who!r}, {what[4:]!r})")
        elif index == last[who]:
            lines.append(f"print(await at.carry_out({who!r}))  # {what}")
        else:
            lines.append(f"# {who}: {what}")
    return lines
