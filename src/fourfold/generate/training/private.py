"""Private training: DP-SGD with the patient as the unit.

A step is a Poisson sample: every patient is in it with probability ``q = batch / patients``, by a coin of their own.
A patient who is in it contributes one image, drawn evenly among theirs. So a step holds at most one image of each
patient, the gradient of an image is the whole contribution of a patient, and clipping it to a norm C bounds by C what
the presence of a patient with any number of images can change. Gaussian noise of standard deviation ``sigma C`` hides
the sum, which is divided by the expected number of patients, since the true one is private. The image that is drawn
does not enter the accounting: whichever it is, the contribution is no longer than C, so the bound holds for each draw
and therefore for their mixture.

For the same reason everything else that is random in a step (noise levels, noise, augmentation, withheld conditions)
must be drawn for each patient independently of who else is there, and by a seed that nobody knows.

References
----------
M. Abadi et al., CCS 2016 (DP-SGD). T. Dockhorn, T. Cao, A. Vahdat, K. Kreis, TMLR 2023 (arXiv 2210.09929): private
diffusion, several noise draws an image. D. Levy et al., NeurIPS 2021: people rather than records as the unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.recipe import Run
from fourfold.generate.training.accounting import delta_for, epsilon_of, noise_for, require_opacus
from fourfold.generate.training.loop import Outcome, fit
from fourfold.generate.training.privacy_record import GROUP, PATIENT, PrivacyRecord, not_covered, sentence
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.secret import SECRET_FILE, keep_secret
from fourfold.generate.training.trainee import Trainee
from fourfold.generate.training_set import TrainingSet

__all__ = ["Privacy", "fit_privately"]

PUBLISHED = ("steps", "step", "seconds", "ended", "resumed", "devices", "precision", "warnings")
"""What the record of a training may say: nothing that was computed from the images, above all no loss."""


@dataclass(frozen=True)
class Privacy:
    """What is asked of a private training.

    Parameters
    ----------
    epsilon : float
        The most that all steps together may cost.
    delta : float or None
        None for the smaller of 1e-5 and a tenth of 1 / patients.
    clip : float
        Largest norm of a patient's gradient.
    draws : int
        Noise draws an image, whose losses are averaged within the patient's gradient: less variance at no cost in
        privacy, for more computing (noise multiplicity of Dockhorn et al.).

    Raises
    ------
    InputError
        Where a number is out of its range.
    """

    epsilon: float = 10.0
    delta: float | None = None
    clip: float = 1.0
    draws: int = 1

    def __post_init__(self) -> None:
        for name in ("epsilon", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} is a number above 0, got {getattr(self, name):g}")
        if self.draws < 1:
            raise InputError(f"draws is a whole number from 1 up, got {self.draws}")


def fit_privately(
    trainee: Trainee, data: TrainingSet, schedule: Schedule, run: Run, privacy: Privacy
) -> tuple[Outcome, PrivacyRecord]:
    """Train under a guarantee, or go on with the private training in the run's folder.

    Nobody watches on the patients' images: a holdout is set aside, and the losses that the loop writes to ``log.csv``
    stay in the run's folder, which must not be given away.

    Parameters
    ----------
    trainee : Trainee
        With a method ``independent_losses(batch, generator)``: a loss an image, shape (n,), of that image and of
        random numbers that do not depend on the others.
    data : TrainingSet
        Conditions are fitted with ``Request(private=True)``.
    schedule : Schedule
        `batch` counts patients, on average; `accumulate` cuts it into parts.
    run : Run
        Its seed plays no part here: what is random follows from a secret.
    privacy : Privacy

    Returns
    -------
    (Outcome, PrivacyRecord)
        The outcome's record holds no number that was computed from the images.

    Raises
    ------
    InputError
        Where the trainee, the data or the options allow no guarantee.
    MissingExtra
        Where Opacus is not installed.
    """
    _check(trainee, data, schedule, run)
    require_opacus()
    from fourfold.generate.training.patient_gradients import no_hook_warnings
    from fourfold.generate.training.private_trainee import PatientDealer, PrivateTrainee

    patients = len(np.unique(data.patients))
    delta = delta_for(patients, privacy.delta)
    rate = min(1.0, schedule.batch / patients)
    noise = noise_for(privacy.epsilon, rate, schedule.steps, delta)
    settings = {
        "patients": patients, "batch": schedule.batch, "steps": schedule.steps, "epsilon": privacy.epsilon,
        "delta": delta, "clip": privacy.clip, "draws": privacy.draws, "noise_multiplier": noise,
    }  # fmt: skip
    if (run.folder / "checkpoint.safetensors").exists() and not (run.folder / SECRET_FILE).exists():
        raise InputError(
            f"{run.folder}: holds a training that has ended, or that was not private, and cannot be gone on with; "
            "give another folder to train anew"
        )
    secret = keep_secret(run.folder, settings)
    private = PrivateTrainee(
        trainee,
        schedule,
        noise_multiplier=noise,
        clip=privacy.clip,
        expected=rate * patients,
        secret=secret,
        draws=privacy.draws,
    )
    try:
        with no_hook_warnings():
            outcome = fit(
                private,
                replace(data, holdout=None, holdout_conditions=None),
                replace(schedule, accumulate=1, clip=None),
                replace(run, seed=secret.number("seed")),
                dealer=PatientDealer(data.patients, rate, secret),
            )
    finally:
        private.close()
    (run.folder / SECRET_FILE).unlink()
    steps = int(outcome.record["steps"])
    epsilon, accountant = epsilon_of(noise, rate, steps, delta)
    unit = PATIENT if data.identified else GROUP
    record = PrivacyRecord(
        epsilon=epsilon,
        delta=delta,
        unit=unit,
        noise_multiplier=noise,
        sample_rate=rate,
        steps=steps,
        clip=privacy.clip,
        accountant=accountant,
        not_covered=not_covered(unit, patients),
        sentence=sentence(epsilon, delta, unit),
    )
    published = {name: outcome.record[name] for name in PUBLISHED if name in outcome.record}
    return replace(outcome, record=published), record


def _check(trainee: Trainee, data: TrainingSet, schedule: Schedule, run: Run) -> None:
    if len(trainee.phases) > 1 or not hasattr(trainee, "independent_losses"):
        raise InputError(
            "private training is offered for diffusion on pixels alone: other recipes learn from several images at "
            "once, or in several stages, each of which would need its own protection; use --recipe diffusion"
        )
    _check_conditioning(data.conditioning)
    if schedule.balance != "patient":
        raise InputError(
            f"private training draws patients evenly, and balance = {schedule.balance} is asked for; "
            "leave it at --set balance=patient"
        )
    if run.stop_at_onset:
        raise InputError(
            "private training cannot be stopped by what is measured on the patients; leave out --stop-at-onset"
        )
    if run.devices != 1 or run.precision != "32-true":
        raise InputError(
            f"private training runs on one device in 32-true, and {run.devices} in {run.precision} are asked for; "
            "use --devices 1 --precision 32-true"
        )


def _check_conditioning(conditioning: Conditioning) -> None:
    classes = conditioning.part("class")
    measured = "features" if conditioning.part("features") is not None else None
    if classes is not None and np.ptp(classes.frequencies) > 1e-9:
        measured = "class"
    if measured is not None:
        raise InputError(
            f"the condition {measured!r} was measured on the patients, which no guarantee covers; "
            "fit it with Request(private=True)" + (", which features do not allow" if measured == "features" else "")
        )
