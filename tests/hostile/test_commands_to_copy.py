"""A command to be copied does what it says: made harmless first, quoted last, never half."""

from __future__ import annotations

import shlex
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from canary.cli.commands import LONGEST_SENTENCE, _print_error
from canary.engine.change.dry_run import describe
from canary.engine.change.notes import without_journal
from canary.rollout.change import moves
from canary.rollout.change.change import Author, Guard, Request, Standing
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import keep_printable, quote_command
from tests.embedded import DEFAULT_PLAN, with_router
from themes import PALETTES
from widgets.bars.proposal import Answering, Proposal, question_rows

BAD = (
    "\x1b]0;title",  # takes what follows with it, up to its end
    "\x1b]8;;http://x\x07",
    "a\x07'; touch /tmp/owned; '",
    "\x9b31m$(id)",
    "‮gnp.`id`",
    "two\nlines",
    "~/$HOME && rm -rf /",
    "''\"\"\\",
)


@given(st.lists(st.one_of(st.text(), st.sampled_from(BAD)), min_size=1, max_size=6))
def test_a_shell_reads_the_arguments_and_nothing_else(arguments: list[str]):
    command = quote_command(arguments)
    assert shlex.split(command) == [keep_printable(each) for each in arguments]
    assert not any(unicodedata.category(each) in ("Cc", "Cf") for each in command)


def change(plan: Plan):
    standing = Standing(stage=2, percent=10, guard=Guard(plan.router_service, "e'1\x1b]0;", 10))
    request = Request("c1", Author("oncall", "b"), 1000.0)
    return moves.rollback_all(plan, standing, request)


def hostile_plans() -> list[Plan]:
    name = "ion\x1b]0;x'; id; '"
    target = msgspec.structs.replace(DEFAULT_PLAN.target, project=name, region=name, legacy=name)
    plan = msgspec.structs.replace(DEFAULT_PLAN, target=target)
    return [
        with_router(plan, kind="env", service=name, variable="V\x1b]0;'; id; '"),
        with_router(plan, kind="revisions", service=name, candidate=name),
        with_router(
            plan, kind="url-map", url_map=name, legacy_backend=name, canary_backend="b'\x9b;id;"
        ),
        with_router(plan, kind="command", set=("/bin/x", name, "{percent}"), service=name),
    ]


@pytest.mark.parametrize("plan", hostile_plans(), ids=lambda plan: plan.target.router.kind)
def test_the_commands_of_every_router_are_one_command_each(plan: Plan):
    for command in describe(change(plan), plan).gcloud:
        assert command == keep_printable(command)
        harmless = command.replace('"Authorization: Bearer $(gcloud auth print-access-token)"', "")
        words = list(shlex.shlex(harmless, posix=True, punctuation_chars=True))
        assert not {";", "&&", "|", "&", "(", ")"} & set(words), words


def test_a_refusal_that_is_cut_has_its_commands_whole(capsys: pytest.CaptureFixture[str]):
    plan = with_router(DEFAULT_PLAN, kind="command", set=("/bin/x", "a" * 3000, "{percent}"))
    asked = change(plan)
    refused = without_journal(RecordError("No room."), asked, plan)
    assert len(str(refused)) > LONGEST_SENTENCE
    assert _print_error(refused, ["--json"]) == 3
    said = capsys.readouterr()
    (command,) = describe(asked, plan).gcloud
    assert f"  by hand: {command}\n" in said.err
    assert msgspec.json.decode(said.out)["error"]["commands"] == [command]


@given(
    st.text("abcdefgh -='/", min_size=1, max_size=400).map(str.strip).filter(bool),
    st.integers(30, 120),
)
def test_a_question_shows_the_whole_command_at_any_width(command: str, width: int):
    """Half of one that looks like a whole one must never be there to be typed."""
    proposal = Proposal("c1", "Roll back all", command=command)
    rows = question_rows(proposal, Answering(), width, PALETTES["dark"])
    lines = ["".join(text for text, _ in row) for row in rows]
    assert all(cell_len(line) <= width for line in lines)
    said = "".join(lines).replace(" ", "")
    assert said.endswith(f"${command}".replace(" ", ""))
