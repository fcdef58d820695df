import pytest
import torch

from fourfold.cli.main import main
from fourfold.devices import check_device, whole_float32
from fourfold.errors import InputError


def test_a_device_that_is_not_there_is_told_with_those_that_are():
    check_device("cpu")
    with pytest.raises(InputError, match="no kind of device called 'gpu'; choose cpu, cuda or mps"):
        check_device("gpu")
    with pytest.raises(InputError, match=r"no device 'cuda:99'"):
        check_device("cuda:99")


def test_convolutions_are_whole_within_and_as_they_were_after():
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with whole_float32():
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "SYN", "--train", "T"],
        ["audit", "SYN", "--train", "T", "--holdout", "T"],
        ["utility", "SYN", "--train", "T", "--holdout", "T"],
        ["release", "SYN", "--train", "T", "--holdout", "T", "--policy", "POLICY"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_says_in_words_that_there_is_no_such_device(command, tmp_path, capsys):
    places = {word: str(tmp_path / word) for word in ("SYN", "T", "POLICY")}
    (tmp_path / "SYN").mkdir()
    (tmp_path / "T").mkdir()
    with pytest.raises(SystemExit):
        main(["release", "--write-policy", places["POLICY"]])
    policy = (tmp_path / "POLICY").read_text().replace('signed_by = ""', 'signed_by = "A. Person"')
    (tmp_path / "POLICY").write_text(policy)
    words = [places.get(word, word) for word in command]
    assert main([*words, "--device", "cuda:99", "-o", str(tmp_path / "out")]) == 2
    assert "'cuda:99'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
