import json
import math
from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.features import Pixels
from fourfold.images import ImageSet, prepare
from fourfold.images.phantoms import phantoms
from fourfold.outliers import fit_gates
from fourfold.statistics import ranked_area


def noise_images(rng, patients, images_each=1):
    """Tiny images whose mean and grain are the patient's own."""
    level = np.repeat(rng.uniform(0.3, 0.5, patients), images_each)[:, None, None, None]
    grain = np.repeat(rng.lognormal(-3, 0.4, patients), images_each)[:, None, None, None]
    images = (level + grain * rng.standard_normal((patients * images_each, 1, 8, 8))).clip(0, 1)
    names = [f"P{number}" for number in np.repeat(np.arange(patients), images_each)]
    return prepare({"real": ImageSet.from_array(images.astype(np.float32), patients=names)}, scaling="0:1")["real"]


def test_all_gates_together_keep_the_false_alarms_at_alpha():
    """Every patient has three images, and Holm's rule could not accuse anybody with so few."""
    asked = ["levels", "histogram", "gradients", "nearest:histogram", "neighbours:levels"]
    alarms, alone = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        gates = fit_gates(noise_images(rng, 60, 3), gates=asked, features=[], alpha=0.1, seed=seed)
        judged = gates.judge(noise_images(rng, 40))
        assert len(gates.calibration) == 24
        np.testing.assert_array_equal(judged.outside, judged.p <= 0.1)
        alarms.append(judged.outside.mean())
        alone.append([np.mean(p <= 0.1) for p in judged.p_values.values()])
    error = np.std(alarms) / math.sqrt(len(alarms))
    assert np.mean(alarms) < 0.08 + 4 * error
    assert np.mean(alarms) > 0.08 - 4 * error
    assert np.all(np.mean(alone, axis=0) < 0.1 + 4 * error)


def test_patients_never_straddle_and_each_calibrates_with_one_image(chests, chest_gates):
    fitted, held = set(chest_gates.fitted.patients), list(chest_gates.held.patients)
    assert not fitted & set(held)
    assert len(held) == len(set(held)) == 120
    assert fitted | set(held) == set(chests.patients)


def test_fresh_patients_are_mostly_inside_and_altered_ones_outside(brain_gates, fresh_brains, atrophy):
    """At 24 voxels a side atrophy is told with 0.97; at 40 with 0.99, and 1.00 by the histogram alone."""
    fresh = brain_gates.judge(fresh_brains())
    shrunk = brain_gates.judge(fresh_brains(change=atrophy))
    assert fresh.outside.mean() < 0.2
    assert ranked_area(shrunk.surprise, fresh.surprise).value > 0.95
    caught = shrunk.caught_by(0)
    assert caught[0] == shrunk.leading[0]
    assert set(caught[1:]) <= {name for name, p in shrunk.adjusted.items() if p[0] <= 0.05}
    assert all(fresh.caught_by(row) == () for row in np.flatnonzero(~fresh.outside))


def test_a_verbatim_copy_is_seen_from_the_low_side_only(brain_gates, fresh_brains):
    copies = brain_gates.judge(brain_gates.fitted.take(range(30)))
    fresh = brain_gates.judge(fresh_brains())
    assert np.all(copies.nearness["nearest:histogram"] == 1 / (len(brain_gates.calibration) + 1))
    assert np.all(copies.p_values["nearest:histogram"] == 1.0)
    assert np.mean(fresh.nearness["nearest:histogram"] <= 0.05) < 0.2
    assert set(fresh.nearness) == {"nearest:histogram"}


def test_outside_and_p_values_are_those_of_the_judgement(brain_gates, fresh_brains):
    images = fresh_brains(count=5)
    judged = brain_gates.judge(images)
    np.testing.assert_array_equal(brain_gates.outside(images), judged.outside)
    found = brain_gates.p_values(images)
    assert tuple(found) == brain_gates.names
    assert all(np.array_equal(found[name], judged.p_values[name]) for name in found)


def test_a_judgement_does_not_depend_on_the_other_images_or_the_memory(chests, chest_gates):
    images = chests.take(range(12))
    together, alone = chest_gates.judge(images), chest_gates.judge(images.take([7]))
    assert alone.p[0] == together.p[7]
    assert alone.surprise[0] == pytest.approx(together.surprise[7], abs=1e-6)
    small = replace(chest_gates, memory=1 << 18).judge(images)
    np.testing.assert_allclose(small.surprise, together.surprise, atol=1e-6)


def test_the_same_seed_deals_the_same_patients(chests):
    first, again, other = (fit_gates(chests, gates=["levels"], features=[], seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.calibration, again.calibration)
    assert first.held.paths != other.held.paths


def test_nothing_of_an_image_is_shareable(chest_gates):
    written = json.dumps(chest_gates.shareable())
    facts = json.loads(written)
    assert facts["patients"] == {"fitted": 180, "calibration": 120}
    assert [gate["name"] for gate in facts["gates"]] == list(chest_gates.names)
    assert not any(name in written for name in [*chest_gates.held.patients, *chest_gates.fitted.paths])
    assert len(written) < 2500
    assert "array" not in repr(chest_gates)
    assert "P0" not in repr(chest_gates)


def test_images_prepared_otherwise_are_refused(chests, chest_gates):
    darker = prepare({"new": ImageSet.from_array(0.5 * chests.load(range(5)), name="new")}, scaling="0:0.5")["new"]
    for wrong in (darker, ImageSet.from_array(chests.load(range(5)), name="new")):
        with pytest.raises(InputError, match="the new set was not prepared together with the real images"):
            chest_gates.outside(wrong)
    with pytest.raises(InputError, match="the real set is not prepared"):
        fit_gates(ImageSet.from_array(np.zeros((5, 1, 8, 8)), name="real"))


def test_too_few_patients_are_refused_with_the_number_that_is_needed(chests):
    few = chests.take(np.flatnonzero(np.isin(chests.patients, np.unique(chests.patients)[:38])))
    with pytest.raises(InputError, match=r"there are 38 real patients, and a gate at alpha 0\.05 needs 39: 20 to fit"):
        fit_gates(few)
    assert len(fit_gates(few, gates=["levels"], features=[], alpha=0.1).calibration) == 15
    enough = chests.take(np.flatnonzero(np.isin(chests.patients, np.unique(chests.patients)[:39])))
    assert len(fit_gates(enough, gates=["levels"], features=[]).calibration) == 19


def test_near_duplicates_stand_in_for_patients(chests):
    films = phantoms("chest", 60, images_per_patient=1, size=32).images
    twice = np.concatenate([films, np.clip(films + 0.001, 0, 1)])
    real = prepare({"real": ImageSet.from_array(twice)}, scaling="0:1")["real"]
    gates = fit_gates(real, gates=["histogram"], features=[])
    assert gates.fitted_patients + len(gates.calibration) <= 60
    rows = {int(path.split("[")[1][:-1]) % 60 for path in gates.fitted.paths}
    assert not rows & {int(path.split("[")[1][:-1]) % 60 for path in gates.held.paths}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"gates": ["histograms"]}, "there is no gate 'histograms'; there are: histogram, regions, gradients, levels"),
        ({"gates": ["far:histogram"]}, "there is no gate 'far:histogram'"),
        ({"gates": [], "features": []}, "there is no gate; name at least one"),
        ({"gates": ["levels", "levels"]}, "a gate is asked for twice among levels, levels"),
        ({"features": ["histogram"]}, "two gates would be called 'histogram'"),
        ({"features": [Pixels(8), Pixels(16)]}, "two gates would be called 'pixels'"),
        ({"calibration": 1.0}, "the share of patients to calibrate on lies between 0 and 1"),
        ({"alpha": 0.0}, "alpha is a share of false alarms between 0 and 1"),
    ],
)
def test_wrong_gates_are_named(chests, asked, message):
    with pytest.raises(InputError, match=message):
        fit_gates(chests, **asked)
