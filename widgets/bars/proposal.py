"""What the confirm strip asks about, and its rows."""

from __future__ import annotations

from typing import Final

import msgspec

from canary.rollout.text import keep_printable, sanitize
from themes import Palette
from widgets.plots.canvas import Run
from widgets.plots.wrapping import wrap_runs


class Proposal(msgspec.Struct, frozen=True):
    """What is to be confirmed. All text may come from outside; it is made plain when drawn.

    `change_id` comes back in the answer. `title` is what is done ("Promote to stage 3"), `facts`
    what changes from → to ("canary 10 % → 25 %"), `target` the revision or service, `data_age`
    words, `unmet` the gates that fail, `command` the gcloud equivalent, `whole` the
    shell's command that shows all of it where it does not fit, `typed_name` a name that
    must be typed ("": `y` is enough). `note` is what to know of it: why its steps come in their
    order, that it makes real load. `takes_reason`: why may be typed beside it, and comes with the
    answer; `needs_reason` says why it must be ("": it need not).
    """

    change_id: str
    title: str
    facts: tuple[str, ...] = ()
    target: str = ""
    data_age: str = ""
    unmet: tuple[str, ...] = ()
    command: str = ""
    whole: str = ""
    typed_name: str = ""
    note: str = ""
    takes_reason: bool = False
    needs_reason: str = ""


class Answering(msgspec.Struct, frozen=True):
    """How far the answer is: what was typed of the name and of the reason, which field is open,
    why the question has died ("": it has not), and the age of the data in words, as it is now.
    """

    typed: str = ""
    reason: str = ""
    is_typing_reason: bool = False
    death: str = ""
    age: str = ""


CARET: Final = "▏"


def question_rows(
    proposal: Proposal, state: Answering, width: int, palette: Palette
) -> list[list[Run]]:
    """What is asked, whole, in rows of `width` cells: the matter, the doubts, the command, why."""
    parts: list[list[list[Run]]] = [[_what(proposal, state, palette)]]
    if not state.death:
        parts += [[_doubts(proposal, palette)], [_command(proposal, palette)]]
    rows = [row for part in parts if part[0] for row in wrap_runs(part, width)]
    if proposal.takes_reason and not state.death and (state.reason or state.is_typing_reason):
        caret = CARET if state.is_typing_reason else ""
        said: list[Run] = [("reason: ", palette.dim), (f"{state.reason}{caret}", palette.strip)]
        rows += wrap_runs([said], width)
    return rows


def answer_rows(
    proposal: Proposal, state: Answering, width: int, palette: Palette
) -> list[list[Run]]:
    """How it is answered, and how it is left."""
    return wrap_runs([_answer(proposal, state, palette)], width)


def _what(proposal: Proposal, state: Answering, palette: Palette) -> list[Run]:
    """What is done, from what to what, on what, on how old data."""
    rest = [*proposal.facts, proposal.target, state.age or proposal.data_age]
    text = "  ".join(sanitize(part, 120) for part in rest if part)
    return [(sanitize(proposal.title, 80), palette.strip), (f"  {text}", palette.text)]


def _doubts(proposal: Proposal, palette: Palette) -> list[Run]:
    note = sanitize(" ".join(filter(None, [proposal.needs_reason, proposal.note])), 500)
    if not proposal.unmet:
        return [(f"! {note}", palette.text)] if note else []
    listed = ", ".join(sanitize(gate, 60) for gate in proposal.unmet)
    return [(f"✗ not met: {listed}", palette.watch), (f"  {note}" if note else "", palette.text)]


def _command(proposal: Proposal, palette: Palette) -> list[Run]:
    """The command, whole: half of one that looks like a whole one must never be there to be typed.
    The longest of them can be seen in the shell, too.
    """
    if not proposal.command:
        return []
    return [(f"$ {keep_printable(proposal.command)}", palette.dim)]


def _answer(proposal: Proposal, state: Answering, palette: Palette) -> list[Run]:
    if state.death:
        return [
            ("✗ ", palette.alarm),
            (f"{sanitize(state.death, 200)} ", palette.text),
            ("Nothing was sent. ", palette.text),
            ("Esc", palette.key),
            (" closes", palette.dim),
        ]
    if state.is_typing_reason:
        return [
            ("Enter", palette.key),
            (" keeps the reason   ", palette.dim),
            ("Esc", palette.key),
            (" leaves the field", palette.dim),
        ]
    why = _why_hint(proposal, state, palette)
    if proposal.typed_name:
        return [*_typed(proposal, state, palette), *why]
    may = not proposal.needs_reason or bool(state.reason.strip())
    return [
        ("y", palette.key if may else palette.key_off),
        (" confirm   ", palette.dim if may else palette.key_off),
        ("n", palette.key),
        (" or Esc cancels", palette.dim),
        *why,
    ]


def _typed(proposal: Proposal, state: Answering, palette: Palette) -> list[Run]:
    """The name that must be typed; that what was typed is another is said as soon as it is."""
    ready = state.typed == proposal.typed_name
    wrong = bool(state.typed) and not proposal.typed_name.startswith(state.typed)
    said: list[Run] = [("   ✗ not that name", palette.watch)] if wrong else []
    return [
        (f"type {sanitize(proposal.typed_name, 80)}: ", palette.text),
        (sanitize(state.typed, 100) + CARET, palette.strip),
        *said,
        ("  Enter", palette.key if ready else palette.key_off),
        (" confirms  ", palette.dim if ready else palette.key_off),
        ("Esc", palette.key),
        (" cancels", palette.dim),
    ]


def _why_hint(proposal: Proposal, state: Answering, palette: Palette) -> list[Run]:
    if not proposal.takes_reason:
        return []
    key = "Tab" if proposal.typed_name else "i"
    said = "a reason, which it needs" if proposal.needs_reason and not state.reason else "a reason"
    return [("   ", palette.text), (key, palette.key), (f" {said}", palette.dim)]
