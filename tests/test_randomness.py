"""Random streams of their own, and files that appear whole."""

import pytest
import torch

from ppl_control.files import whole_file
from ppl_control.randomness import RandomStream


def test_a_stream_goes_on_where_it_stopped():
    with RandomStream(1):
        whole = torch.rand(6)
    stream = RandomStream(1)
    parts = []
    for _ in range(2):
        with stream:
            parts.append(torch.rand(3))
        torch.rand(5)  # what others draw in between does not matter
    assert torch.equal(torch.cat(parts), whole)
    with RandomStream(2):
        assert not torch.equal(torch.rand(6), whole)


def test_an_error_inside_gives_the_state_back():
    def fail():
        with RandomStream(0):
            torch.rand(3)
            raise KeyError

    before = torch.get_rng_state()
    with pytest.raises(KeyError):
        fail()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("seed", [None, 1.0, "1", True])
def test_seeds(seed):
    with pytest.raises(ValueError, match="seed: expected an integer"):
        RandomStream(seed)


def test_a_file_is_replaced_only_when_complete(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with whole_file(path, "w") as file:
        file.write("first")
        assert not path.exists()
    assert path.read_text() == "first"
    with pytest.raises(RuntimeError):
        _interrupted(path)
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]
    with whole_file(path) as file:
        file.write(b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"


def _interrupted(path) -> None:
    with whole_file(path, "w") as file:
        file.write("second")
        raise RuntimeError


def test_a_stream_of_what_would_be_drawn_next():
    torch.manual_seed(3)
    stream, here = RandomStream.current(), torch.get_rng_state()
    with stream:
        ahead = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), here)
    assert torch.equal(torch.rand(4), ahead)
