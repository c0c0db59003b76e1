import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.failures.lines import LogLine, fold, order_lines

PYTHON = (
    "Traceback (most recent call last):\n"
    '  File "/app/a.py", line 1, in f\n'
    "    g()\n"
    "ValueError: no\n"
    "\n"
    "During handling of the above exception, another exception occurred:\n"
    "\n"
    "Traceback (most recent call last):\n"
    '  File "/app/b.py", line 2, in h\n'
    "app.errors.QuotaError: over"
)
JAVA = (
    'Exception in thread "main" java.lang.IllegalStateException: currency is missing\n'
    "\tat com.example.A.b(A.java:41)\n"
    "\t... 12 more"
)
NODE = "TypeError: x is undefined\n    at f (/app/index.js:3:5)\n    at main (/app/index.js:9:1)"


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("one line", "one line"),
        (PYTHON, "app.errors.QuotaError: over (8 lines)"),
        (NODE, "TypeError: x is undefined (3 lines)"),
        ("first\nsecond", "second (2 lines)"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("", ""),
    ],
)
def test_a_stack_trace_is_its_exception(text, row):
    assert fold(text) == row


def test_a_java_trace_names_its_exception():
    assert "java.lang.IllegalStateException: currency is missing" in fold(JAVA)


@given(st.text(max_size=400))
def test_any_line_is_one_harmless_row(text):
    row = fold(text)
    assert "\n" not in row
    assert row.isprintable()
    assert len(row) < 330


def test_warnings_and_worse_come_first_newest_first():
    lines = [LogLine(1, 200, "a"), LogLine(2, 500, "b"), LogLine(3, 400, "c"), LogLine(4, 0, "d")]
    assert [line.text for line in order_lines(lines)] == ["c", "b", "d", "a"]
    assert [line.severity_name for line in order_lines(lines)] == [
        "WARNING",
        "ERROR",
        "DEFAULT",
        "INFO",
    ]


def test_a_line_that_anybody_may_have_written_takes_no_time():
    """Of a call that is logged: with a pattern that goes back, a day of the screen's time."""
    assert fold("x\nat " + "(" * 2_000_000).endswith("… (2 lines)")
    assert fold("\n".join(["  at x"] * 200_000 + ["KeyError: 1"])) == "KeyError: 1 (200 001 lines)"
