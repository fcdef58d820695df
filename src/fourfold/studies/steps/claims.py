"""What was published about the number of steps."""

from __future__ import annotations

from fourfold.studies.study import Claim

__all__ = ["CLAIMS"]

CLAIMS = (
    Claim(
        "fast",
        "About 20 network calls of a fast sampler are as good as the 1,000 of DDPM, within a tenth",
        "Song, Meng, Ermon 2021 (DDIM); Lu et al. 2022 (DPM-Solver++); Karras et al. 2022 (Heun)",
    ),
    Claim(
        "order",
        "With ten calls a second-order multistep solver is ahead of ancestral sampling",
        "Lu et al. 2022",
    ),
    Claim(
        "variety",
        "Fast sampling costs variety",
        "after the trilemma of Xiao, Kreis, Vahdat 2022",
    ),
    Claim(
        "memorisation",
        "What is copied is a matter of the denoiser: fewer steps do not raise memorisation",
        "after Gu et al. 2023",
    ),
    Claim(
        "frameworks",
        "DDPM, noise-conditional scores, stochastic differential equations and flows are one model: over the same "
        "denoiser they draw the same law",
        "Song et al. 2021; Karras et al. 2022; Croitoru et al. 2023",
    ),
    Claim(
        "likelihood",
        "The likelihood of the flow is exact: it depends neither on the number of calls nor on the framework",
        "Song et al. 2021",
    ),
    Claim(
        "bound",
        "The variational bound tightens with the number of steps",
        "Ho, Jain, Abbeel 2020; Kingma et al. 2021",
    ),
)
