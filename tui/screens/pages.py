"""The pages: what fills the screen when asked for, and has no place beside the panels.

Read after the first frame, which shows none of them: `layout.PAGES` has their names.
"""

from __future__ import annotations

from typing import Final

from widgets.ab_page import AbPage
from widgets.alerts_page import AlertsPage
from widgets.approval_page import ApprovalPage
from widgets.calendar_page import CalendarPage
from widgets.checklist_page import ChecklistPage
from widgets.load_page import LoadPage
from widgets.monitoring_page import MonitoringPage
from widgets.page import Page
from widgets.recovery_page import RecoveryPage
from widgets.verification_page import VerificationPage
from widgets.way_back_page import WayBackPage

SUBTITLE: Final = "↑ ↓   tab next page   Esc back"
CHECKLIST_SUBTITLE: Final = "↑ ↓   space ticks   ← → other lists   tab next page   Esc back"


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
        "way-back": WayBackPage(id="way-back", classes="panel"),
        "recovery": RecoveryPage(id="recovery", classes="panel"),
    }
    for name, page in pages.items():
        page.border_title = page.BORDER_TITLE
        page.border_subtitle = CHECKLIST_SUBTITLE if name == "checklist" else SUBTITLE
    return pages
