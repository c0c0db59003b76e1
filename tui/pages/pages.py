"""The pages: what fills the screen when asked for, and has no place beside the panels.

Read after the first frame, which shows none of them: `layout.PAGES` has their names.
"""

from __future__ import annotations

from typing import Final

from widgets.pages.ab_test import AbPage
from widgets.pages.calendar import CalendarPage
from widgets.pages.changes import ApprovalPage, RecoveryPage
from widgets.pages.checklist import ChecklistPage
from widgets.pages.differences import DifferencesPage
from widgets.pages.failures import FailuresPage
from widgets.pages.load_test import LoadPage
from widgets.pages.monitoring import AlertsPage, MonitoringPage
from widgets.pages.page import Page
from widgets.pages.readiness import ReadinessPage
from widgets.pages.verification import VerificationPage

SUBTITLE: Final = "↑ ↓   tab next page   Esc back"
SUBTITLES: Final = {
    "checklist": "↑ ↓   space ticks   ← → other lists   tab next page   Esc back",
    "failures": "↑ ↓   Enter opens, asks for log lines   y copies   Esc back",
}


def make_pages() -> dict[str, Page]:
    """One widget a page, by name."""
    pages: dict[str, Page] = {
        "checklist": ChecklistPage(id="checklist", classes="panel"),
        "verification": VerificationPage(id="verification", classes="panel"),
        "load-test": LoadPage(id="load-test", classes="panel"),
        "ab-test": AbPage(id="ab-test", classes="panel"),
        "monitoring": MonitoringPage(id="monitoring", classes="panel"),
        "approval": ApprovalPage(id="approval", classes="panel"),
        "alerts": AlertsPage(id="alerts", classes="panel"),
        "retirement": CalendarPage(id="retirement", classes="panel"),
        "readiness": ReadinessPage(id="readiness", classes="panel"),
        "recovery": RecoveryPage(id="recovery", classes="panel"),
        "differences": DifferencesPage(id="differences", classes="panel"),
        "failures": FailuresPage(id="failures", classes="panel"),
    }
    for name, page in pages.items():
        page.border_title = page.BORDER_TITLE
        page.border_subtitle = SUBTITLES.get(name, SUBTITLE)
    return pages
