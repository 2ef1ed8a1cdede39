"""Table 1 of Memon et al. (2024), mean and SD of the colour channels of CIFAR-10, remeasured; and why it differs.

                                      mean                              SD
    as printed          0.49139968 0.48215827 0.44653124   0.24703233 0.24348505 0.26158768
    exact               0.49139968 0.48215841 0.44653091   0.24703223 0.24348513 0.26158784

The difference in the seventh digit is rounding, and it can be repeated digit for digit: divide the pixels by 255
in float32, take one channel of all training images as one long array, x.mean() and x.std().  NumPy before version
2.3 summed such an array in pieces of 8,192 numbers, the size of its buffer: accurately inside a piece (pairwise),
but then piece after piece onto one float32 total.  Towards the end that total is about 25 million, where neighbours
in float32 are 2 apart, so each of the 6,250 additions can err by 1.  `float32_mean_and_sd` does the same in any
version.  (Since version 2.3 NumPy sums the whole array pairwise, and all but the last printed digit come out exact.)

The printed numbers are older than the paper: the script compute-cifar10-mean.py of github.com/bamos/densenet.pytorch
computes them in this way, and many programs have copied them since.  The difference, 3e-7, matters to no
training; it is a lesson about sums.
"""
import numpy as np

from numopt.data import channel_mean_and_sd

PRINTED = ((0.49139968, 0.48215827, 0.44653124), (0.24703233, 0.24348505, 0.26158768))


def report(dataset):
    """The table for CIFAR-10 as given by cifar10(normalise=False)."""
    X = dataset.X_train
    measured = {"exact": channel_mean_and_sd(X),
                "float32, in pieces": np.transpose([float32_mean_and_sd(X[..., c]) for c in range(X.shape[-1])]),
                "Memon et al. (2024)": PRINTED}
    lines = [dataset.note, f"{'':26s}" + "".join(f"{name:>12s}" for name in dataset.features)]
    for row, quantity in enumerate(("mean", "SD")):
        for how, table in measured.items():
            lines.append(f"{quantity:5s} {how:20s}" + "".join(f"{number:12.8f}" for number in table[row]))
    return "\n".join(lines)


def float32_mean_and_sd(pixels):
    """Mean and SD of pixel / 255 with every operation in float32 and sums in pieces."""
    x = pixels.ravel().astype(np.float32) / np.float32(255)
    n = np.float32(x.size)
    mean = sum_in_pieces(x) / n
    return mean, np.sqrt(sum_in_pieces((x - mean)**2) / n)


def sum_in_pieces(x, piece=8192):
    """The sum of x as NumPy before 2.3 takes it: the sums of pieces, added one after the other in x's precision."""
    total = x.dtype.type(0)
    for start in range(0, x.size, piece):
        total += x[start:start + piece].sum()
    return total
