"""The published formats of the data sets, read into arrays; what is not of the format is said plainly.

Each function takes the contents of a set's files, {name: bytes}, and returns the arrays to store.
"""
import hashlib
import math
import struct

import numpy as np


class DataError(Exception):
    """Something is wrong with the data at hand; the message is one line for the person who asked for them."""


def idx(content, name):
    """An array in the idx format: two zero bytes, 8 for uint8, the number of axes, their lengths big-endian, the bytes.

    (Y. LeCun's MNIST page describes it.)
    """
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{name} is not an idx file of bytes: it begins with {content[:4].hex(' ') or 'nothing'}, "
                        f"expected 00 00 08, the number of axes and their lengths")
    axes = content[3]
    shape = struct.unpack(f">{axes}I", content[4:4 + 4 * axes])
    expected = 4 + 4 * axes + math.prod(shape)
    if len(content) != expected:
        raise DataError(f"{name} says its shape is {shape}, that is {expected:,} bytes, but it has {len(content):,}")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def mnist(contents):
    """MNIST and Fashion-MNIST: images (n, 28, 28, 1) and labels 0 to 9, from four idx files."""
    arrays = {}
    for part, name in (("train", "train"), ("test", "t10k")):
        X = idx(contents[f"{name}-images-idx3-ubyte"], f"{name}-images-idx3-ubyte")
        Y = idx(contents[f"{name}-labels-idx1-ubyte"], f"{name}-labels-idx1-ubyte")
        if X.ndim != 3 or Y.ndim != 1 or len(X) != len(Y):
            raise DataError(f"{name}: images of shape {X.shape} and labels of shape {Y.shape} do not belong together")
        labels_below(10, Y, f"{name}-labels-idx1-ubyte")
        arrays |= {f"X_{part}": X[..., None], f"Y_{part}": Y}
    return arrays


def records(content, name, labels):
    """Images (n, 32, 32, 3) and labels of a file of CIFAR's binary version.

    One record is one byte for each kind of label, below labels[0], labels[1], ..., then 1,024 bytes of red, as
    many of green, and of blue, row by row (https://www.cs.toronto.edu/~kriz/cifar.html).
    """
    length = len(labels) + 3072
    if not content or len(content) % length:
        raise DataError(f"{name} has {len(content):,} bytes, which is not a whole number of records of {length:,}")
    table = np.frombuffer(content, np.uint8).reshape(-1, length)
    for column, classes in enumerate(labels):
        labels_below(classes, table[:, column], name)
    return table[:, len(labels):].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), table[:, :len(labels)]


def cifar10(contents):
    """CIFAR-10: five files to train on, one to test on, one label 0 to 9."""
    batches = [records(contents[f"data_batch_{k}.bin"], f"data_batch_{k}.bin", (10,)) for k in range(1, 6)]
    X_test, Y_test = records(contents["test_batch.bin"], "test_batch.bin", (10,))
    X_train, Y_train = np.concatenate([X for X, _ in batches]), np.concatenate([Y for _, Y in batches])
    return {"X_train": X_train, "Y_train": Y_train[:, 0], "X_test": X_test, "Y_test": Y_test[:, 0]}


def cifar100(contents):
    """CIFAR-100: labels (n, 2), the coarse one below 20 and the fine one below 100."""
    X_train, Y_train = records(contents["train.bin"], "train.bin", (20, 100))
    X_test, Y_test = records(contents["test.bin"], "test.bin", (20, 100))
    return {"X_train": X_train, "Y_train": Y_train, "X_test": X_test, "Y_test": Y_test}


BOSTON_NUMBERS = "832e894115c56dd24ec63848d4a3d9bd921d268d0be1bee2a8f4ee5ea318f5f7"


def boston(contents):
    """Boston Housing: 506 rows of 14 numbers, the last one MEDV.

    From StatLib's text (a description, then every row on two lines), UCI's (no description, one line) or a table
    with commas.  The text has no published sum; the numbers have one here, that of the copy in numopt.
    """
    rows = [numbers(line) for line in contents["boston"].decode("latin-1").splitlines()]
    flat = [number for row in rows if len(row) in (14, 11, 3) for number in row]
    if len(flat) != 506 * 14:
        raise DataError(f"boston: expected 506 rows of 14 numbers, {506 * 14:,} in all, and found {len(flat):,}")
    table = np.array(flat, "<f8").reshape(506, 14)
    found = hashlib.sha256(table.tobytes()).hexdigest()
    if found != BOSTON_NUMBERS:
        raise DataError(f"boston: the numbers are not those of StatLib: expected SHA-256 {BOSTON_NUMBERS} of the "
                        f"506 x 14 float64 numbers, found {found}")
    return {"table": table}


def numbers(line):
    """The numbers on a line, or none when there is anything else on it."""
    try:
        return [float(word) for word in line.replace(",", " ").split()]
    except ValueError:
        return []


def labels_below(classes, labels, name):
    if len(labels) and labels.max() >= classes:
        raise DataError(f"{name}: record {labels.argmax():,} has the label {labels.max()}, "
                        f"where 0 to {classes - 1} are possible")
