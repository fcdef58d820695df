"""The table of published networks: what each is fed, what comes out, where its weights are, and what they have seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fourfold.features.inputs import IMAGENET_MEAN, IMAGENET_STD, InputPolicy
from fourfold.features.pretrained import networks
from fourfold.features.pretrained.layouts import Arrays
from fourfold.features.pretrained.networks import Built

__all__ = ["KINDS", "Kind"]

# Mean and standard deviation of the channels over CLIP's training pictures, as its authors' code has them.
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Kind:
    """One published network, or a family of them that is fed alike.

    Parameters
    ----------
    name : str
        As in ``NAME:PATH``.
    summary : str
        What it is, in a line.
    build : callable
        Arrays by name to the network with its weights inside; raises ValueError where they are another network's.
    policy : InputPolicy
        What the network is fed.
    output : str
        Which of its values are the features.
    trained_on : str
    source : str
        The paper.
    file : str
        The file to get, and from which project.
    licence : str
        Of the weights, as their project states it.
    """

    name: str
    summary: str
    build: Callable[[Arrays], Built]
    policy: InputPolicy
    output: str
    trained_on: str
    source: str
    file: str
    licence: str

    @property
    def advice(self) -> str:
        """Which file to get and how to name it."""
        return f"get {self.file}, and name it as {self.name}:PATH"


_PHOTOGRAPHS = "ImageNet: 1.3 million photographs of 1000 kinds of object, no medical image"
_FID_FILE = (
    "'weights-inception-2015-12-05-6726825d.pth' of the project torch-fidelity "
    "(or 'pt_inception-2015-12-05-6726825d.pth' of pytorch-fid, the same arrays)"
)

_ALL = (
    Kind(
        name="inception",
        summary="FID's own InceptionV3, images brought to 299 pixels as FID's first code did; FID figures are in it",
        build=networks.inception,
        policy=InputPolicy(size=299, low=-1.0, high=127 / 128, resampling="tensorflow"),
        output="last map, averaged over its pixels: 2048 columns",
        trained_on=_PHOTOGRAPHS,
        source="Szegedy et al. 2016; Heusel et al. 2017 (FID)",
        file=_FID_FILE,
        licence="Apache-2.0",
    ),
    Kind(
        name="inception-pytorch",
        summary="the same network, images brought to 299 pixels as pytorch-fid does, which gives other figures",
        build=networks.inception,
        policy=InputPolicy(size=299, low=-1.0, high=1.0, resampling="bilinear"),
        output="last map, averaged over its pixels: 2048 columns",
        trained_on=_PHOTOGRAPHS,
        source="Szegedy et al. 2016; Heusel et al. 2017 (FID)",
        file=_FID_FILE,
        licence="Apache-2.0",
    ),
    Kind(
        name="dinov2",
        summary="DINOv2's ViT-S, B or L with patches of 14 pixels; ViT-L is what recent comparisons of generators use",
        build=networks.dinov2,
        policy=InputPolicy(size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, resampling="bicubic"),
        output="class token behind the last normalisation: 384, 768 or 1024 columns",
        trained_on="LVD-142M: 142 million pictures of the web without labels, hardly any of them medical",
        source="Oquab et al. 2024; Stein et al. 2023 (as a space for generators)",
        file=(
            "'dinov2_vitl14_pretrain.pth' (or vits14, vitb14) of the project facebookresearch/dinov2, "
            "or 'model.safetensors' of facebook/dinov2-large (-small, -base)"
        ),
        licence="Apache-2.0",
    ),
    Kind(
        name="clip",
        summary="the image tower of OpenAI's CLIP; CMMD is defined on ViT-L/14 at 336 pixels",
        build=networks.clip,
        policy=InputPolicy(size=336, mean=_CLIP_MEAN, std=_CLIP_STD, resampling="bicubic"),
        output="projection into the space shared with text, not normalised: 512 or 768 columns",
        trained_on="400 million pictures of the web with their captions, hardly any of them medical",
        source="Radford et al. 2021; Jayasumana et al. 2024 (CMMD)",
        file=(
            "'ViT-L-14-336px.pt' of the project openai/CLIP, "
            "or 'model.safetensors' of openai/clip-vit-large-patch14-336 (or another ViT of the two)"
        ),
        licence="MIT",
    ),
    Kind(
        name="swav",
        summary="SwAV's ResNet-50",
        build=networks.resnet50,
        policy=InputPolicy(size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        output="last map, averaged over its pixels: 2048 columns",
        trained_on="ImageNet without its labels: 1.3 million photographs, no medical image",
        source="Caron et al. 2020; Morozov et al. 2021 (as a space for generators)",
        file="'swav_800ep_pretrain.pth.tar' of the project facebookresearch/swav",
        licence="CC-BY-NC-4.0: not for commercial use",
    ),
    Kind(
        name="radimagenet",
        summary="RadImageNet's ResNet-50, DenseNet-121 or InceptionV3, recognised from the arrays of the file",
        build=networks.radiological,
        policy=InputPolicy(size=224, low=-1.0, high=1.0),
        output="last map, averaged over its pixels: 2048 columns, DenseNet-121 1024",
        trained_on="RadImageNet: 1.35 million CT, MRI and ultrasound images with 165 findings",
        source="Mei et al. 2022",
        file="'ResNet50.pt' (or DenseNet121.pt, InceptionV3.pt) of RadImageNet_pytorch, project BMEII-AI/RadImageNet",
        licence="by agreement with RadImageNet: research, not for commercial use",
    ),
    Kind(
        name="torchxrayvision",
        summary="TorchXRayVision's DenseNet-121 for chest radiographs",
        build=networks.chest_densenet,
        policy=InputPolicy(size=224, channels=1, low=-1024.0, high=1024.0),
        output="last map, averaged over its pixels: 1024 columns",
        trained_on="chest radiographs of the sets that the weights are named after, with findings",
        source="Cohen et al. 2022",
        file=(
            "the weights 'densenet121-res224-all' (or -nih, -chex, -mimic_nb and so on) of the project "
            "torchxrayvision; they come as a whole object, so save them once as arrays: "
            "torch.save(torchxrayvision.models.DenseNet(weights='densenet121-res224-all').state_dict(), "
            "'densenet121-res224-all.pt')"
        ),
        licence="Apache-2.0; the films behind them have terms of their own",
    ),
    Kind(
        name="medicalnet",
        summary="MedicalNet's ResNet-10 to 200 for volumes, which they see whole, in the voxels they have",
        build=networks.volume_resnet,
        policy=InputPolicy(channels=1, volumes="whole", by_image=True),
        output="last map, averaged over its voxels: 512 columns, from ResNet-50 on 2048",
        trained_on="23 sets of CT and MRI volumes with segmentations (3DSeg-8 for the files without 23dataset)",
        source="Chen et al. 2019 (Med3D)",
        file="'resnet_50_23dataset.pth' (or another depth) of the project Tencent/MedicalNet",
        licence="MIT",
    ),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
