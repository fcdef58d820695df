import threading

import pytest
import torch

from fourfold.features.threads import one_thread


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_one_thread_is_one_thread_and_gives_the_others_back(two_threads):
    with one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_threads_come_back_after_a_failure_too(two_threads):
    with pytest.raises(KeyboardInterrupt), one_thread():
        raise KeyboardInterrupt
    assert torch.get_num_threads() == 2


def test_of_two_at_once_the_last_to_leave_gives_the_threads_back(two_threads):
    entered, leave, seen = threading.Event(), threading.Event(), []

    def other():
        with one_thread():
            entered.set()
            leave.wait(10)
            seen.append(torch.get_num_threads())

    worker = threading.Thread(target=other)
    with one_thread():
        worker.start()
        assert entered.wait(10)
        leave.set()
        worker.join()
        assert torch.get_num_threads() == 1
    assert seen == [1]
    assert torch.get_num_threads() == 2
