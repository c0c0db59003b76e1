"""Timeline and handover of a rollout that was recorded, with a promotion and an incident."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest

from canary.rollout.export.report import ReportFacts, StageSpan, to_markdown
from canary.rollout.export.report_content import build_report
from canary.rollout.recording.handover import make_handover
from canary.rollout.recording.player import Recording
from canary.rollout.recording.timeline import read_timeline
from canary.rollout.recording.timeline_changes import Row
from canary.rollout.recording.timeline_text import format_timeline
from canary.store.paths import recording_path
from canary.store.recording import RecordingFile
from tests.embedded import Embedded, embed
from tests.engine.recorded import Recorded, record_incident

HOSTILE = Row(0.0, "change", "=cmd|' /C calc'!A0 | <script>", "-eve", "@sum")


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a recording that is only read."""
    directory = tmp_path_factory.mktemp("incident")

    async def keep() -> None:
        async with embed() as cloud:
            await record_incident(cloud, directory)

    asyncio.run(keep())
    return recording_path(directory)


@pytest.fixture
def recording(incident: Path) -> Recording:
    return Recording(RecordingFile(incident, read_only=True))


async def test_an_incident_is_told_in_order_with_who_why_and_numbers(recording: Recording) -> None:
    rows = read_timeline(recording, recording.begin, recording.end)
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    said = [row.event for row in rows]
    promoted = next(row for row in rows if row.event.startswith("promoted"))
    back = next(row for row in rows if row.event.startswith("rolled back all"))
    assert promoted.event == "promoted 10 % → 25 % (stage 2 → 3): gates were met"
    assert promoted.who == back.who == "oncall@bastion-2"
    assert "errors of" in promoted.data
    assert back.event.endswith(": errors")
    watch = next(i for i, s in enumerate(said) if s.startswith("state: HEALTHY → WATCH"))
    worse = next(i for i, s in enumerate(said) if s.startswith("state: WATCH → ROLL BACK ALL"))
    assert watch < worse < said.index(back.event)
    assert "> 5 %" in said[worse]
    assert said.index("source lost: Cloud Monitoring") < said.index("source back: Cloud Monitoring")
    assert any(s.startswith("gates opened: ") for s in said)

    of_three = read_timeline(recording, recording.begin, recording.end, stage=3)
    assert {row.stage for row in of_three} == {3}
    assert 0 < len(of_three) < len(rows)
    later = read_timeline(recording, back.at, recording.end)
    assert not any(row.event.startswith("promoted") for row in later)

    for row in (r for r in rows if r.event.startswith("gate closed")):
        assert not row.data or "but needs" in row.data, "what is not met is not told as if it were"

    handover = handover_of(recording, rows)
    assert len(handover.splitlines()) <= 40
    assert "**– OFF**: all traffic is on Legacy" in handover
    assert "promoted 10 % → 25 % (stage 2 → 3): gates were met – oncall@bastion-2" in handover
    assert "automatic rollback is off" in handover


def handover_of(recording: Recording, rows: list[Row]) -> str:
    frame = recording.read(recording.find(recording.end)).frame
    end = recording.end
    return make_handover(frame.snapshot, frame.plan, rows, now=end, since=end - 8 * 3600)


async def test_a_long_shift_stays_on_one_screen(recording: Recording) -> None:
    many = [Row(float(n), "state", f"state: A → B {n}") for n in range(400)]
    text = handover_of(recording, many)
    assert len(text.splitlines()) <= 40
    assert "- and 386 more: `canary timeline`" in text


def test_the_same_columns_in_every_format() -> None:
    rows = [Row(0.0, "change", "promoted", "oncall", "0.1 %", stage=2)]
    markdown = format_timeline(rows, "md")
    assert "| 1970-01-01T00:00:00Z | promoted | oncall | 0.1 % |" in markdown
    table = list(csv.DictReader(io.StringIO(format_timeline(rows, "csv"))))
    line = json.loads(format_timeline(rows, "jsonl"))
    assert table[0]["event"] == line["event"] == "promoted"
    assert table[0]["time"] == line["time"] == "1970-01-01T00:00:00Z"
    assert line["stage"] == 2


def test_what_others_wrote_breaks_out_of_no_cell() -> None:
    markdown = format_timeline([HOSTILE], "md").splitlines()[-1]
    assert markdown.count(" | ") == 3
    assert "<script" not in markdown
    cells = next(csv.reader(io.StringIO(format_timeline([HOSTILE], "csv").splitlines()[1])))
    assert all(not cell.startswith(("=", "+", "-", "@")) for cell in cells)


async def test_a_report_tells_what_was_recorded_in_the_place_of_events(
    recording: Recording,
) -> None:
    rows = read_timeline(recording, recording.begin, recording.end)
    facts = ReportFacts(
        span=StageSpan(3, recording.begin),
        percent=25,
        written_at=recording.end,
        place="naeda-genesis/us-central1",
        legacy_name="ion-api",
        canary_name="ion-api-canary",
        recorded=tuple((row.at, row.event, row.who, row.data) for row in rows),
    )
    plan = recording.read(recording.find(recording.end)).frame.plan
    text = to_markdown(build_report(plan, facts, (), ""))
    assert "rolled back all 25 % → 0 % (stage 3 → 0): errors" in text
    assert "source lost: Cloud Monitoring" in text


async def test_what_persons_wrote_is_told_at_the_moment_that_was_marked(
    embedded: Embedded, tmp_path: Path
) -> None:
    it = Recorded(embedded, tmp_path)
    await it.begin()
    await it.after(10)
    asked_at = embedded.now
    await it.move("note", "n-1", "the cache is warm", "TODO: tell Ann | <b>")
    await it.after(4)
    await it.move("note", "n-2", "", "")
    it.close()
    recording = Recording(RecordingFile(recording_path(tmp_path), read_only=True))
    rows = read_timeline(recording, recording.begin, recording.end)
    notes = [row for row in rows if row.kind == "note"]
    assert [row.event for row in notes] == ["TODO: tell Ann | <b>", "mark"]
    assert notes[0].at == pytest.approx(asked_at, abs=0.01)
    assert {row.who for row in notes} == {"oncall@bastion-2"}
    assert not any(row.kind == "change" for row in rows), "a note is no change besides"
    assert "TODO: tell Ann \\| &lt;b>" in format_timeline(rows, "md")
    assert "TODO: tell Ann" in handover_of(recording, rows)
