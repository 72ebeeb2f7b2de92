"""`ImageFolder`: one folder for each class, with PNG or JPEG files in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidl import random
from minidl.data.augmentation import Transform
from minidl.data.dataset import Dataset
from minidl.errors import ArgumentError, expected

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


class ImageFolder(Dataset):
    """The images in root/class/..., read when they are asked for.

    Parameters
    ----------
    root : the folder; each folder in it is a class, in alphabetical order
    transform : callable (image (c, h, w), rng) -> image, optional
        `Compose([Resize(32), CenterCrop(32)])`, say: images of one batch must get one shape
    mode : "RGB", or "L" for one channel of grey

    Attributes
    ----------
    classes : the names of the folders
    class_to_idx : the number of each
    samples : (path, class) of each image, class after class
    labels : (n,) int64

    Raises
    ------
    ArgumentError
        where there is no class, or one without an image; and on reading, where a file is damaged

    Examples
    --------
    ``DataLoader(ImageFolder("photos", Resize((32, 32))), batch_size=64, num_workers=2)``
    """

    def __init__(
        self, root: str | Path, transform: Transform | None = None, mode: str = "RGB"
    ) -> None:
        if mode not in ("RGB", "L"):
            raise ArgumentError(expected("ImageFolder", 'mode "RGB" or "L"', repr(mode)))
        self.root, self.transform, self.mode = Path(root), transform, mode
        if not self.root.is_dir():
            raise ArgumentError(expected("ImageFolder", f"a folder {root}", "none"))
        folders = sorted(p for p in self.root.iterdir() if p.is_dir() and p.name[0] != ".")
        if not folders:
            hint = "put the images of each class into a folder of its own"
            raise ArgumentError(expected("ImageFolder", f"folders in {root}", "none", hint))
        self.classes = [folder.name for folder in folders]
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.samples: list[tuple[Path, int]] = []
        for number, folder in enumerate(folders):
            paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not paths:
                wanted = f"images ({', '.join(SUFFIXES)}) in {folder}"
                raise ArgumentError(expected("ImageFolder", wanted, "none"))
            self.samples += [(path, number) for path in paths]
        self.labels = np.array([number for _, number in self.samples], np.int64)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        path, label = self.samples[index]
        image = read_image(path, self.mode)
        if self.transform is not None:
            image = self.transform(image, random.generator())
        return image, label

    def __repr__(self) -> str:
        return f"ImageFolder({len(self)} images of {len(self.classes)} classes in {self.root})"


def read_image(path: str | Path, mode: str = "RGB") -> np.ndarray:
    """Read a PNG or JPEG file.

    Returns
    -------
    (3, h, w) float32 in [0, 1], red, green and blue; (1, h, w) with mode "L"

    Raises
    ------
    ArgumentError
        naming the file, where it is missing, damaged or no image
    """
    # Here, because few programs need it.
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert(mode), np.float32) / np.float32(255)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        hint = "the file is damaged or no image: copy it again or leave it out"
        raise ArgumentError(expected("read_image", f"an image {path}", error, hint)) from None
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), -1, 0))
