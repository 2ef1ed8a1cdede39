"""Real data: two small sets that come with numopt, and readers for four larger ones that are fetched once.

    digits()                   1,797 handwritten digits, 8 x 8 pixels          in the package
    boston()                   506 census tracts of Boston, 13 numbers each    in the package
    mnist(), fashion_mnist()   70,000 grey images, 28 x 28 pixels              python -m data_scripts mnist
    cifar10(), cifar100()      60,000 colour images, 32 x 32 pixels            python -m data_scripts cifar10

Each returns a `Dataset`: a training part, a test part, and the mean and SD of the training part, by which both
parts are normalised.  (The test part must not take part in choosing them: it stands for data not seen yet.)
"""
import gzip
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np

DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100_COARSE = tuple("""
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
    household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
    large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees
    vehicles_1 vehicles_2""".split())
CIFAR100_FINE = tuple("""
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man
    maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
    plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail
    snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout
    tulip turtle wardrobe whale willow_tree wolf woman worm""".split())
BOSTON = ("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT")


class Dataset(NamedTuple):
    """A training part and a test part of one set; its arrays are read-only.

    One example is one row (the first axis) of X.  Y holds whole-number labels, or real targets for regression.
    When X is normalised, X * sd + mean has the original units again: what the table holds, or for images that
    were fetched pixel / 255.
    """
    X_train: np.ndarray
    Y_train: np.ndarray
    X_test: np.ndarray
    Y_test: np.ndarray
    mean: np.ndarray     # of the training part: one number for each column, or for each channel of an image
    sd: np.ndarray
    features: tuple      # what the columns, or the channels, are called
    classes: tuple       # classes[label] is the label's name; empty for regression
    note: str            # what this is, in one line: how many examples of how many

    def __repr__(self):
        return f"<{self.note}; X_train {self.X_train.dtype} {self.X_train.shape}, X_test {self.X_test.shape}>"


def digits(images=False, normalise=True, dtype=np.float64, seed=0):
    """Handwritten digits, 8 x 8 pixels of 0 to 16: 1,437 to train on and 360 to test on, drawn by `seed`.

    The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI repository).
    X has one row of 64 pixels an image; with images=True it has shape (n, 8, 8, 1), channels last, for
    convolutions.  Each pixel is normalised by its own mean and SD; pixels in the margin that are 0 in the whole
    training part have SD 0 and are divided by 1 instead, so that they stay 0 there.
    """
    table = _table("digits.csv.gz", skiprows=0)
    pixels = tuple(f"pixel {row},{column}" for row in range(8) for column in range(8))
    labels = table[:, -1].astype(np.int64)
    dataset = _split(table[:, :-1], labels, 1437, seed, normalise, dtype, pixels, DIGITS, "digits")
    if not images:
        return dataset
    return dataset._replace(X_train=dataset.X_train.reshape(-1, 8, 8, 1), X_test=dataset.X_test.reshape(-1, 8, 8, 1),
                            mean=dataset.mean.reshape(8, 8, 1), sd=dataset.sd.reshape(8, 8, 1))


def boston(normalise=True, dtype=np.float64, seed=0):
    """Median house values of 506 census tracts of Boston and 13 numbers about each: 400 to train on, 106 to test on.

    Harrison and Rubinfeld (1978), "Hedonic housing prices and the demand for clean air"; Ravaut and Gorti (2018)
    split it 400 / 106 without saying which; here `seed` draws them.  Y, in thousands of dollars, is not normalised.

    The set has a racist construction: its column B, 1000 (Bk - 0.63)² with Bk the share of Black residents, was
    made by its authors on the assumption that segregation raises house prices.  For this scikit-learn removed
    the set in version 1.2.  It is here only to remeasure a published experiment; do not use it for anything else.
    """
    table = _table("boston_house_prices.csv", skiprows=2)
    return _split(table[:, :-1], table[:, -1].astype(dtype), 400, seed, normalise, dtype, BOSTON, (), "Boston Housing")


def mnist(images=True, normalise=True, dtype=np.float32, held_out=0):
    """Handwritten digits, 60,000 to train on and 10,000 to test on (LeCun, Cortes and Burges 1998).

    X has shape (n, 28, 28, 1), or (n, 784) with images=False.  `held_out` as in `cifar10`.
    """
    return _fetched("mnist", "MNIST", (60_000, 10_000), ("grey",), DIGITS, images, normalise, dtype, held_out)


def fashion_mnist(images=True, normalise=True, dtype=np.float32, held_out=0):
    """Photographs of clothes in the form of MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)."""
    return _fetched("fashion_mnist", "Fashion-MNIST", (60_000, 10_000), ("grey",), FASHION,
                    images, normalise, dtype, held_out)


def cifar10(images=True, normalise=True, dtype=np.float32, held_out=0):
    """Small photographs in 10 classes, 50,000 to train on and 10,000 to test on (Krizhevsky 2009).

    X has shape (n, 32, 32, 3), channels last (red, green, blue), or (n, 3072) with images=False, the three
    numbers of one pixel beside each other.  Each channel of pixel / 255 is normalised by its mean and SD over
    the training part.  normalise=False gives the pixels as they are stored, uint8 from 0 to 255, whatever dtype;
    they stay on the disk until they are used (memory-mapped).

    held_out=n takes the last n training images as the test part in place of the official one: for choosing
    hyperparameters, or where the official test images are not at hand.
    """
    return _fetched("cifar10", "CIFAR-10", (50_000, 10_000), ("red", "green", "blue"), CIFAR10,
                    images, normalise, dtype, held_out)


def cifar100(labels="fine", images=True, normalise=True, dtype=np.float32, held_out=0):
    """Like `cifar10` with 100 classes, labels="fine", which fall into 20 groups, labels="coarse" (Krizhevsky 2009)."""
    if labels not in ("coarse", "fine"):
        raise ValueError(f"labels is {labels!r}; the labels of CIFAR-100 are 'fine' (100 classes) or 'coarse' (20)")
    classes = CIFAR100_FINE if labels == "fine" else CIFAR100_COARSE
    dataset = _fetched("cifar100", "CIFAR-100", (50_000, 10_000), ("red", "green", "blue"), classes,
                       images, normalise, dtype, held_out)
    column = ("coarse", "fine").index(labels)
    return dataset._replace(Y_train=dataset.Y_train[:, column], Y_test=dataset.Y_test[:, column])


# Of each set that is fetched: the shape of an image, and how many classes its labels tell apart.
STORED = {"mnist": ((28, 28, 1), (10,)), "fashion_mnist": ((28, 28, 1), (10,)),
          "cifar10": ((32, 32, 3), (10,)), "cifar100": ((32, 32, 3), (20, 100))}


def whole(name):
    """X and Y of the training part, then of the test part, as they are stored: bytes, which stay on the disk.

    ValueError where a file is missing, damaged or cut short, or where they do not belong together.
    """
    (shape, classes), found = STORED[name], []
    for part in ("train", "test"):
        for letter in "XY":
            file = folder() / name / f"{letter}_{part}.npy"
            try:
                found.append(np.asarray(np.lib.format.open_memmap(file, mode="r")))
            except Exception as error:  # a damaged header can raise nearly anything
                why = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged or cut short ({error})"
                raise ValueError(f"{file} {why}{AGAIN.format(name)}") from error
        X, Y = found[-2:]
        several = (len(classes),) if len(classes) > 1 else ()
        if (X.dtype, Y.dtype) != (np.uint8, np.uint8) or X.shape[1:] != shape or Y.shape != (*X.shape[:1], *several):
            raise ValueError(f"{file.parent}: {part} images of shape {X.shape} in {X.dtype} and labels of shape "
                             f"{Y.shape} in {Y.dtype} do not belong together{AGAIN.format(name)}")
        if not len(X) or (Y.reshape(len(Y), -1).max(axis=0) >= classes).any():
            raise ValueError(f"{file} has no labels, or some that are none of the {classes[-1]} classes"
                             f"{AGAIN.format(name)}")
    return found


AGAIN = ".  Remove its folder, and fetch the set again:  python -m data_scripts {}"


def folder():
    """Where fetched sets are kept: $NUMOPT_DATA, or numopt in $XDG_CACHE_HOME, or ~/.cache/numopt."""
    chosen = os.environ.get("NUMOPT_DATA")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numopt"


def channel_mean_and_sd(X):
    """Mean and SD of every channel of uint8 images (n, height, width, channels), in units of pixel / 255.

    The sums are exact: 64 squares of bytes add up to less than 2²⁴, below which float32 holds every whole
    number, and float64 adds those up.  (Summing 51 million pixels in float32 alone errs in the seventh digit:
    see `data_scripts.channel_statistics`.)
    """
    rows, channels = X.reshape(len(X), -1), X.shape[-1]
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for start in range(0, len(X), 64):
        x = rows[start:start + 64].astype(np.float32)
        total += x.sum(axis=0)
        squares += (x * x).sum(axis=0)
    pixels = X.size // channels
    mean = total.reshape(-1, channels).sum(axis=0) / pixels
    sd = np.sqrt(squares.reshape(-1, channels).sum(axis=0) / pixels - mean**2)
    return mean / 255, sd / 255


@cache
def _table(name, skiprows):
    content = (files("numopt.embedded") / name).read_bytes()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    return _read_only(np.loadtxt(content.decode().splitlines(), delimiter=",", skiprows=skiprows))


def _split(X, Y, n, seed, normalise, dtype, features, classes, title):
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = order[:n], order[n:]
    mean, sd = X[train].mean(axis=0), X[train].std(axis=0)
    sd[sd == 0] = 1
    if normalise:
        _must_be_floating(dtype)
        X = (X - mean) / sd
    note = f"{title}: {len(train):,} examples to train on, the other {len(test):,} to test on (seed {seed})"
    arrays = (X[train].astype(dtype), Y[train], X[test].astype(dtype), Y[test], mean, sd)
    return Dataset(*map(_read_only, arrays), features, classes, note)


def _fetched(name, title, complete, features, classes, images, normalise, dtype, held_out):
    stored = folder() / name
    if not stored.is_dir():
        raise FileNotFoundError(
            f"{title} is not in {folder()}.  Fetch it once:  python -m data_scripts {name}   or, from a copy on this "
            f"machine:  python -m data_scripts {name} --from PATH   (the variable NUMOPT_DATA names another folder)"
            + ("" if (Path(__file__).parents[1] / "data_scripts").is_dir() else
               "; data_scripts stands in the repository and is not installed with the package: run it in a clone"))
    X, Y, X_test, Y_test = whole(name)
    Y, Y_test = Y.astype(np.int64), Y_test.astype(np.int64)
    if held_out:
        if not 0 < held_out < len(X):
            raise ValueError(f"held_out is {held_out}: it must leave some of the {len(X):,} training images")
        X, X_test, Y, Y_test = X[:-held_out], X[-held_out:], Y[:-held_out], Y[-held_out:]
    note = f"{title}: {_first(len(X), complete[0])} training images, tested on " + (
        f"the {held_out:,} after them" if held_out else f"{_first(len(X_test), complete[1])} test images")
    mean, sd = channel_mean_and_sd(X)
    sd[sd == 0] = 1
    if normalise:
        _must_be_floating(dtype)
        X, X_test = _normalised(X, mean, sd, dtype), _normalised(X_test, mean, sd, dtype)
    if not images:
        pixels = X[0].size // len(mean)
        X, X_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
        mean, sd = np.tile(mean, pixels), np.tile(sd, pixels)
    return Dataset(*map(_read_only, (X, Y, X_test, Y_test, mean, sd)), features, classes, note)


def _normalised(X, mean, sd, dtype):
    """(X / 255 - mean) / sd, in chunks that stay in the processor's cache from one operation to the next.

    With images as rows the operations are long loops: CIFAR-10 is read and normalised in about 0.6 s.
    """
    rows = X.reshape(len(X), -1)
    out = np.empty(rows.shape, dtype)
    mean, sd = (np.tile(255 * each, rows.shape[1] // len(each)).astype(dtype) for each in (mean, sd))
    for start in range(0, len(X), 64):
        chunk = out[start:start + 64]
        chunk[...] = rows[start:start + 64]
        chunk -= mean
        chunk /= sd
    return out.reshape(X.shape)


def _first(n, complete):
    return f"all {n:,}" if n == complete else f"the first {n:,} of {complete:,}"


def _must_be_floating(dtype):
    if np.dtype(dtype).kind != "f":
        raise ValueError(f"dtype is {np.dtype(dtype)}: normalised data need a floating type, such as numpy.float32")


def _read_only(array):
    array.setflags(write=False)
    return array
