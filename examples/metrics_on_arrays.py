"""Metrics as plain functions on arrays: no folders, no report, just numbers.

Two generators are compared with real images: one that draws every patient anew but out of focus, and one that repeats
three sharp images. The first loses fidelity, the second variety, and the row of fresh real images says how good a
score can get at all.

    python examples/metrics_on_arrays.py --patients 300
"""

import argparse

import numpy as np
import torch

import fourfold as ff
from fourfold.images.phantoms import blur, collapse


def main() -> None:
    parser = argparse.ArgumentParser(description="Fidelity and variety of two generators, from arrays.")
    parser.add_argument("--patients", type=int, default=300, help="patients in each set (default: 300)")
    patients = parser.parse_args().patients

    training = ff.phantoms("chest", patients, images_per_patient=1).images
    fresh = ff.phantoms("chest", patients, images_per_patient=1, first_patient=patients).images
    sets = {
        "fresh real images": fresh,
        "out of focus": blur(fresh, sigma=1.5)[0],
        "three prototypes": collapse(fresh, prototypes=3)[0],
    }

    extractor = ff.features.get("radiomics")
    reference = extractor(torch.from_numpy(training)).numpy()
    # Radiomic features have units of their own: each is counted in standard deviations of the training images.
    centre, spread = reference.mean(0), np.maximum(reference.std(0), 1e-6)
    reference = (reference - centre) / spread

    print(f"{'':20s}{'frechet distance':>18s}{'precision':>12s}{'coverage':>12s}")
    for name, images in sets.items():
        features = (extractor(torch.from_numpy(images)).numpy() - centre) / spread
        distance = ff.fidelity.frechet_distance(reference, features)
        precision = ff.fidelity.precision(reference, features)
        coverage = ff.variety.coverage(reference, features)
        print(f"{name:20s}{distance:18.1f}{precision:12.2f}{coverage:12.2f}")


if __name__ == "__main__":
    main()
