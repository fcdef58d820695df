"""Measures by their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.pairing import open_measures

ALEX = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}


@pytest.fixture(scope="module")
def alex(tmp_path_factory) -> tuple[Path, Path]:
    """Files of AlexNet and of LPIPS weights for it, with random numbers in them."""
    folder = tmp_path_factory.mktemp("weights")
    generator = torch.Generator().manual_seed(0)
    backbone = {}
    for place, (outputs, inputs, side) in ALEX.items():
        weight = torch.randn(outputs, inputs, side, side, generator=generator) / (inputs * side**2) ** 0.5
        backbone |= {f"features.{place}.weight": weight, f"features.{place}.bias": torch.zeros(outputs)}
    torch.save(backbone, folder / "alex.pth")
    widths = [outputs for outputs, _, _ in ALEX.values()]
    heads = {f"lin{stage}.model.1.weight": torch.ones(1, width, 1, 1) for stage, width in enumerate(widths)}
    torch.save(heads, folder / "heads.pth")
    return folder / "alex.pth", folder / "heads.pth"


def test_without_words_what_needs_no_weights_is_measured_as_far_as_images_are_large_enough() -> None:
    names = {side: [one.name for one in open_measures(None, (1, side, side))[0]] for side in (8, 16, 32)}
    assert names == {8: ["psnr"], 16: ["psnr", "ssim"], 32: ["psnr", "ssim", "ms_ssim"]}
    missing = open_measures(None, (1, 8, 64, 64))[1]
    assert missing[0] == ("ssim was left out: ssim needs at least 11 pixels a side, and images have 8; use psnr.")
    scales = {side: open_measures(["ms_ssim"], (1, side, side))[0][0].settings["scales"] for side in (21, 96, 161)}
    assert scales == {21: 2, 96: 4, 161: 5}


def test_every_measure_says_when_it_lies() -> None:
    assert all(len(one.lies) > 60 for one in open_measures(None, (1, 32, 32))[0])


def test_lpips_comes_from_files_whose_digests_are_on_record(alex) -> None:
    (measure,), _ = open_measures([f"lpips-alex:{alex[0]},{alex[1]}"], (1, 32, 32))
    assert measure.name == "lpips_alex"
    assert all(len(digest) == 64 for digest in measure.settings["weights"].values())
    x = np.random.default_rng(0).uniform(size=(3, 1, 32, 32)).astype(np.float32)
    assert np.allclose(measure.distance.measure(x, x), 0)
    ladder = [measure.distance.measure(x, np.clip(x + step, 0, 1)).mean() for step in (0.05, 0.2, 0.4)]
    assert ladder == sorted(ladder)
    assert ladder[0] > 0


@pytest.mark.parametrize(
    ("words", "shape", "message"),
    [
        (["beauty"], (1, 32, 32), "there is no measure 'beauty'; there are: psnr, ssim, ms_ssim, lpips-alex:BACKBONE"),
        (["psnr", "psnr"], (1, 32, 32), "psnr was asked for twice"),
        ([], (1, 32, 32), "no measure was asked for"),
        (["psnr:file.pt"], (1, 32, 32), "psnr takes no file"),
        (["ssim"], (1, 8, 8), "ssim needs at least 11 pixels a side, and images have 8"),
        (["ms_ssim"], (1, 20, 20), "ms_ssim needs at least 21 pixels a side"),
        (
            ["lpips-alex"],
            (1, 32, 32),
            "lpips-alex needs the files of its weights, which are not downloaded: lpips-alex:B",
        ),
        (["lpips-alex:a.pth"], (1, 32, 32), "needs the files of its weights"),
        (["lpips-alex:no.pth,no.npz"], (1, 32, 32), "no.pth"),
        (["lpips-alex:a,b"], (1, 8, 32, 32), "lpips-alex sees planes and not volumes"),
        (["dists:vgg.pth"], (1, 16, 16), "dists needs at least 32 pixels a side, and images have 16"),
        (["dreamsim"], (1, 32, 32), "there is no measure 'dreamsim'"),
        (["dreamsim:nowhere"], (1, 32, 32), "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_said(words, shape, message) -> None:
    with pytest.raises(InputError, match=message):
        open_measures(words, shape)
