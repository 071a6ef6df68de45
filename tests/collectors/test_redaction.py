"""What is taken out at the door, and what stays as it came."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.otlp import Encoding, decode_traces
from collectors.redaction import Redaction, is_secret_key, passes_luhn
from tests.collectors.otlp_requests import traces


def batch(*attributes: dict[str, Any], **columns: str) -> pa.Table:
    body = traces(len(attributes)).SerializeToString()
    spans = decode_traces(body, Encoding.PROTOBUF, source="s", received_ns=time.time_ns()).spans
    columns["attributes"] = ""
    for name, text in columns.items():
        values = [orjson.dumps(each).decode() for each in attributes] if name == "attributes" else [text] * len(spans)
        place = spans.schema.get_field_index(name)
        spans = spans.set_column(place, spans.schema.field(place), pa.array(values, pa.string()))
    return spans


def after(redaction: Redaction | None = None, /, **attributes: Any) -> dict[str, Any]:
    spans, count = (redaction or Redaction()).redact(batch(attributes))
    read: dict[str, Any] = orjson.loads(spans.column("attributes")[0].as_py())
    assert (count > 0) == (read != attributes)
    return read


@pytest.mark.parametrize(
    "key",
    [
        "authorization", "http.request.header.authorization", "Cookie", "http.response.header.set-cookie", "password",
        "db.password", "userPassword", "client_secret", "access_token", "X-Api-Key", "apiKey", "api_key", "APIKEY",
        "aws.secret_access_key", "private-key", "passphrase", "card_number", "cvv", "x-cashtrail-token",
        "password_hash", "secret_key", "db.credentials",
    ],
)  # fmt: skip
def test_a_secret_is_taken_out_whatever_its_form(key: str) -> None:
    assert after(**{key: "abc"}) == {key: "[redacted]"}
    assert after(**{key: ["Bearer abc"]}) == {key: "[redacted]"}
    assert after(**{"q2c.payload": orjson.dumps({"a": {key: 5}}).decode()}) == {
        "q2c.payload": orjson.dumps({"a": {key: "[redacted]"}}).decode()
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("q2c.idempotency_key", "k-1"),
        ("payment.authorization_id", "AUTH-1"),
        ("gen_ai.usage.token_count", 5),
        ("token_type", "Bearer"),
        ("secret.name", "prod/db"),
        ("messaging.kafka.message.key", "SO-1"),
        ("q2c.order.id", "4111111111111111"),
        ("q2c.shipment.tracking_id", 4111111111111111),
        ("password", ""),
        ("order", "4111111111111112"),
        ("ratio", 0.4111111111111111),
        ("time_ns", 1772000000000000000),
        ("trace", "4a111111111111111111111111111111"),
        ("q2c.amount", "4111111111.11"),
        ("company", "span"),
        ("reference", "GB83WEST12345698765432"),
        ("sku", "SO2026030112345678"),
        ("contact", "ann@example.com"),
        ("q2c.payload", '{"amount": 4111111111111112, "note": "x"}'),
        ("text", "{not json"),
    ],
)
def test_what_is_no_secret_stays_as_it_came(key: str, value: Any) -> None:
    assert after(**{key: value}) == {key: value}


CARDS = ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "3530111333300000"]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("form", ["{}", "card {} declined", "pan={};", "{}, 12/27"])
def test_a_card_leaves_its_last_four_digits(card: str, form: str) -> None:
    assert after(note=form.format(card)) == {"note": form.format(f"[redacted card ending {card[-4:]}]")}
    assert after(**{"q2c.payload": orjson.dumps({"n": int(card)}).decode()}) == {
        "q2c.payload": orjson.dumps({"n": f"[redacted card ending {card[-4:]}]"}).decode()
    }


def test_cards_in_groups_and_beside_other_numbers_are_found() -> None:
    assert after(a="4111 1111 1111 1111 2027", b="4111-1111-1111-1111") == {
        "a": "[redacted card ending 1111] 2027",
        "b": "[redacted card ending 1111]",
    }


@pytest.mark.parametrize("iban", ["GB82WEST12345698765432", "DE89 3704 0044 0532 0130 00", "NO9386011117947"])
def test_an_iban_leaves_its_last_four_characters(iban: str) -> None:
    last = iban.replace(" ", "")[-4:]
    assert after(note=f"to {iban}.") == {"note": f"to [redacted IBAN ending {last}]."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("401 for Bearer abcdef0123456789", "401 for Bearer [redacted]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        ("GET /pay?order=1&access_token=abc&x=2", "GET /pay?order=1&access_token=[redacted]&x=2"),
        ("login password=hunter2 failed", "login password=[redacted] failed"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "jwt [redacted]"),
    ],
)
def test_secrets_in_free_text_are_found(text: str, expected: str) -> None:
    assert after(note=text) == {"note": expected}


def test_a_key_hidden_by_an_escape_in_a_payload_is_found() -> None:
    assert after(**{"q2c.payload": '{"p\\u0061ssword":"x"}'}) == {"q2c.payload": '{"password":"[redacted]"}'}


def test_every_column_that_holds_text_is_searched() -> None:
    message = "declined 4111111111111111"
    events = orjson.dumps([{"name": "e", "time_unix_nano": 1, "attributes": {"exception.message": message}}]).decode()
    spans = batch({}, {}, status_message=message, name=message, events=events, resource='{"api_key":"x"}')
    clean, count = Redaction().redact(spans)
    assert count == 7  # two rows of three texts, and one resource that both rows share
    assert not [column for column in clean.to_pydict().values() if "4111111111111111" in str(column)]
    assert clean.column("resource").to_pylist() == ['{"api_key":"[redacted]"}'] * 2
    assert clean.schema == spans.schema


def test_emails_and_further_keys_are_a_setting() -> None:
    redaction = Redaction(emails=True, extra_keys=frozenset({"iban_hint", "Tax(Id)"}))
    assert after(redaction, contact="to ann@example.com", iban_hint="x", **{"Tax(Id)": "1"}) == {
        "contact": "to [redacted e-mail]",
        "iban_hint": "[redacted]",
        "Tax(Id)": "[redacted]",
    }


def test_a_batch_that_needs_nothing_comes_back_as_it_is() -> None:
    spans = batch({"q2c.order.id": "SO-1"})
    clean, count = Redaction().redact(spans)
    assert clean is spans
    assert count == 0


def test_only_the_rows_that_need_it_change() -> None:
    spans = batch({"a": "1"}, {"password": "x"}, {"b": "2"})
    clean, count = Redaction().redact(pa.concat_tables([spans, spans]))
    assert count == 2
    assert clean.column("attributes").to_pylist() == ['{"a":"1"}', '{"password":"[redacted]"}', '{"b":"2"}'] * 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=5))
def test_redacting_twice_changes_nothing_more(attributes: dict[str, Any]) -> None:
    once, _ = Redaction(emails=True).redact(batch(attributes))
    twice, count = Redaction(emails=True).redact(once)
    assert count == 0
    assert twice.equals(once)


@given(st.integers(0, 10**15 - 1))
def test_every_luhn_number_of_an_issuer_is_found(number: int) -> None:
    body = f"4{number:015d}"[:15]
    card = next(body + str(digit) for digit in range(10) if passes_luhn(body + str(digit)))
    assert card not in after(note=f"x {card} y")["note"]


def test_keys_are_told_by_their_words() -> None:
    assert not is_secret_key("")
    assert not is_secret_key("pancake")
    assert is_secret_key("Authorization2")
