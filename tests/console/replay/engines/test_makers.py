"""Which engine the catalogue's entry makes, what is refused at start, and where its ids come from."""

from __future__ import annotations

import re
import sys
import textwrap
import uuid
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from console.replay.credentials import Secrets
from console.replay.facts import said_on_span
from console.replay.makers import make
from tests.console.replay.engines.conftest import naming
from tests.console.replay.estate import span, table
from trace_model.catalogue.engine_schema import Engine as Entry
from trace_model.catalogue.loader import load
from trace_model.errors import CatalogueError, PermanentError
from trace_model.store import Store

SHIPPED = (Path(__file__).parents[4] / "trace_model/catalogue/quote_to_cash.yaml").read_text("utf-8")


def test_an_unset_variable_is_named_before_anything_is_asked() -> None:
    entry = Entry(name="orders", label="Orders", kind="dbos", secrets={"password": "ORDERS_DB"})
    with pytest.raises(PermanentError, match="environment variable ORDERS_DB"):
        make(entry, "postgresql://ana@db/orders", naming({}), {})


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pika", None)
    monkeypatch.delitem(sys.modules, "console.replay.rabbitmq", raising=False)
    entry = Entry.model_validate(
        {"name": "bus", "label": "Bus", "kind": "rabbitmq", "rabbitmq": {"dead_letter_queues": ["dead"]}}
    )
    with pytest.raises(PermanentError, match=r"pip install 'cashtrail\[rabbitmq\]'"):
        make(entry, "amqp://bus", naming({}))


def test_an_address_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(PermanentError, match="Known schemes: http, https") as caught:
        make(Entry(name="orders", label="Orders"), "amqp://ana:s3cret@bus", naming({}))
    assert "s3cret" not in str(caught.value)


def test_a_secret_is_struck_out_in_every_form_that_a_library_may_quote() -> None:
    secrets = Secrets({"password": "p/ss word"})
    assert secrets.scrub("p/ss word p%2Fss%20word cC9zcyB3b3Jk") == "*** *** ***"


def test_the_examples_of_the_documentation_and_the_catalogue_are_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[4] / "docs/engines.md").read_text("utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n|^\n)+", text, re.M)]
    examples = [block.removeprefix("\n") for block in blocks if block.lstrip("\n").startswith(("- ", "engines:"))]
    assert len(examples) == 4
    examples += re.findall(r"^  # (- \{name: .*)$", SHIPPED, re.M)
    assert len(examples) == 8
    for number, example in enumerate(examples):
        engines = YAML(typ="safe").load(example)
        (tmp_path / f"{number}.yaml").write_text(SHIPPED.split("\nengines:")[0] + "\n", "utf-8")
        with (tmp_path / f"{number}.yaml").open("a") as file:
            YAML().dump({"engines": engines["engines"] if isinstance(engines, dict) else engines}, file)
        assert load(tmp_path / f"{number}.yaml").engines


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{name: bus, label: Bus, kind: rabbitmq}", "needs a section 'rabbitmq'"),
        ("{name: o, label: O, kind: dbos, url: 'postgresql://a:b@db/o'}", "has a password in its url"),
        ("{name: o, label: O, kind: dbos, url: 'mysql://db/o'}", "Known schemes: postgresql, sqlite"),
        ("{name: o, label: O, kind: dbos, secrets: {token: T}}", "no use for a secret 'token'"),
        ("{name: o, label: O, kind: dbos, secrets: {password: CASHTRAIL_X}}", "CASHTRAIL_* are settings"),
        ("{name: o, label: O, kind: dbos, secrets: {password: not-a-variable}}", "secrets.password"),
        ("{name: o, label: O, url: 'http://'}", "an address without a host"),
        ("{name: o, label: O, url: 'http://x:port'}", "an address without a host"),
        ("{name: o, label: O, dbos: {}}", "has a section 'dbos'"),
        ("{name: sync-engine, label: Again}", "engine 'sync-engine' is declared twice"),
        ("{name: o, label: O, systems: [nowhere]}", "names system 'nowhere'"),
    ],
)
def test_a_fault_of_an_engine_is_found_with_its_line(entry: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SHIPPED.replace("label: Sync engine}\n", f"label: Sync engine}}\n  - {entry}\n", 1), "utf-8")
    line = next(n for n, text in enumerate(file.read_text("utf-8").splitlines(), 1) if text == f"  - {entry}")
    with pytest.raises(CatalogueError) as caught:
        load(file)
    assert len(caught.value.problems) == 1
    assert f"line {line}:" in caught.value.problems[0]
    assert told in caught.value.problems[0]
    assert "a:b" not in caught.value.problems[0]


def test_the_nearest_span_upwards_says_the_id(shared_store: Store) -> None:
    trace = uuid.uuid4().bytes
    root = span("flow", {"operationUUID": "wf-root", "tenant": "eu", "attempt": 3}) | {"trace_id": trace}
    step = span("step", {"operationUUID": "wf-child"}) | {"trace_id": trace, "parent_span_id": root["span_id"]}
    call = span("POST /orders", {"http.route": "/orders"}) | {"trace_id": trace, "parent_span_id": step["span_id"]}
    call["resource"] = '{"service.instance.id": "i-1"}'
    beside = span("other", {"operationUUID": "wf-other"}) | {"trace_id": trace, "parent_span_id": root["span_id"]}
    shared_store.record(table([root, step, call, beside]))
    assert shared_store.settle(60)
    said = said_on_span(shared_store, trace.hex(), f"{call['span_id']:016x}")
    assert said == {
        "http.route": "/orders", "service.instance.id": "i-1", "operationUUID": "wf-child", "tenant": "eu", "attempt": "3",
    }  # fmt: skip
    assert said_on_span(shared_store, uuid.uuid4().hex, "00000000000000aa") == {}
