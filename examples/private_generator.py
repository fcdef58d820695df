"""A diffusion model that is trained under differential privacy, the patient as the unit, from Python.

Prints the noise and the epsilon of the training, and what its model card says of it. A few steps on small phantoms
show the machinery and not a good model: that takes thousands of patients (see docs/private-training.md).

    python examples/private_generator.py private-model/ --patients 60 --epsilon 8
"""

import argparse
import textwrap
from pathlib import Path

import fourfold as ff


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a private generator on phantoms.")
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--patients", type=int, default=60, help="training patients (default: 60)")
    parser.add_argument("--epsilon", type=float, default=8.0, help="the most that training may cost (default: 8)")
    parser.add_argument("--steps", type=int, default=20, help="steps of training (default: 20)")
    arguments = parser.parse_args()

    model = ff.train(
        ff.phantoms("chest", arguments.patients, size=16).to_image_set("training"),
        recipe="diffusion",
        output=arguments.folder,
        condition="class",
        options={"epsilon": arguments.epsilon, "steps": arguments.steps, "batch": 12, "channels": "8,16", "patch": 1},
        snapshots=arguments.steps,
    )
    privacy = model.record["privacy"]
    print(f"each {privacy['unit']} is in a step with probability {privacy['sample_rate']:.2f}")
    print(f"noise multiplier {privacy['noise_multiplier']:.2f} over {privacy['steps']} steps")
    print(f"epsilon {privacy['epsilon']:.2f} at delta {privacy['delta']:.0e}")
    for said in (privacy["sentence"], "Not covered:", *(f"- {one}" for one in privacy["not_covered"])):
        print(textwrap.fill(said, 100, subsequent_indent="  " if said.startswith("-") else ""))


if __name__ == "__main__":
    main()
