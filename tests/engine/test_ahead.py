"""Items made ahead by a thread."""

import threading
import time

import pytest

from fourfold.engine.ahead import ahead


def test_items_keep_their_order():
    assert list(ahead(range(20))) == list(range(20))
    assert list(ahead([])) == []


def test_an_error_comes_in_its_turn():
    def items():
        yield 1
        yield 2
        raise KeyboardInterrupt

    source = ahead(items())
    assert [next(source), next(source)] == [1, 2]
    with pytest.raises(KeyboardInterrupt):
        next(source)


def test_no_more_items_are_made_than_may_wait():
    made = []

    def items():
        for item in range(50):
            made.append(item)
            yield item

    source = ahead(items(), waiting=3)
    assert next(source) == 0
    time.sleep(0.2)
    # One was taken, three wait, one is in the hand of the thread.
    assert len(made) == 5
    source.close()


def test_a_taker_who_stops_ends_the_thread_and_the_source():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    source = ahead(items())
    next(source)
    source.close()
    assert closed.is_set()
    assert threading.active_count() == before
