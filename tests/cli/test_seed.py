import pytest

from fourfold.cli.main import main


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "syn", "--train", "real"],
        ["split", "real", "-o", "split.csv"],
        ["study", "steps"],
        ["paired", "restored", "--targets", "clean"],
        ["generate", "model", "-n", "1", "-o", "syn"],
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("seed", ["-1", "1.5", "one"])
def test_a_seed_that_is_none_is_told_before_the_work(command, seed, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, f"--seed={seed}"])
    assert ended.value.code == 2
    assert f"--seed: must be a whole number of at least 0, got '{seed}'" in capsys.readouterr().err
