"""Deeds that ask first: one dialog with the consequence in words, the particulars, a reason, and one verb. Done at most once.

A question is put into the session and shown by the script itself, so that the refresh of a live part never closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from console.components.panel import go_to
from trace_model.errors import CashtrailError

_QUESTION = "question"
_TOLD = "told"
REASON_MOST = 2000


@dataclass(frozen=True)
class Done:
    """What to tell after the deed, and where to go, if anywhere."""

    message: str
    href: str | None = None


@dataclass(frozen=True)
class Question:
    """`consequence`: what will be true afterwards, in words. `particulars` draws widgets and returns what they hold."""

    title: str
    consequence: str
    verb: str
    do: Callable[[str, Mapping[str, Any]], Done]
    particulars: Callable[[], dict[str, Any]] | None = None
    width: Literal["small", "medium", "large"] = "small"
    reason_hint: str = "One sentence that the next person can understand. It is kept in the audit trail."


def ask(question: Question) -> None:
    """The question is on the screen from the next run on; call it from a button's branch."""
    st.session_state[_QUESTION] = question
    st.rerun()


def show() -> None:
    """The open question, if there is one, and what the last deed told. Called once, by the script, after the page."""
    told = st.session_state.pop(_TOLD, None)
    if told:
        st.toast(told, icon=":material/check:")
    question = st.session_state.get(_QUESTION)
    if question is not None:
        st.dialog(question.title, width=question.width, on_dismiss=_withdraw)(_body)(question)


def _withdraw() -> None:
    st.session_state.pop(_QUESTION, None)


def _body(question: Question) -> None:
    st.markdown(question.consequence)
    particulars = question.particulars() if question.particulars else {}
    reason = st.text_area("Reason", key="reason", max_chars=REASON_MOST, placeholder=question.reason_hint, height=90)
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Cancel", type="tertiary", key="question_cancel"):
            _withdraw()
            st.rerun()
        if st.button(question.verb, type="primary", key="question_confirm"):
            _confirm(question, reason, particulars)


def _confirm(question: Question, reason: str, particulars: Mapping[str, Any]) -> None:
    # taken out before the deed: the second click of a double click finds nothing to do
    if st.session_state.pop(_QUESTION, None) is not question:
        st.rerun()
    try:
        done = question.do(reason, particulars)
    except CashtrailError as fault:
        st.session_state[_QUESTION] = question
        st.error(str(fault), icon=":material/block:")
        return
    st.session_state[_TOLD] = done.message
    if done.href:
        go_to(done.href)
    st.rerun()
