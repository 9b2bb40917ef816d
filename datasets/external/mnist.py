"""Turn MNIST's four idx files into a folder of PNG images and labels.csv.

    python datasets/external/mnist.py --idx FOLDER --out FOLDER --split train|test

The idx files are those of "The MNIST database of handwritten digits" (LeCun, Cortes, Burges), compressed:
train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz.

Tested in ``tests/training/tasks/test_digits.py``.
"""

import argparse
import gzip
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FILES = {"train": "train", "test": "t10k"}
MAGIC = {"images-idx3": 2051, "labels-idx1": 2049}


def read_idx(folder: Path, split: str, part: str) -> NDArray[np.uint8]:
    """One idx file: images (N, 28, 28) or labels (N,), uint8."""
    path = folder / f"{FILES[split]}-{part}-ubyte.gz"
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise SystemExit(f"expected {path}, received: {error}") from error
    dimensions = 3 if part.startswith("images") else 1
    magic, *shape = struct.unpack(f">{dimensions + 1}I", data[: 4 * (dimensions + 1)])
    values = np.frombuffer(data, np.uint8, offset=4 * (dimensions + 1))
    if magic != MAGIC[part] or values.size != np.prod(shape):
        raise SystemExit(f"expected idx magic {MAGIC[part]} and whole data in {path}, received {magic}, {values.size}")
    return values.reshape(shape)


def convert(idx: Path, out: Path, split: str) -> int:
    """Write ``out``; returns the number of digits."""
    images, labels = read_idx(idx, split, "images-idx3"), read_idx(idx, split, "labels-idx1")
    if len(images) != len(labels):
        raise SystemExit(f"expected as many labels as images, received {len(labels)} and {len(images)}")
    out.mkdir(parents=True, exist_ok=True)
    rows = ["filename,label"]
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        name = f"{split}-{i:05d}.png"
        cv2.imwrite(str(out / name), image)
        rows.append(f"{name},{label}")
    (out / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return len(images)


def main() -> int:
    parser = argparse.ArgumentParser(description="MNIST's idx files to a folder of PNG images and labels.csv.")
    parser.add_argument("--idx", type=Path, required=True, help="folder with the four .gz files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--split", choices=sorted(FILES), default="train")
    options = parser.parse_args()
    count = convert(options.idx, options.out, options.split)
    print(f"{count} digits in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
