"""How an image departs from another: the functions behind `fourfold.features.perceptual.distortions`.

Each takes an image of shape (C, H, W) or (C, D, H, W) in [0, 1], a strength and a random generator, and gives an image
of the same shape that may leave the range. Lengths are shares of the shorter side.
"""
