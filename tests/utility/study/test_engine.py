import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.utility.study import Effort, plan_of
from fourfold.utility.study.engine import Units, places_of
from fourfold.utility.study.problem import sizes

EFFORT = Effort(seeds=2, halvings=2, steps=1)


class Stopped(Exception):
    pass


def arms_of(problem):
    return tuple(plan_of(sizes(problem), questions=["substitution"]).arms.values())


def counted(monkeypatch, known, stop_after=None):
    calls = []
    fit = known.Task.fit

    def counting(self, *arguments, **options):
        if stop_after is not None and len(calls) == stop_after:
            raise Stopped
        calls.append(options["seed"])
        return fit(self, *arguments, **options)

    monkeypatch.setattr(known.Task, "fit", counting)
    return calls


def test_a_stopped_study_goes_on_and_ends_with_the_same_outcomes(known, tmp_path, monkeypatch):
    problem = known.problem(0, gan=(60, {}))
    arms = arms_of(problem)
    whole = Units(problem, EFFORT)
    whole.train(arms, lambda *_: None)
    with monkeypatch.context() as patched:
        counted(patched, known, stop_after=5)
        with pytest.raises(Stopped):
            Units(problem, EFFORT, tmp_path).train(arms, lambda *_: None)
    calls = counted(monkeypatch, known)
    resumed = Units(problem, EFFORT, tmp_path)
    resumed.train(arms, lambda *_: None)
    assert len(calls) == 12 - 5
    for arm in arms:
        for place in places_of(EFFORT):
            kept = resumed.outcomes(arm, place)
            np.testing.assert_array_equal(kept.facts["scores"], whole.outcomes(arm, place).facts["scores"])


def test_arms_of_one_place_share_their_seed_and_two_places_do_not(known, monkeypatch):
    calls = counted(monkeypatch, known)
    problem = known.problem(0, gan=(60, {}))
    Units(problem, EFFORT).train(arms_of(problem), lambda *_: None)
    seeds = np.reshape(calls, (6, 2))
    assert (seeds[:, 0] == seeds[:, 1]).all()
    assert len(set(seeds[:, 0])) == 6


def test_other_images_are_trained_anew_and_a_further_set_is_all_that_is_trained(known, tmp_path, monkeypatch):
    calls = counted(monkeypatch, known)

    def train(problem):
        Units(problem, EFFORT, tmp_path).train(arms_of(problem), lambda *_: None)
        done = len(calls)
        calls.clear()
        return done

    assert train(known.problem(0, gan=(60, {}))) == 12
    assert train(known.problem(0, gan=(60, {}))) == 0
    assert train(known.problem(1, gan=(60, {}))) == 12
    one, two = (known.problem(0, **sets) for sets in ({"gan": (60, {})}, {"gan": (60, {}), "vae": (60, {})}))
    assert train(type(two)(two.name, two.task, {**one.sources, "vae": two.sources["vae"]}, one.test)) == 6


def test_a_damaged_unit_is_trained_anew(known, tmp_path, monkeypatch):
    problem = known.problem(0, gan=(60, {}))
    Units(problem, EFFORT, tmp_path).train(arms_of(problem), lambda *_: None)
    file = sorted((tmp_path / "results").glob("*.npz"))[0]
    file.write_bytes(file.read_bytes()[:50])
    calls = counted(monkeypatch, known)
    Units(problem, EFFORT, tmp_path).train(arms_of(problem), lambda *_: None)
    assert len(calls) == 1


def test_progress_counts_every_unit_once(known):
    said = []
    problem = known.problem(0, gan=(60, {}))
    Units(problem, EFFORT).train(arms_of(problem), lambda *facts: said.append(facts))
    assert said == [("training (intra-task)", done, 12) for done in range(13)]


@pytest.mark.parametrize("options", [{"seeds": 1}, {"halvings": 1}, {"halvings": -1}, {"steps": 0}])
def test_efforts_that_tell_nothing_are_refused(options):
    with pytest.raises(InputError, match="a study takes"):
        Effort(**options)
