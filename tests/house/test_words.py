"""What a person reads uses the field's terms, and none of the words that they took the place of."""

import ast
import html
import re
from collections.abc import Iterator

import pytest

from tests.house.sources import PRODUCT, ROOT, find_sources

HELP = "canary/cli"
"""Here docstrings are the help of commands."""

OLD = {
    r"\bways? back\b": "rollback readiness",
    r"\beverybody\b[^.;]*\boff\b": "roll back all",
    r"\b(?:take|taken|taking)\b[^.;]{0,20} off canary\b": "roll back all; all traffic is on Legacy",
    r"\bstep(?:s|ped|ping)? back\b": "roll back one stage",
    r"\b(?:puts?|putting)\b[^.;,]{0,40}\baway\b": "dismiss",
    r"\b(?:takes?|took|taken|taking)(?: it| them| this| that|(?: an?| the| your) \w+)?"
    r" back\b": "withdraw",
    r"\b(?:gives?|gave|given|giving)\b[^.;,]{0,30}\bup\b": "abandon",
    r"\btold to play\b|\bwhat it plays\b": "scenario",
    r"\bstep(?:s|ped|ping)? aside\b": "off, because …",
    r"\bthan twice\b|2×, proven": "no worse than 2×",
    r"\bword to others\b|\bnobody is told\b|\bnotices\b": "notification",
    r"\bdeeds?\b": "history entry",
    r"\bvigils?\b": "guard supervisor",
    r"\berrands?\b": "in-process executor",
    r"\bstandby\b": "executor supervisor",
    r"\bseats?\b": "operator session",
    r"\bin company\b": "presence",
    r"\blook-?outs?\b": "operation",
    r"\bcadences?\b": "interval",
    r"\bsurveys?\b": "background job",
    # The sentences, as a colleague on call would say them.
    r"\bno limit of the tree\b": "all thresholds OK",
    r"\breadiness not known yet\b": "checking …",
    r"\bauto rollback off\b[^.]{0,8} arms\b": "auto rollback off, press A to arm",
    r"\bthe tree advises\b": "the decision tree calls for",
    r"\bnothing may be judged\b|\bheld: \{\}": "paused: …",
    r"\by carr(?:y|ies) it out\b|\bn leaves it\b": "y confirm, n cancel",
    r"\bin flux\b": "still rolling out",
    r"\bthe end of every change\b": "no pending changes",
    r"\blook(?:s|ed)? it up\b": "check status",
    r"\basks nothing\b": "no gates for stage …",
    r"\bapproved next\b": "ready for stage …",
    r"\bsince <now>": "effective now",
    r"\beverything takes about\b": "full load needs about … instances",
    r"\bthe split is another\b|\bcomparison begins anew\b": "split changed, comparison restarted",
    r"\bsoak asked\b|\basked ≥|\brest(?:s|ed)? on\b": "required, sample",
    r"\bby neither side\b": "unattributed",
    r"\bnot now: not met\b": "blocked: …",
    r"\bnothing speaks against\b": "no blockers",
    r"\bwhat is so already\b": "steps already done are skipped",
    r"\bhave \S+ granted\b": "ask an admin to grant …",
    r"\bno end\b": "until changed",
}


ANY_OLD = re.compile("|".join(OLD), re.IGNORECASE)


def find_old(text: str) -> list[str]:
    """The old words in `text`, however it is broken into lines."""
    flat = " ".join(text.split())
    if not ANY_OLD.search(flat):
        return []
    return [found.group() for old in OLD if (found := re.search(old, flat, re.IGNORECASE))]


def read_literals(source: str, *, with_docstrings: bool) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string literal; what an f-string fills in is "{}"."""
    tree = ast.parse(source)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        # A string that stands alone is a docstring, of a function or of an attribute.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if not with_docstrings:
                skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "{}" for v in node.values]
            yield node.lineno, "".join(map(str, parts))
            skipped.update(id(v) for v in node.values)
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in skipped
        ):
            yield node.lineno, node.value


@pytest.mark.parametrize("package", PRODUCT)
def test_no_string_of_the_product_has_a_word_of_the_old_table(package: str):
    found = []
    for path in find_sources(package):
        with_docstrings = path.is_relative_to(ROOT / HELP)
        literals = list(read_literals(path.read_text(), with_docstrings=with_docstrings))
        # Where a word stands in no text of a file, it stands in none of them.
        if find_old("\n".join(text for _, text in literals)):
            found += [
                f"{path.relative_to(ROOT)}:{line}: {words}"
                for line, text in literals
                if (words := find_old(text))
            ]
    assert not found, "\n".join(found)


DOCUMENTS = ["README.md", "CONTRIBUTING.md", "canary.toml"]
TEXTS = (p for p in sorted((ROOT / "docs").iterdir()) if p.suffix != ".recording")
DOCUMENTS += [str(p.relative_to(ROOT)) for p in TEXTS]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_has_a_word_of_the_old_table(name: str):
    text = (ROOT / name).read_text()
    if name.endswith(".svg"):
        text = html.unescape(re.sub(r"<[^>]*>", " ", text)).replace("\N{NO-BREAK SPACE}", " ")
    # A heading or a paragraph may be broken over lines; a name of a test is not for reading.
    text = re.sub(r"`tests/[^`]*`", "", text)
    assert [words for part in text.split("\n\n") if (words := find_old(part))] == []


@pytest.mark.parametrize(
    "said",
    [
        'say("the way back is ready")',
        'say(f"✗ {way} back: Everybody could be taken off {side}, or off")',
        'say("a change " "is given " "up")',
        'help="Give such a change up; put it away; take a change back."',
        'TEXT = """no worse\n    than twice"""',
        'say(f"2 → 3, since <now>; everything takes about {n}")',
        'say(f"auto rollback off, {key} arms")',
        'help="Not now: Not met: soak"',
    ],
)
def test_an_old_word_that_was_planted_is_found(said: str):
    assert any(find_old(text) for _, text in read_literals(said, with_docstrings=False))


@pytest.mark.parametrize(
    "innocent",
    [
        "def step_back(): ...",
        'def f():\n    """Gives up after a while."""',
        'say("goes back one stage; traffic steps to 10 %")',
        'say("takes Slack\'s JSON", "back", "Legacy can take everything back")',
    ],
)
def test_names_and_docstrings_are_no_words_on_the_screen(innocent: str):
    assert not any(find_old(t) for _, t in read_literals(innocent, with_docstrings=False))
