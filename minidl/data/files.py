"""Where the files of a dataset are: a folder of one's own, the system's, or the download cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from minidl.errors import ArgumentError, expected


@dataclass(frozen=True)
class Source:
    """A published dataset.

    Parameters
    ----------
    name : of the function that reads it, and of its folder
    url : of the folder on the network, with a slash at the end
    checksums : name of each file there, and its published checksum ("md5:...")
    installed : where a system's package puts the files
    also : other names of its folder
    advice : how to get it other than by download
    """

    name: str
    url: str
    checksums: dict[str, str]
    installed: tuple[Path, ...] = ()
    also: tuple[str, ...] = ()
    advice: str = ""

    def folders(self, root: str | Path | None) -> list[Path]:
        """Return where to look, in this order; `root` alone where it is given."""
        if root is not None:
            return self._within(Path(root))
        own = os.environ.get("MINIDL_DATA")
        return [*(self._within(Path(own)) if own else []), *self.installed, self.cache]

    def _within(self, folder: Path) -> list[Path]:
        folder = folder.expanduser()
        return [folder, *(folder / name for name in (self.name, *self.also))]

    @property
    def cache(self) -> Path:
        """The folder of downloads."""
        return Path(platformdirs.user_cache_dir("minidl")) / self.name


def locate(
    source: Source,
    file: str,
    root: str | Path | None = None,
    download: bool = False,
    unpacked: str | None = None,
) -> Path:
    """Return the path of a file of a dataset.

    Parameters
    ----------
    file : its name as published
    root : the folder to look in (or in its folder of the dataset's name); None looks in the folder
        MINIDL_DATA names, the system's and the cache
    download : whether to fetch it where it is not found
    unpacked : what it is called once unpacked

    Raises
    ------
    ArgumentError
        where it is not found, or cannot be downloaded: with the place where it should be put
    """
    folders = source.folders(root)
    names = [file] if unpacked is None else [file, unpacked]
    for folder in folders:
        for name in names:
            if (folder / name).exists():
                return folder / name
    goal = folders[0] if root is not None else source.cache
    if download:
        return fetch(source, file, goal)
    where = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    advice = f", {source.advice}" if source.advice else ""
    hint = (
        f"pass download=True or another root{advice}, "
        f"or put the file from {source.url}{file} into {goal}"
    )
    wanted = f"{' or '.join(names)} in one of {where}"
    raise ArgumentError(expected(source.name, wanted, "none", hint))


def fetch(source: Source, file: str, folder: Path) -> Path:
    """Download a file, compare its checksum, and only then give it its name in `folder`.

    Raises
    ------
    ArgumentError
        where there is no network, no such file any more, another file, or no place to put it
    """
    # Here, because it takes longer to import than all of minidl.data.
    import pooch

    url = source.url + file
    try:
        downloader = pooch.HTTPDownloader(hooks={"response": _close_refusal})
        checksum = source.checksums[file]
        return Path(pooch.retrieve(url, checksum, file, folder, downloader=downloader))
    except Exception as error:  # requests', urllib3's, the system's, and pooch's ValueError
        hint = f"without a network, get the file elsewhere and put it into {folder}"
        reason = " ".join(str(error).split())
        raise ArgumentError(expected(source.name, f"to download {url}", reason, hint)) from error


def _close_refusal(response: Any, **_: Any) -> None:
    """End the connection of an answer that is no file: the error keeps it otherwise."""
    if not response.ok:
        response.close()
