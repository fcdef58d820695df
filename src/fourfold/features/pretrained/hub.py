"""A file from the Hugging Face hub, for those who name one; nothing else here reaches for the network."""

from __future__ import annotations

from pathlib import Path

from fourfold.errors import InputError, MissingExtra

__all__ = ["PREFIX", "fetch"]

PREFIX = "hub:"
_FILE = "model.safetensors"


def fetch(name: str) -> Path:
    """The file of a repository on the hub, downloaded or from the hub's own cache.

    Parameters
    ----------
    name : str
        ``OWNER/REPOSITORY``, ``OWNER/REPOSITORY@REVISION``, either with ``/FILE`` behind it; ``model.safetensors``
        where none is named.

    Raises
    ------
    InputError
        Where the name is of another form, or the file can neither be found in the cache nor be downloaded.
    MissingExtra
        Where huggingface_hub is not installed.
    """
    parts = name.split("/", 2)
    if len(parts) < 2 or not all(parts):
        raise InputError(
            f"{PREFIX}{name}: a file on the hub is named as {PREFIX}OWNER/REPOSITORY or with /FILE behind it"
        )
    repository, _, revision = "/".join(parts[:2]).partition("@")
    file = parts[2] if len(parts) == 3 else _FILE
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingExtra("huggingface_hub", "networks", f"fetching {PREFIX}{name}") from error
    try:
        return Path(hf_hub_download(repository, file, revision=revision or None))
    # The hub's client raises a dozen kinds of error of its own and of two network libraries.
    except Exception as error:
        raise InputError(
            f"{PREFIX}{name}: the hub did not give the file {file!r} of {repository} ({type(error).__name__}); without "
            "a connection, bring the file here by other means and give its path"
        ) from error
