"""Names and messages full of escapes and markup: nothing of them is acted upon, anywhere."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from canary.cli.inspect.log import _document, _print_entry
from canary.cli.inspect.status import print_status
from canary.cli.output import print_json
from canary.engine.change.dry_run import describe
from canary.engine.observe.journal_view import journal_events, view_change
from canary.rollout.change.change import Change, ChangeEvidence, Outcome, Request
from canary.rollout.change.hold import Hold
from canary.rollout.change.irreversible import Irreversible
from canary.rollout.change.marks import Mark
from canary.rollout.change.moves import rollback_all
from canary.rollout.export.notification import (
    change_notice,
    outcome_notice,
    place_of,
    slack_document,
)
from canary.rollout.export.openmetrics import write_openmetrics
from canary.rollout.plan.freeze import Frozen
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Drift, Event, Snapshot, SourceView
from canary.rollout.snapshot.status import status_document, status_line
from canary.store.journal import Entry, Note
from tests.hostile.text import HOSTILE, is_harmless, poison
from tests.tui import scenes
from tests.tui.scripted import staged
from tui.pages.summary import summarize, terminal_title


def plan() -> Plan:
    return scenes.plan()


def snapshot() -> Snapshot:
    """Everything that can hold text, and all of it hostile."""
    whole = scenes.snapshot(
        percent=40,
        drift=Drift(10, 40, HOSTILE, scenes.NOW - 60),
        changes=(scenes.in_flight(), scenes.failed()),
        events=(Event(scenes.NOW, "critical", HOSTILE, HOSTILE),),
        sources=(SourceView("Cloud Run", "failing", HOSTILE, scenes.NOW - 60),),
    )
    whole = msgspec.structs.replace(
        whole,
        hold=Hold(reason=HOSTILE, by=HOSTILE, host=HOSTILE, at=scenes.NOW - 60, change=HOSTILE),
        irreversible=Irreversible(HOSTILE, HOSTILE, HOSTILE, scenes.NOW - 60, HOSTILE, HOSTILE),
        marks=(Mark(scenes.NOW - 60, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        freeze=Frozen(None, HOSTILE),
    )
    return poison(whole)


def change() -> Change:
    standing = scenes.snapshot().standing
    assert standing is not None
    request = Request("c1", scenes.AUTHOR, scenes.NOW, HOSTILE, evidence=ChangeEvidence())
    built = rollback_all(plan(), standing, request)
    return poison(msgspec.structs.replace(built, id="c1"))


def entry() -> Entry:
    outcome = Outcome("failed", HOSTILE, scenes.NOW, 10, HOSTILE)
    notes = (Note(0, "sent", HOSTILE, scenes.NOW), Note(0, "unknown", HOSTILE, scenes.NOW))
    return Entry(1, change(), notes, outcome, acknowledged=False, intended_at=0.0, owner="")


def test_the_poison_reaches_what_it_is_to_reach():
    shot = snapshot()
    assert shot.canary.service == HOSTILE
    assert shot.events[0].text == HOSTILE
    assert shot.decision.verdict in ("continue", "watch", "no_data")
    assert not is_harmless(HOSTILE)


def test_status_for_people(capsys: pytest.CaptureFixture[str]):
    print_status(snapshot(), plan())
    assert is_harmless(capsys.readouterr().out)


def test_the_one_line_for_a_status_bar():
    line = status_line(snapshot(), scenes.plan())
    assert is_harmless(line)
    assert "\n" not in line


def test_the_documents_for_programs(capsys: pytest.CaptureFixture[str]):
    print_json(status_document(snapshot()))
    said = capsys.readouterr().out
    assert is_harmless(said)
    json.loads(said)


def test_the_terminals_title_and_the_summary_to_copy():
    assert is_harmless(terminal_title(snapshot(), scenes.plan()))
    assert "\n" not in terminal_title(snapshot(), scenes.plan())
    assert is_harmless(summarize(snapshot(), scenes.plan(), scenes.NOW))


def test_the_log_of_changes(capsys: pytest.CaptureFixture[str]):
    _print_entry(entry())
    assert is_harmless(capsys.readouterr().out)
    print_json(_document(entry()))
    assert is_harmless(capsys.readouterr().out)


def test_the_events_and_the_change_that_come_of_the_journal():
    shown = [event.text + event.by for event in journal_events((entry(),))]
    view = view_change(entry())
    assert all(is_harmless(text) and "\n" not in text for text in (*shown, view.title, view.step))


def test_the_dry_run_and_its_command_line():
    run = describe(change(), plan())
    for line in (*run.lines, *run.gcloud):
        assert is_harmless(line)
        assert "\n" not in line


@pytest.mark.parametrize("textfile", [False, True])
def test_the_metrics_for_a_scraper(textfile: bool):
    shot = snapshot()
    said = write_openmetrics(
        shot, plan(), shot.as_of, shot.changes, shot.verdict_since, textfile=textfile
    )
    assert is_harmless(said)
    assert all(line.startswith(("#", "canary_")) for line in said.splitlines())


def test_what_goes_out_by_webhook():
    place = place_of(HOSTILE, HOSTILE, "local")
    for notification in (
        change_notice(change(), place),
        outcome_notice(change(), Outcome("failed", HOSTILE, 1.0, 10, HOSTILE), place),
    ):
        assert is_harmless(json.dumps(slack_document(notification), ensure_ascii=False))


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24), (40, 10)])
async def test_the_screen(size: tuple[int, int]):
    async with staged(size, snapshot()) as stage:
        assert is_harmless(stage.frame())
        for keys in (("e",), ("g",), ("?", "escape"), ("z", "z"), ("R", "n")):
            await stage.press(*keys)
            assert is_harmless(stage.frame())


async def test_the_screen_takes_no_markup_for_style():
    """What looks like markup is shown as it is: it colours nothing and links nowhere."""
    shot = poison(scenes.snapshot(), "[bold red on blue link=http://evil]x[/]")
    async with staged((160, 48), shot) as stage:
        for strip in stage.app.screen._compositor.render_strips():
            for segment in strip:
                assert segment.style is None or not segment.style.link


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\x1b[" * 100_000, "é" * 100_000, ""])
async def test_texts_of_any_length_fit_into_the_screen(text: str):
    async with staged((80, 24), poison(scenes.snapshot(), text)) as stage:
        assert all(len(line) <= 80 for line in stage.frame().splitlines())


def test_errors_of_the_cloud_are_made_plain():
    from canary.cloud.connection.errors import (
        translate,
        translate_change,
        translate_failed_operation,
    )

    class Foreign(OSError):
        def __str__(self) -> str:
            return HOSTILE

    said: list[Any] = [
        translate(Foreign(), "Cloud Run", "reading"),
        translate_change(Foreign(), "Cloud Run", "changing"),
        translate_failed_operation(13, HOSTILE, "Cloud Run", "changing"),
    ]
    assert all(is_harmless(str(error)) for error in said)
