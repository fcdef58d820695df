"""A variational autoencoder: one vector an image, drawn from a law that is fitted to the training images' own vectors.

The encoder gives a Gaussian over the latent z of an image, the decoder an image of z and of the condition. The noise
between the decoded and the true image has one variance, which is the mean squared error itself at every step, so that
reconstruction and divergence are weighed against each other by the data and not by hand (sigma-VAE): per value the loss
is ``ln(mse) / 2 + KL / p``.

Latents of real images do not fill the standard normal law that they are pulled towards. Drawn from it, many images are
of no kind that was ever seen; so a mixture of Gaussians is fitted to the latents of the training set afterwards, one a
class, which are aggregates only (ex-post density estimation).

References
----------
D. P. Kingma, M. Welling, Auto-encoding variational Bayes, ICLR 2014.
O. Rybkin, K. Daniilidis, S. Levine, Simple and effective VAE training with calibrated decoders, ICML 2021 (sigma-VAE).
P. Ghosh et al., From variational to deterministic autoencoders, ICLR 2020, section 4 (ex-post density estimation).
"""

from fourfold.generate.vae.generator import VaeGenerator
from fourfold.generate.vae.network import Vae
from fourfold.generate.vae.options import VaeOptions
from fourfold.generate.vae.recipe import VaeRecipe
from fourfold.generate.vae.trainee import VaeTrainee

__all__ = ["Vae", "VaeGenerator", "VaeOptions", "VaeRecipe", "VaeTrainee"]
