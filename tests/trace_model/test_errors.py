"""Errors cross processes (a pool of workers, a test's child process) as they were raised."""

from __future__ import annotations

import pickle

import pytest

from trace_model import errors
from trace_model.errors import AmbiguousThing, CashtrailError, CatalogueError, RetryableError, StoreUnavailable


@pytest.mark.parametrize(
    ("error", "text", "facts"),
    [
        (CatalogueError(["a.yaml, line 1: x", "a.yaml, line 2: y"]), "a.yaml, line 1: x\na.yaml, line 2: y",
         {"problems": ["a.yaml, line 1: x", "a.yaml, line 2: y"]}),
        (RetryableError("later", 7.5), "later", {"retry_after_s": 7.5}),
        (StoreUnavailable("closed"), "closed", {"retry_after_s": 1.0}),
        (AmbiguousThing("two of them", [{"id": "a"}]), "two of them", {"choices": [{"id": "a"}]}),
    ],
)  # fmt: skip
def test_an_error_with_facts_keeps_them_and_its_text_in_another_process(
    error: CashtrailError, text: str, facts: dict[str, object]
) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), str(error)) == (text, text)
    assert vars(again) == vars(error) == facts


def test_every_error_that_takes_more_than_a_text_is_tried_above() -> None:
    own = {e for e in vars(errors).values() if isinstance(e, type) and "__init__" in vars(e)}
    assert own == {CatalogueError, RetryableError, AmbiguousThing}
