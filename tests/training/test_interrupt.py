"""A signal waits for the end of a step, and is never lost."""

# ruff: noqa: PT012  # what is raised comes out of the block

from __future__ import annotations

import signal

import pytest

from instructglm.core.errors import Terminated
from instructglm.training.interrupt import deferred_interrupt

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _handlers_as_in_the_command():
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_only_noted(number: signal.Signals) -> None:
    noted = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as interrupted:
        noted.append(interrupted())
        signal.raise_signal(number)
        noted.append(interrupted())
    assert noted[0] is None
    assert isinstance(noted[1], KeyboardInterrupt)


def test_what_is_raised_says_which_signal_it_was() -> None:
    with pytest.raises(Terminated) as raised, deferred_interrupt() as interrupted:
        signal.raise_signal(signal.SIGTERM)
        raise interrupted()
    assert raised.value.number == signal.SIGTERM
    with pytest.raises(KeyboardInterrupt) as raised, deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(raised.value, Terminated)


def test_the_second_interrupts_at_once() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
        reached.append(1)
        signal.raise_signal(signal.SIGTERM)
        reached.append(2)
    assert reached == [1]


def test_another_failure_in_the_block_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="other"), deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("other")


def test_what_is_ignored_stays_ignored_and_handlers_come_back() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with deferred_interrupt() as interrupted:
        signal.raise_signal(signal.SIGHUP)
        assert not interrupted()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
