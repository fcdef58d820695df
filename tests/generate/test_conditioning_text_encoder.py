"""A frozen text encoder of Hugging Face's transformers, here a tiny one with random weights."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.errors import InputError, MissingExtra
from fourfold.features.weights import sha256_of
from fourfold.generate.conditioning import Conditioning, Request
from fourfold.generate.conditioning.text_encoder import TextEncoder
from fourfold.images import ImageSet

transformers = pytest.importorskip("transformers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "edema", "effusion", "left", "clear"]
TEXTS = ["no edema", "left effusion", "clear"] * 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of one layer and its tokenizer, as save_pretrained writes them."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny-bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=12)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def image_set(texts):
    images = ImageSet.from_array(np.zeros((len(texts), 1, 4, 4), np.float32), name="training")
    entries = tuple(replace(entry, columns={"report": text}) for entry, text in zip(images.entries, texts, strict=True))
    return replace(images, entries=entries)


def fit(source, private=False):
    request = Request(text_encoder=str(source), private=private)
    return Conditioning.fit(["text"], image_set(TEXTS), np.arange(len(TEXTS)), request)


def encoded(conditioning, texts):
    return conditioning.encode(conditioning.read(image_set(texts))).context


def test_texts_become_the_encoders_vectors_with_zeros_behind_their_end(folder):
    context = encoded(fit(folder), ["no edema", "clear"])
    assert context.shape == (2, 12, 16)
    assert not context.requires_grad
    assert (context[1, 3:] == 0).all()
    network = transformers.BertModel.from_pretrained(folder)
    tokens = torch.tensor([[2, WORDS.index("clear"), 3]])
    with torch.no_grad():
        torch.testing.assert_close(context[1, :3], network(tokens).last_hidden_state[0], atol=1e-5, rtol=1e-5)


def test_a_vector_does_not_depend_on_what_is_encoded_beside_it(folder):
    together = encoded(fit(folder), TEXTS)
    torch.testing.assert_close(encoded(fit(folder), TEXTS[1:2]), together[1:2], atol=1e-6, rtol=1e-5)
    assert torch.equal(together[0], together[3])


def test_the_model_file_names_the_encoder_by_the_digest_of_its_weights_and_not_by_its_place(folder):
    conditioning = fit(folder)
    words = conditioning.record()[0]["words"]
    assert words["name"] == "tiny-bert"
    assert words["sha256"] == sha256_of(folder / "model.safetensors")
    assert str(folder.parent) not in json.dumps(conditioning.record())
    assert conditioning.arrays() == {}


def test_a_restored_part_asks_for_its_encoder_and_takes_the_same_one_only(folder, tmp_path):
    conditioning = fit(folder)
    again = Conditioning.restore(json.loads(json.dumps(conditioning.record())), {})
    assert again.record() == conditioning.record()
    with pytest.raises(InputError, match=r"needs the text encoder 'tiny-bert'.*give its folder with --text-encoder"):
        encoded(again, TEXTS)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    network = transformers.BertModel.from_pretrained(folder)
    torch.nn.init.zeros_(network.embeddings.word_embeddings.weight)
    network.save_pretrained(other)
    with pytest.raises(InputError, match=r"its weights .* are not those of the text encoder 'tiny-bert'"):
        again.part("text").locate(str(other))
    again.part("text").locate(str(folder))
    assert torch.equal(encoded(again, TEXTS), encoded(conditioning, TEXTS))


def test_withheld_texts_are_zeros(folder):
    conditioning = fit(folder)
    assert torch.equal(conditioning.withheld(3).context, torch.zeros(3, 12, 16))


def test_a_clip_text_model_is_an_encoder_too(folder, tmp_path):
    clip = tmp_path / "clip"
    shutil.copytree(folder, clip)
    (clip / "model.safetensors").unlink()
    config = transformers.CLIPTextConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=10,
        eos_token_id=3,
        bos_token_id=2,
        pad_token_id=0,
    )
    transformers.CLIPTextModel(config).save_pretrained(clip)
    assert encoded(fit(clip), TEXTS).shape == (15, 10, 8)


def test_a_private_model_may_have_an_encoder_but_keeps_no_texts(folder):
    conditioning = fit(folder, private=True)
    assert conditioning.record()[0]["prompts"] == {"overall": {}, "classes": {}}
    with pytest.raises(InputError, match="none may be drawn"):
        conditioning.draw([0])


def test_weights_that_are_pickled_are_not_read(folder, tmp_path):
    pickled = tmp_path / "pickled"
    shutil.copytree(folder, pickled)
    (pickled / "model.safetensors").unlink()
    torch.save(transformers.BertModel.from_pretrained(folder).state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(InputError, match="holds no safetensors weights"):
        TextEncoder.open(str(pickled))


def test_a_folder_that_is_no_encoder_is_refused_in_words(folder, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    (damaged / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read as a text encoder"):
        TextEncoder.open(str(damaged))


def test_the_local_cache_comes_first_and_what_a_model_file_names_is_never_downloaded(monkeypatch):
    asked = []

    def snapshot_download(name, **given):
        asked.append(given["local_files_only"])
        raise OSError("not there")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(InputError, match="neither a folder nor a model"):
        TextEncoder.open("somebody/something")
    assert asked == [True, False]
    asked.clear()
    with pytest.raises(InputError, match="not on this machine"):
        TextEncoder("somebody/something", "0" * 64, 4, 4).encode(["a"])
    assert asked == [True]


def test_without_transformers_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fourfold\[text\]'"):
        TextEncoder.open(str(folder))
