"""Who is most exposed, told from the real images alone."""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.privacy.membership import duplicated_patients, exposed_groups, isolated_patients, rare_classes


def _comparison(training: np.ndarray, holdout: np.ndarray, patients: np.ndarray, **fields: object) -> Comparison:
    size = len(training)
    return Comparison(
        "space",
        Features(training.astype(np.float32), patients[:size], **fields.get("training", {})),
        Features(training[:10].astype(np.float32)),
        Features(holdout.astype(np.float32), patients[size:], **fields.get("holdout", {})),
    )


def test_the_most_isolated_patients_are_those_furthest_from_other_patients() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(200, 3))
    images[[7, 150]] += 50
    images[150] -= 100
    patients = np.arange(200)
    chosen = exposed_groups(_comparison(images[:100], images[100:], patients))["isolated"]
    assert chosen.sum() == 10
    assert chosen[[7, 150]].all()


def test_an_own_second_image_does_not_make_a_patient_less_isolated() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(100, 3))
    images[0] = 40.0
    twice = np.repeat(images, 2, axis=0) + rng.normal(0, 1e-3, (200, 3))
    chosen = exposed_groups(_comparison(twice[:100], twice[100:], np.repeat(np.arange(100), 2)))["isolated"]
    assert chosen[:2].all()
    assert chosen.sum() == 10


def test_a_rule_that_does_not_know_the_sets_takes_as_many_of_the_larger_one_as_it_is_larger() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(40):
        images = rng.normal(size=(600, 4))
        chosen = exposed_groups(_comparison(images[:500], images[500:], np.arange(600)))["isolated"]
        shares.append((chosen[:500].mean(), chosen[500:].mean()))
    assert np.allclose(np.mean(shares, axis=0), 0.05, atol=0.008)


def test_isolation_is_a_mean_over_images_and_a_share_of_patients() -> None:
    chosen = isolated_patients(np.array([9.0, 1.0, 4.0, 6.0, np.inf]), np.array([0, 0, 1, 1, 2]), share=0.3)
    assert chosen.tolist() == [True, True, False, False, False] or chosen.tolist() == [False, False, True, True, False]


def test_images_filed_twice_are_found_under_the_own_name_and_another_one() -> None:
    rng = np.random.default_rng(3)
    images = rng.normal(size=(60, 5))
    patients = np.repeat(np.arange(30), 2)
    images[1] = images[0]
    images[40] = images[10]
    images[55] = images[54] + 1e-4
    distances = np.linalg.norm(images[:, None] - images, axis=2)
    distances[patients[:, None] == patients] = np.inf
    chosen = duplicated_patients(images, patients, np.sort(distances, axis=1)[:, :5])
    assert set(patients[chosen]) == {0, 5, 20, 27}


def test_rare_classes_count_patients_and_not_images() -> None:
    training = Features(np.zeros((40, 1)), labels=np.repeat(["common", "rare"], [37, 3]))
    holdout = Features(np.zeros((20, 1)), labels=np.repeat(["common", "rare"], [19, 1]))
    patients = np.r_[np.arange(37), 37, 37, 37, np.arange(38, 58)]
    found = rare_classes(training, holdout, patients)
    assert list(found) == ["class rare"]
    assert set(patients[found["class rare"]]) == {37, 57}


def test_findings_come_before_labels_and_unknown_ones_do_not_count() -> None:
    findings = {"nodule": np.r_[1.0, np.full(29, 0.0)], "oedema": np.ones(30), "mass": np.full(30, np.nan)}
    one = Features(np.zeros((30, 1)), labels=np.array(["a"] * 30), findings=findings)
    assert list(rare_classes(one, one, np.arange(60))) == ["class nodule"]
    assert rare_classes(one, Features(np.zeros((30, 1))), np.arange(60)) == {}
