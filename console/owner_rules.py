"""Owner rules on trial: who would have got the failures of the last weeks. Nothing is changed by asking."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from trace_model.catalogue.schema import OWNER_RULES_MOST, Catalogue, OwnerRule
from trace_model.errors import Refused
from trace_model.store import Store

TEXT_MOST = 50_000
_RULES = TypeAdapter(list[OwnerRule])
_ASKED = ("team", "person", "classes", "categories", "systems", "legal_entities", "regions", "customers", "min_amount")


def as_text(rules: Sequence[OwnerRule]) -> str:
    """The rules as they stand in a catalogue under `owners`, one a line where they are short."""
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 4096
    text = io.StringIO()
    yaml.dump([rule.model_dump(mode="json", exclude_defaults=True) for rule in rules], text)
    return text.getvalue()


def of_text(text: str, catalogue: Catalogue) -> list[OwnerRule]:
    """The rules that `text` (YAML, as under `owners`) holds. Raises Refused naming rule and fault."""
    if len(text) > TEXT_MOST:
        raise Refused(f"the rules have {len(text):,} characters; at most {TEXT_MOST:,}")
    try:
        said = YAML(typ="safe").load(text)
    except YAMLError as fault:
        raise Refused(f"the rules are no YAML: {' '.join(str(fault).split())[:300]}") from None
    return checked(said, catalogue)


def checked(said: Any, catalogue: Catalogue) -> list[OwnerRule]:
    """`said` as rules. Raises Refused for anything but a list of rules whose teams the catalogue knows."""
    try:
        rules = _RULES.validate_python(said)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = f"rule {int(first['loc'][0]) + 1}" if first["loc"] else "the list"
        field = ".".join(str(part) for part in first["loc"][1:])
        raise Refused(f"{where}{', ' + field if field else ''}: {first['msg']}") from None
    if not rules:
        raise Refused("there is no rule: nobody would own anything")
    if len(rules) > OWNER_RULES_MOST:
        raise Refused(f"there are {len(rules)} rules; at most {OWNER_RULES_MOST}")
    teams = {team.name for team in catalogue.teams}
    for number, rule in enumerate(rules, 1):
        if rule.team not in teams:
            raise Refused(f"rule {number}: there is no team '{rule.team}'. Known: {', '.join(sorted(teams))}")
    return rules


def on_trial(rules: Sequence[OwnerRule]) -> str:
    """The rules as `reads/owner_trial.sql` takes them."""
    asked = [{key: rule.model_dump(mode="json")[key] for key in _ASKED} for rule in rules]
    return json.dumps([rule | {"position": position} for position, rule in enumerate(asked)])


def trial(store: Store, rules: Sequence[OwnerRule], *, as_of: datetime, days: int) -> list[dict[str, Any]]:
    """Rows of `owner_trial`: who has, and who would have had, the failures of the `days` days before `as_of`."""
    return store.rows("owner_trial", rules=on_trial(rules), as_of=as_of, days=days)
