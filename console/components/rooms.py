"""The rooms of the console and the links between them: one table, from which navigation and every address are made."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True)
class Room:
    """A page: the last part of its address, its file under app_pages/, and where navigation shows it (None: nowhere).

    `within`: the room under which navigation shows it, as if that were open. `stands`: it reads the whole history, does not
    follow the world by itself, and says as of when its figures are.
    """

    path: str
    title: str
    icon: str
    section: str | None
    within: str | None = None
    stands: bool = False

    @property
    def file(self) -> str:
        return f"app_pages/{(self.path or 'today').replace('-', '_')}.py"


ROOMS: tuple[Room, ...] = (
    Room("", "Today", ":material/today:", "Work"),
    Room("orders", "Orders", ":material/list_alt:", "Work"),
    Room("forecast", "Forecast", ":material/online_prediction:", "Work"),
    Room("exceptions", "Exceptions", ":material/report:", "Work"),
    Room("replays", "Replays", ":material/replay:", "Work"),
    Room("alerts", "Alerts", ":material/notifications:", "Work"),
    Room("kpis", "KPIs", ":material/monitoring:", "Insight", stands=True),
    Room("invoice-latency", "Invoice latency", ":material/schedule:", "Insight", stands=True),
    Room("completeness", "Completeness", ":material/account_balance:", "Insight", stands=True),
    Room("process-map", "Process map", ":material/account_tree:", "Insight", stands=True),
    Room("backtest", "Backtest", ":material/history:", "Insight"),
    Room("catalogue-backtest", "Catalogue backtest", ":material/difference:", "Insight"),
    Room("classes", "Classes", ":material/category:", "Insight", stands=True),
    Room("dependencies", "Dependencies", ":material/hub:", "Systems"),
    Room("stitching", "Stitching", ":material/join:", "Systems", stands=True),
    Room("owners", "Owners", ":material/group:", "Systems", stands=True),
    Room("audit", "Audit", ":material/verified_user:", "Systems"),
    Room("ingest", "Ingest health", ":material/input:", "Systems"),
    Room("exception", "Exception", ":material/error:", None, "exceptions"),
    Room("order", "Order timeline", ":material/timeline:", None, "orders"),
    Room("search", "Search", ":material/search:", None),
)


def of_path(path: str) -> Room:
    """The room at an address; the first room where there is none.

    >>> of_path("./orders").title, of_path("").title
    ('Orders', 'Today')
    """
    last = path.rstrip("/").rsplit("/", 1)[-1].strip(".")
    return next((room for room in ROOMS if room.path == last), ROOMS[0])


def link(path: str, **parameters: object) -> str:
    """The relative address of a room; parameters that are None or empty are left out, lists are joined by commas.

    >>> link("orders", state=["breached", "stuck"], region=None), link("")
    ('./orders?state=breached%2Cstuck', './')
    """
    given = {
        name: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        for name, value in parameters.items()
        if value not in (None, "", [], ())
    }
    return f"./{path}" + (f"?{urlencode(given)}" if given else "")
