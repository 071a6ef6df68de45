"""One customer entered twice, and what must not be taken for it: one story a test."""

from __future__ import annotations

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.spans_of import Story, instant
from tests.trace_model.store.test_check_stories import both_ways


def says(s: Story, at: float, customer: str, **more: str) -> None:
    """A system creates or changes a customer; `tax_id`, `name`, `address`, or the CRM `account`."""
    named = {f"q2c.customer.{name}": value for name, value in more.items() if name != "account"}
    s.does(
        "crm.sync_customer",
        at,
        customer=customer,
        more=named | ({"salesforce.account.id": more["account"]} if "account" in more else {}),
    )


def found(s: Story) -> list[tuple[str, str, object, object]]:
    return both_ways(s).checks()


def sentence(rows: Rows, at: float) -> str:
    asked = {
        "state": None,
        "class": None,
        "category": None,
        "owner_team": None,
        "group_id": None,
        "system": None,
        "offset": 0,
        "limit": 9,
    }
    [row] = rows.store.rows("exceptions", kind="duplicate", as_of=instant(at), **asked)
    assert (row["object_type"], row["customer_id"], row["owner_team"], row["class"]) == (
        "customer",
        row["object_id"],
        "revops",
        "business",
    )
    return str(row["sentence"])


def test_two_customers_with_one_tax_registration_are_a_duplicate_until_one_gets_its_own() -> None:
    s = Story()
    says(s, 0, "C-1", tax_id="DE 123.456.789")
    says(s, 10, "C-2", tax_id="de123456789")
    assert found(s) == [("check.duplicate_customer", "customer:C-2", instant(11), None)]
    assert sentence(told(s.spans), 60) == "C-2 repeats C-1: both have the same tax registration."
    says(s, 20, "C-2", tax_id="DE987654321")
    assert found(s) == [("check.duplicate_customer", "customer:C-2", instant(11), instant(21))]


def test_the_sync_that_makes_a_second_customer_of_one_account_is_found() -> None:
    s = Story()
    says(s, 0, "C-1", account="0015g00000")
    says(s, 10, "C-9", account="0015g00000", tax_id="FR1")
    assert found(s) == [("check.duplicate_customer", "customer:C-9", instant(11), None)]
    assert sentence(told(s.spans), 60) == "C-9 repeats C-1: both have the same CRM account."


def test_name_and_address_tell_two_for_one_only_together() -> None:
    s = Story()
    says(s, 0, "C-1", name="Müller GmbH", address="Hauptstr. 1, Köln")
    says(s, 10, "C-2", name="Muller GmbH", address="Ring 5, Bonn")
    says(s, 20, "C-3", name="Huber AG", address="Hauptstr. 1, Köln")
    says(s, 30, "C-4", name="Müller GmbH")
    assert found(s) == []
    says(s, 40, "C-5", name="MULLER GMBH", address="Hauptstr 1 Koln")
    assert found(s) == [("check.duplicate_customer", "customer:C-5", instant(41), None)]


def test_a_customer_said_again_is_no_duplicate_nor_is_one_that_had_a_number_before_another_got_it() -> None:
    s = Story()
    says(s, 0, "C-1", tax_id="DE1")
    says(s, 10, "C-1", tax_id="DE1")
    says(s, 20, "C-1", tax_id="DE2")
    says(s, 30, "C-2", tax_id="DE1")
    assert found(s) == []


def test_of_three_that_are_one_the_first_is_repeated_twice() -> None:
    s = Story()
    for number in range(3):
        says(s, number * 10, f"C-{number}", tax_id="DE1", account=f"A-{number}")
    assert found(s) == [
        ("check.duplicate_customer", "customer:C-1", instant(11), None),
        ("check.duplicate_customer", "customer:C-2", instant(21), None),
    ]


def test_the_tax_registration_on_an_order_says_nothing_of_whose_customer_it_is() -> None:
    s = Story()
    for number in (1, 2):
        s.does(
            "crm.submit_order",
            number,
            order=f"SO-{number}",
            customer=f"C-{number}",
            more={"q2c.customer.tax_id": "DE1"},
        )
    assert found(s) == []


def test_a_duplicate_stays_found_when_more_is_said_of_either() -> None:
    s = Story()
    says(s, 0, "C-1", tax_id="DE1")
    says(s, 10, "C-2", tax_id="DE1")
    rows = told(s.spans[:1], s.spans[1:])
    later = Story()
    later.spans = list(s.spans)
    says(later, 30, "C-1", name="One")
    says(later, 40, "C-2", name="Two")
    later.does("crm.submit_order", 50, order="SO-1", customer="C-2", amount="10.00")
    for span in later.spans[2:]:
        rows.hear([span])
    assert rows.checks() == [("check.duplicate_customer", "customer:C-2", instant(11), None)]
    kept = rows.every_table()
    rows.store.rebuild()
    assert rows.every_table() == kept
