import pytest
import torch
from torch import nn

from fourfold.errors import InputError
from fourfold.features import KINDS, MobileNet, available, get

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.(script|save).*:DeprecationWarning")

NAMES = [
    *("radiomics", "pixels", "histogram", "imitation", "autoencoder", "autoencoder-codes", "random", "mobilenet:PATH"),
    *(f"{kind}:PATH" for kind in KINDS),
    *("meshnet:PATH", "dreamsim:CACHE_DIR", "tuned:DIR", "NAME=PATH"),
]


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "my net.pt"
    torch.jit.script(nn.Flatten()).save(str(path))
    return path


@pytest.mark.parametrize("name", NAMES[:7])
def test_every_built_in_name_gives_its_extractor(name):
    assert get(name).name == name


def test_the_list_says_what_each_was_trained_on_and_where_it_comes_from():
    assert [listing.name for listing in available()] == NAMES
    assert all(all(listing) for listing in available())


def test_the_list_agrees_with_the_extractors():
    for listing in available()[:7]:
        assert get(listing.name).trained_on == listing.trained_on


def test_options_follow_a_question_mark():
    assert get("pixels?size=16").settings() == {"size": 16}
    assert get("random?seed=7").settings()["seed"] == 7


def test_a_mobilenet_is_named_by_its_architecture_or_by_the_user(weights_folder):
    path = weights_folder / "mobilenet_v1_025_imagenet_fp32.npz"
    network = get(f"mobilenet:{path}?slices=5")
    assert isinstance(network, MobileNet)
    assert (network.name, network.policy.slices.slices) == ("mobilenet_v1", 5)
    assert get(f"photos=mobilenet:{path}").name == "photos"
    assert get(f"photos={path}").sha256 == network.sha256


def test_a_file_takes_its_name_from_the_user_or_from_itself(script):
    assert get(f"mine={script}").name == "mine"
    assert get(str(script)).name == "my_net"


def test_the_declared_input_reaches_the_network_and_the_record(script):
    options = "size=8&channels=1&range=-1,1&mean=0.5&std=0.25&planes=three&slices=2&trained_on=our own CT"
    network = get(f"mine={script}?{options}")
    assert network.settings()["input"] == {
        "size": 8,
        "channels": 1,
        "range": [-1.0, 1.0],
        "mean": [0.5],
        "std": [0.25],
        "resampling": "antialiased",
        "by_image": False,
        "volumes": {"planes": "three", "slices": 2, "pool": "mean"},
    }
    assert network.trained_on == "our own CT"
    assert get(f"mine={script}?volumes=whole").settings()["input"]["volumes"] == "whole"


CHOICES = "there are: " + ", ".join(NAMES)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("inceptoin", f"there is no feature extractor 'inceptoin'; {CHOICES}"),
        ("pixels?planes=three", "there is no option 'planes' in 'pixels?planes=three'; there are: size"),
        ("a=n.pt?pool=max", "pool must be 'mean' or 'planes', got 'max'"),
        ("mobilenet", f"there is no feature extractor 'mobilenet'; {CHOICES}"),
        ("mobilenet:", f"'mobilenet:' names no file; {CHOICES}"),
        ("imitation:", f"'imitation:' names no file; {CHOICES}"),
        (
            "imitation?steps=3",
            "there is no option 'steps' in 'imitation?steps=3'; there are: seed, planes, slices, pool",
        ),
        ("autoencoder:", f"'autoencoder:' names no file; {CHOICES}"),
        ("autoencoder?width=3", "there is no option 'width' in 'autoencoder?width=3'; there are: size, seed, steps"),
        (
            "autoencoder:own.safetensors?size=3",
            "there is no option 'size' in 'autoencoder:own.safetensors?size=3'; this extractor takes none",
        ),
        ("mine=", f"'mine=' names no file; {CHOICES}"),
        ("", f"'' names no file; {CHOICES}"),
        ("pixels=net.pt", "the name 'pixels' in 'pixels=net.pt' is taken; choose another for the file net.pt"),
        ("a@b=net.pt", "the name 'a@b' in 'a@b=net.pt' may hold letters, digits, '_', '.' and '-' only"),
        ("pixels?width=3", "there is no option 'width' in 'pixels?width=3'; there are: size"),
        ("radiomics?x=1", "there is no option 'x' in 'radiomics?x=1'; this extractor takes none"),
        ("pixels?size=big", "the option size='big' in 'pixels?size=big' is not a number"),
        ("pixels?size", "the option 'size' in 'pixels?size' is not of the form key=value"),
        ("a=n.pt?range=1", "the option range='1' in 'a=n.pt?range=1' needs two numbers: low,high"),
        ("nowhere.pt", "nowhere.pt: there is no such file; give the path of the network's weights"),
    ],
)
def test_a_wrong_specification_is_answered_with_what_there_is(specification, message):
    with pytest.raises(InputError) as caught:
        get(specification)
    assert str(caught.value) == message
