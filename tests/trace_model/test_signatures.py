"""Failures are told apart by what is seen of them, and every verdict says by which rule."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench import classification
from bench.learn import learned
from console.cli import app
from trace_model.catalogue.failure_rules import CATEGORIES, FailureRule, Rules, load_rules
from trace_model.errors import CatalogueError
from trace_model.signatures import (
    Signature,
    Verdict,
    classify,
    fingerprint,
    normalise_message,
    plain_sentence,
)
from trace_model.verdict_lines import classify_lines
from trace_model.word_weights import WordWeights

DEV = classification.SHARED_DATA / "errors_dev.jsonl"
needs_dev = pytest.mark.skipif(not DEV.exists(), reason=f"labelled codes are not at {DEV}")


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load_rules()


@pytest.mark.parametrize(
    ("signature", "class_", "category", "transient"),
    [
        (Signature("psp", "card_declined", "Your card was declined."), "business", "credit_payment", False),
        (Signature("erp", "SHIP_TO_TAX_REG_MISSING", "No VAT registration for DE"), "business", "tax", False),
        (Signature("erp", "", "Posting period 003 2026 is not open"), "business", "invoice_billing", False),
        (Signature("crm", "DUPLICATE_VALUE", ""), "business", "duplicate", False),
        (Signature("erp", "ITEM_INACTIVE", ""), "business", "pricing_product", False),
        (Signature("any", "x", "Unexpected token < in JSON at position 0"), "technical", "contract_schema", False),
        (Signature("any", "invalid_client"), "technical", "auth_config", False),
        (Signature("any", "UNABLE_TO_LOCK_ROW"), "technical", "concurrency_lock", True),
        (Signature("any", "", "", http_status=429), "dependency", "rate_limit", True),
        (Signature("any", "503", "Service Unavailable"), "dependency", "outage", True),
        (Signature("any", "E1", exception="java.net.SocketTimeoutException"), "dependency", "timeout", True),
        (Signature("jdbc-postgresql", "23505"), "business", "duplicate", False),
        (Signature("jdbc-mysql", "1213"), "technical", "concurrency_lock", True),
        (Signature("payment-grpc", "14"), "dependency", "outage", True),
    ],
)
def test_each_kind_of_evidence_reaches_its_verdict(
    rules: Rules, signature: Signature, class_: str, category: str, transient: bool
) -> None:
    verdict = classify(signature, rules)
    assert (verdict.class_, verdict.category, verdict.transient) == (class_, category, transient)
    assert verdict.rule
    assert verdict.facts
    assert 0.5 < verdict.confidence <= 1


def test_a_code_that_says_nothing_is_unknown_rather_than_guessed(rules: Rules) -> None:
    verdict = classify(Signature("some-system", "Z9-114"), rules)
    assert (verdict.class_, verdict.category, verdict.confidence, verdict.rule) == ("unknown", "unknown", 0.0, "")
    assert verdict.facts


def test_layers_that_disagree_lower_the_confidence(rules: Rules) -> None:
    agreed = classify(Signature("shop", "x", "Too many requests", http_status=429), rules)
    torn = classify(Signature("shop", "x", "Your card was declined", http_status=429), rules)
    assert torn.confidence < agreed.confidence - 0.05
    assert any("status 429" in fact for fact in torn.facts)
    assert any("declined" in fact for fact in torn.facts)


def test_advice_after_the_first_sentence_weighs_less_than_the_sentence(rules: Rules) -> None:
    said = classify(Signature("psp", "E7", "The card has expired, contact your administrator."), rules)
    advised = classify(Signature("psp", "E7", "The card has expired. Contact your administrator."), rules)
    assert said.category == advised.category == "credit_payment"
    assert advised.confidence > said.confidence


def test_an_installations_own_rule_decides_before_the_shipped_ones() -> None:
    own = FailureRule.model_validate(
        {
            "id": "ours.credit_block",
            "when": {"system": ["erp*"], "code": ["429"]},
            "then": {"category": "credit_payment"},
            "confidence": 0.99,
            "why": "our ERP answers 429 for a credit block",
        }
    )
    with_own = load_rules(own_rules=[own])
    signature = Signature("erp-eu", "429", "Too many requests", http_status=429)
    verdict = classify(signature, with_own)
    assert (verdict.rule, verdict.category, verdict.confidence) == ("ours.credit_block", "credit_payment", 0.99)
    assert verdict.facts[0].endswith("our ERP answers 429 for a credit block")
    assert classify(Signature("psp", "429"), with_own).category == "rate_limit"


def test_the_first_of_two_own_rules_that_fit_decides() -> None:
    own = [
        FailureRule.model_validate({"id": name, "when": {"code": ["A*"]}, "then": {"category": category}})
        for name, category in (("one", "tax"), ("two", "duplicate"))
    ]
    assert classify(Signature("erp", "A1"), load_rules(own_rules=own)).rule == "one"


@needs_dev
def test_codes_of_systems_nobody_foresaw_are_told_apart_by_general_evidence(rules: Rules) -> None:
    blind = classification.score(classification.judge(classification.read_entries(DEV), rules, blind=True))
    assert blind["class_right"] >= 0.9
    assert blind["category_right"] >= 0.85
    assert blind["unknown"] <= 0.1
    assert blind["sure_class_right"] >= 0.95


@needs_dev
def test_the_shipped_packs_know_the_systems_they_name(rules: Rules) -> None:
    shipped = classification.score(classification.judge(classification.read_entries(DEV), rules, blind=False))
    assert shipped["class_right"] >= 0.95
    assert shipped["category_right"] >= 0.9
    assert shipped["sure_class_right"] >= 0.95


@pytest.mark.parametrize("part", classification.parts())
def test_published_codes_of_other_systems_are_told_apart(rules: Rules, part: str) -> None:
    entries = [entry for entry in classification.read_entries(classification.PUBLIC) if entry["part"] == part]
    blind = classification.score(classification.judge(entries, rules, blind=True))
    assert blind["class_right"] >= 0.9
    assert blind["category_right"] >= 0.85
    assert blind["unknown"] <= 0.1
    assert blind["sure_class_right"] >= 0.95


def test_codes_never_seen_before_were_mostly_told_apart_and_sure_verdicts_were_right() -> None:
    again = [one for one in classification.first_judgements() if one["mode"] == classification.AGAIN]
    by_any_label = classification.first_scores(again)
    assert by_any_label["class_right"] >= 0.9
    assert by_any_label["sure_class_right"] >= 0.95
    fresh = classification.first_scores([one for one in again if one["clear"]])
    assert fresh["class_right"] >= 0.93
    assert fresh["category_right"] >= 0.89
    assert fresh["unknown"] <= 0.05
    assert fresh["sure"] >= 0.6
    assert fresh["sure_class_right"] >= 0.97
    assert fresh["sure_both_right"] >= 0.95


def test_no_label_accepts_both_business_and_technical_unless_it_is_left_out_as_ambiguous() -> None:
    sides = {"business", "technical"}
    for entry in classification.read_entries(classification.PUBLIC):
        others = {CATEGORIES[category].class_ for category in entry.get("also_ok", ())} - {
            CATEGORIES["internal_error"].class_
        }
        assert not (entry["class"] in sides and (others & sides) - {entry["class"]}), entry


def test_a_body_is_judged_first_only_once(tmp_path: Path) -> None:
    known = classification.read_entries(classification.PUBLIC)[0]
    fresh = tmp_path / "fresh.jsonl"
    fresh.write_text(json.dumps({**known, "part": "new"}))
    with pytest.raises(ValueError, match=rf"fresh.jsonl: system {known['system']} has been judged before"):
        classification.judge_first(fresh)


def test_the_shipped_calibration_is_the_one_that_was_measured(rules: Rules) -> None:
    assert list(rules.calibration.points) == classification.fit()


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("Buchungsperiode 003 2026 ist nicht geöffnet", "invoice_billing"),
        ("Ungültige Anmeldeinformationen", "auth_config"),
        ("Le délai est dépassé, TVA invalide", "tax"),
        ("Cuenta con insuficiencia de fondos", "credit_payment"),
        ("Transacción duplicada", "duplicate"),
        ("Artikel nicht verfügbar", "pricing_product"),
        ("Prezzo non trovato per il prodotto", "pricing_product"),
    ],
)
def test_messages_in_other_languages_are_read(rules: Rules, message: str, category: str) -> None:
    assert classify(Signature("any", "E-17", message), rules).category == category


def test_a_word_that_no_rule_knows_is_read_by_what_it_stood_for_in_known_codes() -> None:
    outcomes = tuple((facts.class_, category) for category, facts in CATEGORIES.items() if category != "unknown")
    row = tuple(9.0 if outcome == ("business", "tax") else 0.0 for outcome in outcomes)
    weights = WordWeights("test", outcomes, {"zollkodex": row})
    rules = Rules((), learned=weights)
    verdict = classify(Signature("any", "", "Zollkodex"), rules)
    assert (verdict.class_, verdict.category, verdict.rule) == ("business", "tax", "words.learned")
    assert verdict.facts == ("words 'zollkodex': as in known codes of tax (rule words.learned)",)
    assert classify(Signature("any", "", "Etwas anderes"), rules).class_ == "unknown"


def test_learned_words_are_learned_again_from_the_same_texts(rules: Rules) -> None:
    texts = [
        (Signature("a", "TAX_CODE_MISSING"), ("business", "tax")),
        (Signature("b", "TOKEN_EXPIRED"), ("technical", "auth_config")),
    ]
    once = learned(texts, rules, "test")
    assert once == learned(texts, rules, "test")
    shares, words = once.shares(["tax", "code", "wrong"])
    assert shares["business", "tax"] > 0.5
    assert words[0] in {"tax", "code", "tax code"}


def test_learned_words_survive_being_written(tmp_path: Path, rules: Rules) -> None:
    path = tmp_path / "learned.json"
    assert rules.learned is not None
    path.write_text(rules.learned.written())
    assert WordWeights.read(path) == rules.learned


@pytest.mark.parametrize("text", ["{}", "[1]", "{nonsense", '{"provenance": "", "outcomes": [1], "weights": {}}'])
def test_a_damaged_file_of_learned_words_is_a_fault_of_the_packs(tmp_path: Path, text: str) -> None:
    (tmp_path / "learned.json").write_text(text)
    with pytest.raises(CatalogueError, match=r"learned\.json: not a file of word weights"):
        load_rules([tmp_path])


def test_the_shipped_learned_words_know_every_category_that_a_system_can_name(rules: Rules) -> None:
    found_by_checks = {"stalled_flow"}
    assert rules.learned is not None
    assert {category for _, category in rules.learned.outcomes} == set(CATEGORIES) - {"unknown"} - found_by_checks


def test_an_outcome_that_no_word_has_stood_for_is_told_by_its_rule(rules: Rules) -> None:
    assert rules.learned is not None
    assert ("technical", "timeout") not in rules.learned.outcomes
    verdict = classify(Signature("netsuite", "SSS_TIME_LIMIT_EXCEEDED"), rules)
    assert (verdict.class_, verdict.category) == ("technical", "timeout")


@needs_dev
def test_every_shared_code_gets_a_verdict_ambiguous_or_not(rules: Rules) -> None:
    faults: list[str] = []
    lines = DEV.read_text(encoding="utf-8").splitlines()
    assert (len(list(classify_lines(lines, rules, faults.append))), faults) == (len(lines), [])


def test_a_products_name_is_not_read_as_what_went_wrong(rules: Rules) -> None:
    verdict = classify(Signature("any", "E", "AvaTax server is not working"), rules)
    assert verdict.class_ == "dependency"
    assert not any("tax" in fact.split(":")[0] for fact in verdict.facts)


def test_three_digits_of_a_systems_own_are_not_taken_for_an_http_status_against_its_words(rules: Rules) -> None:
    assert classify(Signature("hub", "505", "Missing or invalid postal code"), rules).category == "customer_master"
    assert classify(Signature("http", "505", "HTTP Version Not Supported"), rules).category == "contract_schema"


@pytest.mark.parametrize("long", ["x" * 100_000, "1" * 100_000, "a " * 50_000, "'" * 50_000, "invalid " * 10_000])
def test_a_huge_message_is_read_in_a_moment(rules: Rules, long: str) -> None:
    started = time.perf_counter()
    classify(Signature("any", long, long), rules)
    fingerprint("unknown", "any", None, "", long)
    assert time.perf_counter() - started < 20


@settings(deadline=None)  # the first signature waits for the patterns to be compiled
@given(code=st.text(max_size=60), message=st.text(max_size=300), status=st.none() | st.integers(0, 999))
def test_any_text_gets_one_verdict_and_always_the_same(code: str, message: str, status: int | None) -> None:
    rules = _RULES
    signature = Signature("any", code, message, http_status=status)
    verdict = classify(signature, rules)
    assert verdict == classify(signature, rules)
    assert 0 <= verdict.confidence <= 1
    assert verdict.category in CATEGORIES
    assert (verdict.class_ == "unknown") == (verdict.category == "unknown" and verdict.rule == "")


_RULES = load_rules()


@given(message=st.text(max_size=200))
def test_normalising_twice_changes_nothing(message: str) -> None:
    once = normalise_message(message)
    assert normalise_message(once) == once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Order SO-1001 not found", "Order SO-77 not found"),
        ("Amount 1,250.00 EUR exceeds limit", "Amount 9.10 EUR exceeds limit"),
        ("User jo@example.com is locked", "User ann.b@test.co.uk is locked"),
        ("Timeout at 2026-03-06T10:00:00Z", "Timeout at 2027-12-31 23:59:59"),
        ("Value 'red' is not allowed", 'Value "dark blue" is not allowed'),
        ("GET http://a.example/x/1?y=2 failed", "GET https://b.example failed"),
        ("Record 3f2504e0-4f89-11d3-9a0c-0305e82c3301 gone", "Record 00000000-0000-0000-0000-000000000000 gone"),
        ("duplicates value on record with id: a01xx000003DGb2AAG", "duplicates value on record with id: b77yy1"),
    ],
)
def test_two_occurrences_of_one_failure_have_one_fingerprint(one: str, other: str) -> None:
    assert normalise_message(one) == normalise_message(other)
    assert fingerprint("business", "erp", "op", "C", one) == fingerprint("business", "erp", "op", "C", other)


def test_different_failures_have_different_fingerprints() -> None:
    seen = {
        fingerprint("business", "erp", "create", "C", "Order not found"),
        fingerprint("business", "erp", "create", "C", "Customer not found"),
        fingerprint("business", "erp", "create", "D", "Order not found"),
        fingerprint("business", "erp", "update", "C", "Order not found"),
        fingerprint("business", "psp", "create", "C", "Order not found"),
        fingerprint("technical", "erp", "create", "C", "Order not found"),
        fingerprint("technical", "erp", None, "C", "Order not found"),
    }
    assert len(seen) == 7
    assert all(len(print_) == 16 for print_ in seen)


def test_a_fingerprint_stays_the_same_from_release_to_release() -> None:
    assert fingerprint("business", "erp", "create_order", "V1 302", "Material <id> is blocked") == "2bae8454dcbb6fb4"


def test_a_sentence_names_the_system_and_shows_no_stack_trace(rules: Rules) -> None:
    signature = Signature("crm", "APEX_ERROR", "List has no rows\n\nClass.AuditService.getAnswer: line 42, column 1")
    sentence = plain_sentence(classify(signature, rules), signature, "CRM")
    assert sentence.startswith("CRM ")
    assert "line 42" not in sentence
    assert sentence.endswith("List has no rows.")


def test_every_category_can_be_said_in_a_plain_sentence() -> None:
    for category, facts in CATEGORIES.items():
        verdict = Verdict(facts.class_, facts.transient, category, 0.9, "rule", ())
        assert plain_sentence(verdict, Signature("erp", "", ""), "ERP").startswith("ERP ")
        assert facts.label


def test_a_line_keeps_its_keys_and_gains_the_verdict(rules: Rules) -> None:
    line = json.dumps({"system": "psp", "code": "card_declined", "message": "", "order": "SO-1", "http_status": "402"})
    (out,) = classify_lines([line], rules, pytest.fail)
    told = json.loads(out)
    assert told["order"] == "SO-1"
    assert told["http_status"] == "402"
    assert (told["class"], told["category"], told["transient"]) == ("business", "credit_payment", False)
    assert set(told) >= {"class", "transient", "category", "confidence", "rule", "facts"}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{not json", "line 2: not JSON"),
        ("[1, 2]", "line 2: a JSON object is needed, found list"),
        ('{"system": "erp"}', "line 2: nothing to judge by"),
        ('{"code": {"a": 1}}', "line 2: code must be text, found dict"),
        ('{"code": "x", "http_status": "often"}', "line 2: http_status must be a whole number"),
        ("[" * 100_000, "line 2: not"),
        ('{"code": "' + "x" * 1_000_000 + '"}', "line 2: 1000012 characters, at most 1000000 are read"),
        ('{"code": "x", "http_status": ' + "9" * 5000 + "}", "line 2: "),
    ],
)
def test_a_bad_line_is_reported_by_number_and_the_rest_goes_on(rules: Rules, bad: str, said: str) -> None:
    good = '{"system": "erp", "code": "DUPLICATE_VALUE"}'
    faults: list[str] = []
    first, third = classify_lines([good, bad, good], rules, faults.append)
    (fault,) = faults
    assert fault.startswith(said)
    assert json.loads(first) == json.loads(third)


@pytest.mark.parametrize(
    ("entry", "category"),
    [
        ({"http_status": 503}, "outage"),
        ({"http_status": "429", "message": None}, "rate_limit"),
        ({"system": "ERP", "code": "qTy_ReQd"}, "order_validation"),
        ({"code": "ORA-00060"}, "concurrency_lock"),
        ({"exception": "java.net.SocketTimeoutException"}, "timeout"),
        ({"system": "shop", "message": "Upstream reset, in addition to 503 response code"}, "outage"),
        ({"system": "shop", "message": "Cannot connect to host billing.invalid:80"}, "outage"),
        ({"system": "psp", "code": "51", "message": "insufficient funds " * 5000}, "credit_payment"),
    ],
)
def test_a_line_is_judged_by_whatever_it_has(rules: Rules, entry: dict[str, object], category: str) -> None:
    faults: list[str] = []
    [line] = classify_lines([json.dumps(entry)], rules, faults.append)
    assert (json.loads(line)["category"], faults) == (category, [])


def test_a_byte_order_mark_before_the_first_line_is_no_fault(rules: Rules) -> None:
    faults: list[str] = []
    [line] = classify_lines(['\ufeff{"code": "TIMEOUT"}'], rules, faults.append)
    assert (json.loads(line)["category"], faults) == ("timeout", [])


def test_blank_lines_are_passed_over_and_counted(rules: Rules) -> None:
    faults: list[str] = []
    assert list(classify_lines(["\n", "nonsense"], rules, faults.append)) == []
    assert [fault[:7] for fault in faults] == ["line 2:"]


def test_the_command_reports_bad_lines_apart_from_verdicts_and_says_so_by_its_exit_code(tmp_path: Path) -> None:
    failures = tmp_path / "failures.jsonl"
    failures.write_bytes(
        b'{"system": "erp", "code": "DUPLICATE_VALUE"}\n'
        b"{nonsense\n"
        b'{"system": "erp", "code": "X", "message": "half \\ud83d of a pair, and \xff no UTF-8: tax code invalid"}\n'
    )
    told = CliRunner().invoke(app, ["classify", str(failures)])
    verdicts = [json.loads(line) for line in told.stdout.splitlines()]
    assert [verdict["category"] for verdict in verdicts] == ["duplicate", "tax"]
    assert told.stderr.startswith(f"{failures}, line 2: not JSON")
    assert told.exit_code == 1


def test_the_command_reads_standard_input(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["classify", "-"], input='{"system": "erp", "code": "CREDIT_LIMIT_EXCEEDED"}\n')
    assert json.loads(told.stdout)["category"] == "credit_payment"
    assert (told.stderr, told.exit_code) == ("", 0)


PACK = """\
pack: mine
layer: words
provenance: test
rules:
- id: mine.one
  when: {words: [abc]}
  then: {category: tax}
"""


@pytest.mark.parametrize(
    ("wrong", "line", "named"),
    [
        (PACK.replace("category: tax", "category: taxes"), 7, "category"),
        (PACK.replace("words: [abc]", "words: ['(abc']"), 6, "regular expression"),
        (PACK.replace("words: [abc]", "word: [abc]"), 6, "word"),
        (PACK.replace("when: {words: [abc]}", "when: {unless: [abc]}"), 6, "at least one thing"),
        (PACK.replace("layer: words", "layer: guess"), 2, "layer"),
        (PACK + "  confidence: 1.5\n", 8, "confidence"),
        (PACK.replace("provenance: test\n", ""), 1, "provenance"),
        (PACK + "  when: : :\n", 8, "not YAML"),
        (PACK.replace("words: [abc]", "http_status: [9xx]"), 6, "http_status"),
    ],
)
def test_a_fault_in_a_pack_is_reported_with_its_line(tmp_path: Path, wrong: str, line: int, named: str) -> None:
    pack = tmp_path / "mine.yaml"
    pack.write_text(wrong)
    with pytest.raises(CatalogueError) as refused:
        load_rules([pack])
    assert any(f"mine.yaml, line {line}:" in problem for problem in refused.value.problems), refused.value.problems
    assert named in str(refused.value)


def test_a_rule_defined_twice_and_a_missing_file_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PACK)
    (tmp_path / "b.yaml").write_text(PACK)
    with pytest.raises(CatalogueError) as refused:
        load_rules([tmp_path, tmp_path / "absent.yaml"])
    assert len(refused.value.problems) == 2
    assert "mine.one" in str(refused.value)
    assert "absent.yaml" in str(refused.value)


def test_packs_of_ones_own_can_take_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    pack = tmp_path / "mine.yaml"
    pack.write_text(PACK)
    mine = load_rules([pack])
    assert classify(Signature("erp", "abc"), mine).rule == "mine.one"
    assert classify(Signature("erp", "DUPLICATE_VALUE"), mine).class_ == "unknown"


def test_without_knowledge_of_a_system_only_general_rules_speak_of_it(rules: Rules) -> None:
    signature = Signature("jdbc-mysql", "1213")
    assert classify(signature, rules).rule == "mysql.lock"
    assert "mysql.lock" not in classify(signature, rules.without_knowledge_of("jdbc-mysql")).facts
