"""A DBOS application as a process: takes orders on standard input, books them, and keeps its books in a file.

`start <workflow id> <order>` starts a workflow of three steps: reserve, book, tell. The book step fails while the file `erp_is_down`
lies in the directory. Every effect is a line of the file `books`.
"""

import sys
from pathlib import Path

from dbos import DBOS, SetWorkflowID


def note(line: str) -> None:
    with Path(sys.argv[2], "books").open("a") as books:
        books.write(line + "\n")


@DBOS.step()
def reserve(order: str) -> None:
    note(f"reserve {order}")


@DBOS.step()
def book(order: str) -> None:
    if Path(sys.argv[2], "erp_is_down").exists():
        raise RuntimeError("503 Service Unavailable")
    note(f"book {order}")


@DBOS.step()
def tell(order: str) -> None:
    note(f"tell {order}")


@DBOS.workflow()
def fulfil(order: str) -> None:
    reserve(order)
    book(order)
    tell(order)


def main() -> None:
    DBOS(config={"name": "orders", "system_database_url": sys.argv[1], "run_admin_server": False, "log_level": "ERROR"})
    DBOS.launch()
    print("ready", flush=True)
    for command in sys.stdin:
        _, workflow_id, order = command.split()
        with SetWorkflowID(workflow_id):
            handle = DBOS.start_workflow(fulfil, order)
        try:
            handle.get_result()
            print("succeeded", flush=True)
        except RuntimeError:
            print("failed", flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
