import signal
import threading
import time

import pytest

from tpld.compute.overlap import overlap


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_the_result_is_that_of_a_plain_loop(count):
    written, ticks = [], []
    overlap(
        count,
        lambda i: i * i,
        lambda i, square: (i, square + 1),
        lambda i, made: written.append((i, made)),
        ticks.append,
    )
    assert written == [(i, (i, i * i + 1)) for i in range(count)]
    assert ticks == list(range(1, count + 1))


def test_reading_computing_and_writing_go_on_at_the_same_time():
    """Each step waits for the others: a plain loop would wait for ever."""
    read_ahead, wrote_first = threading.Event(), threading.Event()

    def read(i):
        if i == 1:
            read_ahead.set()

    def compute(i, _):
        if i == 0:
            assert read_ahead.wait(10)  # image 1 is read while image 0 is computed
        if i == 2:
            assert wrote_first.wait(10)  # image 0 or 1 is written while image 2 is computed

    overlap(3, read, compute, lambda i, _: wrote_first.set())


def test_what_waits_is_bounded():
    read, written = [], []

    def compute(i, _):
        assert len(read) <= i + 3
        return i

    def write(i, _):
        time.sleep(0.002)
        written.append(i)

    def tick(done):
        assert done - len(written) <= 3

    overlap(12, read.append, compute, write, tick)


@pytest.mark.parametrize("where", ["read", "compute", "write"])
@pytest.mark.parametrize("at", [0, 3, 5])
def test_an_error_anywhere_is_raised_after_all_threads_rest(where, at):
    seen = {"read": [], "compute": [], "write": []}

    def step(name):
        def run(i, *_):
            if name == where and i == at:
                raise ZeroDivisionError(name)
            seen[name].append(i)

        return run

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match=where):
        overlap(6, step("read"), step("compute"), step("write"))
    assert threading.active_count() == before
    # What had been read or handed over may still go through; nothing after that.
    assert len(seen["write"]) <= at + 2
    assert seen["compute"] == list(range(len(seen["compute"])))
    assert len(seen["compute"]) <= at + 3


def test_control_c_stops_it():
    # A shell's background jobs ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _control_c_stops_it()
    finally:
        signal.signal(signal.SIGINT, before)


def _control_c_stops_it():
    def compute(i, _):
        if i == 2:
            signal.raise_signal(signal.SIGINT)

    before, written = threading.active_count(), []
    with pytest.raises(KeyboardInterrupt):
        overlap(1000, lambda i: i, compute, lambda i, _: written.append(i))
    assert threading.active_count() == before
    assert len(written) <= 2
