"""The four scores of a generator while it is trained, each beside its null, in a CSV file and for TensorBoard.

A small variational autoencoder learns phantom radiographs of two classes. Every so many steps it draws a set, and one
score of each question is logged, through the wrapper that a training of your own would use. Fidelity, variety and
utility begin far from their nulls; how near they come, and whether privacy leaves its own, is what a run shows.

    python examples/scores_while_training.py --steps 4000 --every 500 -o scores/
    python examples/scores_while_training.py --loop ignite      # the same as handlers of a pytorch-ignite engine
    tensorboard --logdir scores/                                # where TensorBoard is installed
"""

import argparse
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn

import fourfold as ff
from fourfold.torchmetrics import FourScores

SIZE, LATENT, BATCH = 32, 16, 64


class Autoencoder(nn.Module):
    """A variational autoencoder of small images under a class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.encoder = nn.Sequential(nn.Linear(SIZE**2 + classes, 256), nn.SiLU(), nn.Linear(256, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT + classes, 256), nn.SiLU(), nn.Linear(256, SIZE**2))

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        """The loss of a batch: minus the evidence lower bound, with noise of 0.1 a pixel."""
        mean, spread = self.encoder(torch.cat([images.flatten(1), self.one_hot(codes)], 1)).chunk(2, 1)
        made = self.draw(codes, mean + torch.randn_like(mean) * torch.exp(0.5 * spread))
        divergence = 0.5 * (mean**2 + spread.exp() - 1 - spread).sum(1).mean()
        return ((made - images) ** 2).flatten(1).sum(1).mean() / (2 * 0.1**2) + divergence

    def draw(self, codes: Tensor, latent: Tensor | None = None) -> Tensor:
        """Images (B, 1, H, W) in [0, 1] of classes, given by number."""
        latent = torch.randn(len(codes), LATENT) if latent is None else latent
        return self.decoder(torch.cat([latent, self.one_hot(codes)], 1)).sigmoid().view(-1, 1, SIZE, SIZE)

    def one_hot(self, codes: Tensor) -> Tensor:
        """Classes as columns, (B, K)."""
        return nn.functional.one_hot(codes, self.classes).float()


def main() -> None:
    parser = argparse.ArgumentParser(description="Log four scores, each beside its null, during a training.")
    parser.add_argument("-o", "--output", type=Path, help="folder of the logs (a temporary one)")
    parser.add_argument("--patients", type=int, default=300, help="in the training set, and in the holdout (300)")
    parser.add_argument("--steps", type=int, default=2000, help="of the training (2000)")
    parser.add_argument("--every", type=int, default=500, help="steps between two looks (500)")
    parser.add_argument("--loop", choices=("fabric", "ignite"), default="fabric")
    arguments = parser.parse_args()
    torch.manual_seed(0)

    training = ff.phantoms("chest", arguments.patients, size=SIZE, images_per_patient=1)
    holdout = ff.phantoms(
        "chest", arguments.patients, size=SIZE, images_per_patient=1, first_patient=arguments.patients
    )
    names, codes = np.unique(training.labels, return_inverse=True)
    images, codes = torch.from_numpy(training.images), torch.from_numpy(codes)

    folder = arguments.output or Path(tempfile.mkdtemp())
    loggers = [CSVLogger(folder, name="csv", version="0", flush_logs_every_n_steps=1)]
    if find_spec("tensorboardX") or find_spec("tensorboard"):
        loggers.append(TensorBoardLogger(folder, name="tensorboard", version="0"))
    fabric = Fabric(accelerator="cpu", devices=1, loggers=loggers)
    model = Autoencoder(len(names))
    model, optimiser = fabric.setup(model, torch.optim.Adam(model.parameters(), lr=1e-3))
    model.mark_forward_method("draw")

    four = FourScores(ff.features.get("pixels"), training.to_image_set("training"), holdout.to_image_set("holdout"))

    def learn() -> None:
        rows = torch.randint(len(images), (BATCH,))
        loss = model(images[rows], codes[rows])
        optimiser.zero_grad()
        fabric.backward(loss)
        optimiser.step()

    def look(step: int) -> None:
        four.reset()
        with torch.no_grad():
            for part in codes.split(BATCH):
                four.update(model.draw(part), names[part])
        fabric.log_dict(four.compute(), step)
        for score in four.scores:
            value, null = ("-" if number is None else f"{number:.3g}" for number in (score.value, score.null))
            print(f"step {step:5d}  {score.key:35s}{value:>10s}   a perfect generator: {null}")

    look(0)
    {"fabric": plainly, "ignite": by_ignite}[arguments.loop](learn, look, arguments.steps, arguments.every)
    for logger in loggers:
        logger.finalize("success")
    print(f"logs: {folder}")


def plainly(learn: Callable[[], None], look: Callable[[int], None], steps: int, every: int) -> None:
    for step in range(1, steps + 1):
        learn()
        if step % every == 0:
            look(step)


def by_ignite(learn: Callable[[], None], look: Callable[[int], None], steps: int, every: int) -> None:
    try:
        from ignite.engine import Engine, Events
    except ImportError:
        raise SystemExit("this loop needs pytorch-ignite: pip install pytorch-ignite, or use --loop fabric") from None

    trainer = Engine(lambda engine, batch: learn())
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=every), lambda engine: look(engine.state.iteration))
    trainer.run(range(steps))


if __name__ == "__main__":
    main()
