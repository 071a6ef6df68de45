"""Settings: the command line wins over the environment; what is unsafe or unknown stops the start."""

from __future__ import annotations

import pytest

from console.access import Access, Login, Principal, Right
from console.settings import SettingsError, read
from trace_model.errors import Refused


def test_the_command_line_wins_over_the_environment() -> None:
    settings = read({"CASHTRAIL_PORT": "9000", "CASHTRAIL_HOST": "127.0.0.1"}, port=9001, host=None)
    assert (settings.port, settings.url) == (9001, "http://127.0.0.1:9001")


def test_an_unknown_setting_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"CASHTRAIL_PROT.*Known settings: .*port"):
        read({"CASHTRAIL_PROT": "9000"})


def test_an_address_that_others_can_reach_needs_tokens_and_logins() -> None:
    with pytest.raises(SettingsError, match=r"refusing to listen on 0\.0\.0\.0"):
        read({}, host="0.0.0.0")
    with pytest.raises(SettingsError, match="without both"):
        read({"CASHTRAIL_INGEST_TOKENS": "secret"}, host="0.0.0.0")
    settings = read({"CASHTRAIL_INGEST_TOKENS": "erp:s1, s2", "CASHTRAIL_LOGINS": "ana:operator:t"}, host="0.0.0.0")
    assert settings.ingest_tokens == ("erp:s1", "s2")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_is_open_without_tokens(host: str) -> None:
    assert read({}, host=host).is_loopback


def test_a_token_names_its_person_and_the_role_bounds_the_rights() -> None:
    access = Access([Login("ana", "operator", "t1"), Login("bo", "viewer", "t2")])
    assert access.principal("t1") == Principal("ana", "operator")
    assert access.principal("t3") is None
    assert access.principal(None) is None
    bo = access.principal("t2")
    assert bo
    with pytest.raises(
        Refused, match=r"bo has the role viewer, which may not replay\. Roles that may: operator, approver, admin"
    ):
        bo.require(Right.REPLAY)
