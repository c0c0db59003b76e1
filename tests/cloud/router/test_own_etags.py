"""Etags of our own: known for the steps of a change, and not for ever."""

from canary.cloud.router.own_etags import MOST_KEPT, OwnEtags


def test_a_later_step_knows_what_an_earlier_one_made_of_its_etag() -> None:
    own = OwnEtags()
    own.note_sent("operations/1", "a")
    assert own.take_sent("operations/1") == "a"
    own.note_became("a", "b")
    assert own.newest("a") == "b"
    assert own.newest("c") == "c"


def test_a_process_that_carries_changes_out_for_months_keeps_the_newest_alone() -> None:
    own = OwnEtags()
    for number in range(10 * MOST_KEPT):
        own.note_sent(f"operations/{number}", f"e{number}")
        own.note_became(f"e{number}", f"f{number}")
    assert len(own._sent) == len(own._became) == MOST_KEPT
    assert own.newest("e999") == "f999"
    assert own.take_sent("operations/0") is None
