import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.utility.learning.contract import Examples, Outcomes, Task
from fourfold.utility.quality import Design, Noise, balance, full_factorial, label_noise, one_at_a_time, quality_study
from fourfold.utility.roc import area_under_curve

PIXELS = 16


@dataclass(frozen=True)
class Centres(Task):
    """Learns the difference of the class means; the seed jitters it as first weights would."""

    kind: ClassVar[str] = "classification"
    names: tuple[str, ...] = ("none", "some")
    exclusive: bool = True
    jitter: float = 0.02

    def examples(self, images):
        raise AssertionError("a study of quality is given its examples")

    def fit(self, examples, *, seed, steps, device="cpu", augment=False, initial=None, progress=None):
        flat = examples.images.reshape(len(examples), -1)
        ill = examples.targets[:, 1] == 1
        towards = flat[ill].mean(axis=0) - flat[~ill].mean(axis=0)
        towards = towards + self.jitter * np.random.default_rng(seed).standard_normal(PIXELS)

        def predict(images):
            scores = images.reshape(len(images), -1) @ towards
            chance = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
            return np.stack([1 - chance, chance], axis=1)

        return predict

    def outcomes(self, predicted, examples):
        return Outcomes({"targets": examples.targets, "scores": predicted}, examples.patients)

    def metric(self, outcomes, weights=None):
        weights = None if weights is None else weights[None]
        return {"auc": float(area_under_curve(outcomes.facts["targets"], outcomes.facts["scores"], weights)[0])}

    def headline(self, outcomes, weights):
        return area_under_curve(outcomes.facts["targets"], outcomes.facts["scores"], weights)


TOWARDS = np.random.default_rng(0).standard_normal(PIXELS)
TOWARDS *= 0.25 / np.linalg.norm(TOWARDS)


def people(rng, size, prevalence=0.5):
    ill = rng.random(size) < prevalence
    images = 0.5 + 0.2 * rng.standard_normal((size, PIXELS)) + ill[:, None] * TOWARDS
    targets = np.eye(2, dtype=np.float32)[ill.astype(int)]
    return Examples(images.reshape(size, 1, 4, 4).astype(np.float32), targets, np.arange(size))


def turned(examples, generator):
    """Images of the second half of the pixels lose what tells the classes apart."""
    images = examples.images.copy()
    images[:, :, 2:] = generator.normal(0.5, 0.2, images[:, :, 2:].shape)
    return Examples(images, examples.targets, examples.patients)


def on_marked_images_only(examples, generator):
    """A knob that ruins labels where the pool is marked, and does nothing elsewhere: a planted interaction."""
    if examples.groups["made"][0] != "synthetic":
        return examples
    return label_noise(0.35).alter(examples, generator)


def pools(rng, size=400):
    found = {}
    for name in ("real", "synthetic"):
        own = people(rng, size)
        found[name] = Examples(own.images, own.targets, own.patients, {"made": np.full(size, name)})
    return found


def test_a_knob_that_acts_on_one_source_only_is_found_as_an_interaction():
    rng = np.random.default_rng(1)
    planted = Noise("planted", "on", on_marked_images_only)
    design = Design(full_factorial([planted, label_noise(0.05)]), size=80, seeds=5, steps=1, samples=200)
    found = quality_study(Centres(), pools(rng), people(rng, 300), design)
    assert found.effects["planted=on", "real"].value == 0
    assert found.effects["planted=on", "synthetic"].verdict == "harms"
    assert found.interactions["planted=on", "synthetic"].interval[1] < 0
    assert found.adjusted["planted=on", "synthetic"] < 0.05
    assert "harms on synthetic" in found.answer("planted=on", "synthetic")
    assert "the two effects differ" in found.answer("planted=on", "synthetic")


def test_a_knob_that_acts_on_both_sources_is_a_main_effect_and_no_interaction():
    rng = np.random.default_rng(2)
    design = Design(one_at_a_time([Noise("blind", "half", turned)]), size=80, seeds=5, steps=1, samples=200)
    found = quality_study(Centres(), pools(rng), people(rng, 300), design)
    assert found.main["blind=half"].verdict == "harms"
    low, high = found.interactions["blind=half", "synthetic"].interval
    assert low < 0 < high
    assert "no evidence that the two effects differ" in found.answer("blind=half", "synthetic")


def test_without_an_interaction_its_interval_covers_nothing_at_the_stated_rate():
    """Both sources follow one law, and every seed draws other patients, so that the truth is 0."""
    rng = np.random.default_rng(3)
    design = Design(one_at_a_time([label_noise(0.2)]), size=50, seeds=5, steps=1, samples=100)
    covered = 0
    for _ in range(150):
        found = quality_study(Centres(), pools(rng, 250), people(rng, 120), design)
        low, high = found.interactions["label-noise=0.2", "synthetic"].interval
        covered += low <= 0 <= high
    assert 0.90 <= covered / 150 <= 0.995


def test_over_sampling_a_collapsed_class_is_reported_as_harmful():
    """A generator whose rare class is a handful of images: repeating them is worse than leaving them rare."""

    class OneStep(Centres):
        """A single step of logistic regression from 0, without an offset: what is rare counts little."""

        def fit(self, examples, *, seed, steps, **other):
            towards = (examples.targets[:, 1] - 0.5) @ examples.images.reshape(len(examples), -1)
            return lambda images: np.stack([-(scores := images.reshape(len(images), -1) @ towards), scores], axis=1)

    rng = np.random.default_rng(4)
    real, synthetic = people(rng, 400, 0.15), people(rng, 400, 0.15)
    ill = np.flatnonzero(synthetic.targets[:, 1] == 1)
    collapsed = synthetic.images.copy()
    collapsed[ill] = np.clip(0.5 - 3 * TOWARDS.reshape(1, 4, 4), 0, 1)
    synthetic = Examples(collapsed, synthetic.targets, synthetic.patients)
    design = Design(one_at_a_time([balance("over")]), size=80, seeds=5, steps=1, samples=200)
    found = quality_study(OneStep(), {"real": real, "synthetic": synthetic}, people(rng, 300), design)
    assert found.effects["balance=over", "synthetic"].verdict == "harms"
    assert found.effects["balance=over", "real"].verdict == "helps"
    assert found.adjusted["balance=over", "synthetic"] < 0.05


def test_cells_differ_in_their_knobs_only():
    """The same draw, the same seeds: a knob that does nothing has an effect of exactly nothing."""
    rng = np.random.default_rng(5)
    nothing = Noise("nothing", "on", lambda examples, generator: examples)
    design = Design(full_factorial([nothing, label_noise(0.1)]), size=60, seeds=3, steps=1, samples=50)
    found = quality_study(Centres(), pools(rng), people(rng, 100), design)
    assert found.main["nothing=on"].interval == (0.0, 0.0)
    assert found.metrics["real", "as is"] == found.metrics["real", "nothing=on"]
    assert found.cells == ("as is", "label-noise=0.1", "nothing=on", "nothing=on label-noise=0.1")


def test_seeds_draw_other_patients_where_the_pool_has_them():
    seen = []

    class Watching(Centres):
        def fit(self, examples, **other):
            seen.append(examples.patients)
            return super().fit(examples, **other)

    rng = np.random.default_rng(6)
    nothing = Noise("nothing", "on", lambda examples, generator: examples)
    design = Design(one_at_a_time([nothing]), size=100, seeds=4, steps=1, samples=20)
    quality_study(Watching(), pools(rng, 400), people(rng, 60), design)
    first = [set(patients.tolist()) for patients in seen[:4]]
    assert len(set.union(*first)) == 400
    assert all(np.array_equal(a, b) for a, b in zip(seen[:4], seen[4:8], strict=True))


def test_a_killed_study_goes_on_and_finds_the_same(tmp_path):
    rng = np.random.default_rng(7)
    sources, test = pools(rng), people(rng, 100)
    design = Design(one_at_a_time([label_noise(0.2)]), size=60, seeds=3, steps=1, samples=50)
    calls = []

    class Counting(Centres):
        limit = 5

        def fit(self, examples, **other):
            if len(calls) == self.limit:
                raise KeyboardInterrupt
            calls.append(1)
            return super().fit(examples, **other)

    with pytest.raises(KeyboardInterrupt):
        quality_study(Counting(), sources, test, design, units=tmp_path / "units")
    Counting.limit = 99
    found = quality_study(Counting(), sources, test, design, units=tmp_path / "units")
    assert len(calls) == 12
    assert found == quality_study(Centres(), sources, test, design)
    # A damaged unit is trained again, and other data are never taken for these.
    next((tmp_path / "units").rglob("*.npz")).write_bytes(b"PK")
    assert quality_study(Counting(), sources, test, design, units=tmp_path / "units") == found
    assert len(calls) == 13
    quality_study(Counting(), sources, test.take(np.arange(90)), design, units=tmp_path / "units")
    assert len(calls) == 25
    assert not list((tmp_path / "units").rglob(".*"))


def test_the_record_holds_every_number_and_no_patient():
    rng = np.random.default_rng(8)
    design = Design(one_at_a_time([label_noise(0.2)]), size=60, seeds=3, steps=1, samples=50)
    found = quality_study(Centres(), pools(rng), people(rng, 100), design)
    record = json.loads(json.dumps(found.describe(), allow_nan=False))
    assert record["interactions"][0]["knob"] == "label-noise=0.2"
    assert len(record["cells"]) == 4
    assert record["effects"][0]["interval"] == list(found.effects["label-noise=0.2", "real"].interval)


def test_a_full_factorial_never_turns_two_levels_of_a_factor():
    cells = full_factorial([label_noise(0.1), label_noise(0.2), balance("over")])
    names = [tuple(knob.name for knob in cell) for cell in cells]
    assert len(set(names)) == len(names) == 6
    assert names[0] == ()
    assert all(len({knob.factor for knob in cell}) == len(cell) for cell in cells)


def test_what_cannot_be_studied():
    rng = np.random.default_rng(9)
    sources, test = pools(rng, 100), people(rng, 50)
    with pytest.raises(InputError, match="a cell with every knob off and one with a knob on"):
        Design(((),))
    with pytest.raises(InputError, match=r"seeds of a study of quality must be at least 2, got 1"):
        Design(one_at_a_time([balance("over")]), seeds=1)
    with pytest.raises(InputError, match="no two cells differ in balance=over alone"):
        Design(((), (balance("over"), label_noise(0.1)), (label_noise(0.1),))[:2])
    design = Design(one_at_a_time([balance("over")]), size=101)
    with pytest.raises(InputError, match="the real set has 100 images and 101 are drawn from each; draw fewer"):
        quality_study(Centres(), sources, test, design)
    with pytest.raises(InputError, match="compares two sources"):
        quality_study(Centres(), {"real": sources["real"]}, test, design)
    healthy = test.take(np.flatnonzero(test.targets[:, 0] == 1))
    design = Design(one_at_a_time([balance("over")]), size=50, seeds=2, samples=20)
    with pytest.raises(InputError, match="the test patients allow no auc with an interval"):
        quality_study(Centres(), sources, healthy, design)
