import pytest

from fourfold.errors import InputError
from fourfold.utility.study import plan_of
from fourfold.utility.study.plan import plan_of_transfer


def pairs(plan, question):
    return [(one.arm, one.control) for one in plan.comparisons if one.question == question]


def test_synthetic_images_stand_beside_as_many_real_ones():
    plan = plan_of({"real": 100, "gan": 60, "vae": 300})
    assert pairs(plan, "substitution") == [("60 gan", "60 real"), ("100 vae", "100 real")]


def test_added_images_stand_beside_real_ones_repeated_to_the_same_number_and_beside_augmented_ones():
    plan = plan_of({"real": 100, "gan": 200}, ratios=[0.5, 2])
    assert pairs(plan, "addition") == [
        ("100 real + 50 gan", "100 real, repeated to 150"),
        ("100 real + 200 gan", "100 real, repeated to 300"),
    ]
    assert {control for _, control in pairs(plan, "beyond augmentation")} == {"100 real, augmented"}
    assert all(plan.arms[arm].total == plan.arms[control].total for arm, control in pairs(plan, "addition"))


def test_every_arm_that_is_no_control_has_one_and_every_arm_is_used():
    plan = plan_of({"real": 100, "fresh real": 100, "gan": 200}, curve=[10, 50])
    used = {name for one in plan.comparisons for name in (one.arm, one.control)}
    assert used == set(plan.arms)


def test_fresh_real_images_take_the_place_of_synthetic_ones_in_the_same_comparisons():
    plan = plan_of({"real": 100, "fresh real": 200, "gan": 200}, curve=[50])
    asked = {
        name: {(one.question, one.added) for one in plan.comparisons if one.subject == name}
        for name in ("gan", "fresh real")
    }
    assert asked["gan"] == asked["fresh real"]


def test_what_the_images_do_not_reach_is_left_out_and_said():
    plan = plan_of({"real": 100, "gan": 120}, ratios=[1, 2], curve=[50, 500])
    assert [arm for arm, _ in pairs(plan, "addition")] == ["100 real + 100 gan"]
    assert plan.notes == (
        "A ratio of 2 takes 200 images and gan has 120, so it is left out there.",
        "The learning curve at 500 real images is left out: there are 100.",
    )


def test_a_set_too_small_for_every_ratio_is_added_as_a_whole():
    plan = plan_of({"real": 100, "gan": 20}, ratios=[1, 2])
    assert [arm for arm, _ in pairs(plan, "addition")] == ["100 real + 20 gan"]


def test_a_second_task_is_learned_after_as_many_synthetic_as_real_images():
    plan = plan_of_transfer({"real": 100, "gan": 60}, 90)
    assert pairs(plan, "transfer") == [("90 real, after 60 gan", "90 real, after 60 real")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"questions": ["beauty"]}, "there is no 'beauty'"),
        ({"ratios": [0]}, "above 0, got 0"),
        ({"curve": [1]}, "2 or more, got 1"),
        ({"questions": ["learning curve"]}, "there is nothing to compare"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        plan_of({"real": 10, "gan": 10}, **options)
