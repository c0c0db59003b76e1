"""What may be written over an open or unknown end, and what never."""

from pathlib import Path

import pytest

from canary.rollout.change.change import Outcome
from canary.store.journal import Journal
from canary.store.locks import Owner

WITHDRAWN = Outcome("abandoned", "Withdrawn.", 9.0)
DONE = Outcome("done", "Done.", 8.0)
UNKNOWN = Outcome("unknown", "No answer.", 7.0)


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db", wall=lambda: 77.0) as opened:
        yield opened


def noted(journal: Journal, *states: str):
    for state in states:
        journal.note("c1", 0, state, "", 1.0)
    return journal.entry("c1")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((), True),
        (("sent",), False),
        (("sent", "waiting"), True),
        (("sent", "waiting", "sent"), False),
        (("sent", "unknown"), False),
        (("sent", "accepted"), False),
        (("sent", "unknown", "resumed"), True),
        (("sent", "accepted", "settled"), False),
        (("remark",), True),
    ],
)
def test_only_what_is_not_on_its_way_is_withdrawn(journal, make_change, states, expected):
    journal.intend(make_change())
    entry = noted(journal, *states)
    assert entry.is_withdrawable is expected
    assert journal.withdraw(entry, WITHDRAWN) is expected
    assert (journal.entry("c1").outcome == WITHDRAWN) is expected


def test_withdrawn_on_what_was_read_before_a_sending_it_is_refused(journal, make_change):
    journal.intend(make_change())
    before = journal.entry("c1")
    journal.note("c1", 0, "sent", "", 1.0)
    assert not journal.withdraw(before, WITHDRAWN)


def test_after_a_withdrawal_nothing_can_be_sent(journal, make_change):
    journal.intend(make_change())
    journal.withdraw(journal.entry("c1"), WITHDRAWN)
    assert not journal.note("c1", 0, "sent", "", 1.0)


def test_an_unknown_end_is_replaced_and_kept_as_a_remark(journal, make_change):
    journal.intend(make_change())
    noted(journal, "sent")
    journal.settle("c1", UNKNOWN)
    assert journal.resolve("c1", DONE)
    entry = journal.entry("c1")
    assert entry.outcome == DONE
    assert [(n.state, n.detail) for n in entry.notes] == [
        ("sent", ""),
        ("remark", "unknown: No answer."),
    ]


@pytest.mark.parametrize("end", [DONE, WITHDRAWN, Outcome("failed", "No.", 1.0)])
def test_a_known_end_stays(journal, make_change, end):
    journal.intend(make_change())
    if end == DONE:
        noted(journal, "sent", "settled")
    journal.settle("c1", end)
    assert not journal.resolve("c1", Outcome("refused", "Other.", 2.0))
    assert not journal.reopen("c1", "ann", 3.0)
    assert journal.entry("c1").outcome == end


def test_what_a_living_executor_has_is_neither_resolved_nor_reopened(
    journal, make_change, tmp_path
):
    with Owner(tmp_path) as owner:
        journal.intend(make_change(), owner.token)
        assert not journal.resolve("c1", DONE)
        assert not journal.reopen("c1", "ann", 3.0)
    assert journal.reopen("c1", "ann", 3.0)


def test_reopened_it_is_open_free_and_intended_now(journal, make_change):
    journal.intend(make_change(), "dead")
    noted(journal, "sent")
    journal.settle("c1", UNKNOWN)
    assert journal.reopen("c1", "ann", 3.0)
    (entry,) = journal.open_changes()
    assert (entry.outcome, entry.owner, entry.intended_at) == (None, "", 77.0)
    assert (entry.last.state, entry.last.detail, entry.state_of(0)) == ("resumed", "ann", "resumed")


def test_what_is_not_there_is_neither_resolved_nor_reopened(journal):
    assert not journal.resolve("c1", DONE)
    assert not journal.reopen("c1", "ann", 3.0)


def test_it_waits_since_the_first_time_that_it_did_not_go_out(journal, make_change):
    journal.intend(make_change())
    for at, state in ((1.0, "sent"), (2.0, "waiting"), (3.0, "sent"), (4.0, "waiting")):
        journal.note("c1", 0, state, "", at)
    assert journal.entry("c1").waiting_since == 2.0
    assert journal.entry("c1").state_of(0) == "waiting"
    journal.note("c1", 0, "sent", "", 5.0)
    assert journal.entry("c1").waiting_since is None


def test_who_changed_it_in_the_cloud_is_kept(journal, make_change):
    journal.intend(make_change())
    journal.note("c1", 0, "sent", "", 1.0)
    journal.note("c1", 0, "settled", "bot@project.iam.gserviceaccount.com", 2.0)
    entry = journal.entry("c1")
    assert entry.cloud_identity == "bot@project.iam.gserviceaccount.com"
    assert (entry.first_at("sent"), entry.settled_at) == (1.0, 2.0)
