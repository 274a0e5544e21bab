"""Ctrl-C is noted between two steps, in the main thread, where nobody else handles it."""

import signal
import threading

import pytest

from ppl_control.interruption import interruptible


def test_the_first_is_noted_and_the_second_raises():
    with interruptible() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_inner_ones_speak_of_the_same_and_leave_the_outer_one_its_handler():
    with interruptible() as outer:
        with interruptible() as inner:
            signal.raise_signal(signal.SIGINT)
            assert inner()
        assert outer()
        with interruptible() as next_one:
            assert next_one()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_comes_back_after_an_error():
    with pytest.raises(ZeroDivisionError), interruptible():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_one_s_own_is_left_alone():
    heard = []
    standing = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with interruptible() as interrupted:
            signal.raise_signal(signal.SIGINT)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGINT, standing)
    assert heard == [1]


def test_other_threads_are_left_alone():
    found = []

    def work() -> None:
        with interruptible() as interrupted:
            found.append((interrupted(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, signal.default_int_handler)]
