"""The privacy audit of a synthetic set that holds a few copies of training images, from Python.

Prints what each attack achieved against its limit, and writes a statement for a data protection officer. The search
for copies lists the planted ones; most other attacks stay open, because the default limits need some hundred patients
on each side, and the statement says how many would settle each.

    python examples/audit_phantoms.py audit/ --patients 110
"""

import argparse
from pathlib import Path

import fourfold as ff
from fourfold.auditing import audit
from fourfold.images.phantoms import plant_copies
from fourfold.privacy import Policy


def main() -> None:
    parser = argparse.ArgumentParser(description="Audit phantoms with planted copies.")
    parser.add_argument("folder", type=Path, help="where the statement goes")
    parser.add_argument("--patients", type=int, default=110, help="training patients (default: 110)")
    arguments = parser.parse_args()
    patients = arguments.patients

    training = ff.phantoms("chest", patients, images_per_patient=1)
    # The tail of the null is read from real images: with less than about 300 of them the search sees little.
    holdout = ff.phantoms("chest", 2 * patients, images_per_patient=1, first_patient=patients)
    fresh = ff.phantoms("chest", patients, images_per_patient=1, first_patient=3 * patients)
    images, truth = plant_copies(fresh.images, training.images, share=0.05, transform="noise")

    found = audit(
        ff.ImageSet.from_array(images, name="synthetic", labels=fresh.labels.tolist()),
        training.to_image_set("training"),
        holdout.to_image_set("holdout"),
        policy=Policy(copy_rate=0.01, signed_by="an example"),
        store=False,
    )
    print(f"{len(truth)} copies planted")
    print(f"{found.status}: {found.sentence}")
    for endpoint in found.endpoints:
        bound = f"at most {endpoint.written(endpoint.upper)}, limit {endpoint.written(endpoint.limit)}"
        print(f"  {endpoint.title}: {endpoint.written(endpoint.estimate)} ({bound}): {endpoint.status}")
    print(f"statement: {found.write(arguments.folder)}")


if __name__ == "__main__":
    main()
