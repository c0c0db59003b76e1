"""What others on this host see of automatic rollback."""

from __future__ import annotations

from pathlib import Path

import msgspec

from canary.engine.guard.supervisor import show_guard
from canary.rollout.decision.guard import GuardView
from canary.rollout.snapshot.snapshot import OperatorSession, find_countdown
from canary.store.presence import OperatorSessionHolder, read_operator_sessions

SHOWN = OperatorSession(1, "bob", "bastion-3", 1.0)


def test_a_countdown_is_seen_by_others_and_so_is_its_end(tmp_path: Path):
    holder = OperatorSessionHolder(tmp_path, SHOWN)
    counting = show_guard(holder, SHOWN, GuardView(True, left_s=43.0, cause="p95 41 s > 30 s"))
    found = find_countdown(read_operator_sessions(tmp_path))
    assert found is not None
    assert found.due_at is not None
    assert counting.due_at is not None
    assert abs(found.due_at - counting.due_at) <= 1.0  # in whole seconds, from the steady clock
    assert found == msgspec.structs.replace(counting, due_at=found.due_at, due_beat=None)
    assert (counting.armed, counting.cause) == (True, "p95 41 s > 30 s")
    called_off = show_guard(holder, counting, GuardView(True))
    assert (called_off.armed, find_countdown(read_operator_sessions(tmp_path))) == (True, None)
    disarmed = show_guard(holder, called_off, GuardView(False))
    assert read_operator_sessions(tmp_path) == (disarmed,) == (SHOWN,)
    holder.release()


def test_while_it_counts_the_seat_stays_as_it_is(tmp_path: Path):
    holder = OperatorSessionHolder(tmp_path, SHOWN)
    counting = show_guard(holder, SHOWN, GuardView(True, left_s=43.0))
    assert show_guard(holder, counting, GuardView(True, left_s=12.0)) is counting
    holder.release()
