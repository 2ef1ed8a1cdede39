"""Which files make up a set, where they are, and their SHA-256 sums.

The sums are those of the contents without compression, so that one sum serves the plain file, its .gz, its .xz
and the member of an archive alike.  Those of CIFAR's files are the published ones; MNIST's and Fashion-MNIST's
are of files whose published .gz sums were met.
"""
from typing import Callable, NamedTuple

from data_scripts import formats


class File(NamedTuple):
    """One file of a set, without compression; size in bytes.  There is no sum without a size."""
    name: str
    size: int = None
    sha256: str = None
    other_names: tuple = ()


class Source(NamedTuple):
    """One set: what it is, where it is, and how its files become arrays."""
    about: str
    mirrors: tuple             # addresses to try in turn; the downloads are right below each
    downloads: tuple           # names of the files to download
    files: tuple               # the files that must be found in the downloads, or in a local copy
    convert: Callable          # {name: bytes} -> {name: array}
    inside: str = ""           # the folder in which an archive holds the files
    archive_sha256: str = ""   # its published sum, to say when it is damaged
    prefixes: dict = {}        # name of a file that may be cut short: known beginnings of it
    record: int = 1            # bytes that belong together in such a file: it is cut only between records


def idx_files(*sums):
    """The four files of MNIST's form: 60,000 and 10,000 images of 28 x 28 bytes after 16, labels after 8."""
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    sizes = (16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000)
    return tuple(File(name, size, sha256, other_names=(name.replace("-idx", ".idx"),))
                 for name, size, sha256 in zip(names, sizes, sums))


IDX_DOWNLOADS = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                 "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")

SOURCES = {
    "mnist": Source(
        about="handwritten digits, 70,000 grey images of 28 x 28 (Y. LeCun, C. Cortes; CC BY-SA 3.0), 12 MB",
        mirrors=("https://storage.googleapis.com/cvdf-datasets/mnist/",
                 "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        downloads=IDX_DOWNLOADS,
        files=idx_files("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        convert=formats.mnist),

    "fashion_mnist": Source(
        about="clothes, 70,000 grey images of 28 x 28 (Zalando SE 2017; MIT licence), 31 MB",
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                 "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),
        downloads=IDX_DOWNLOADS,
        files=idx_files("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        convert=formats.mnist),

    "cifar10": Source(
        about="photographs in 10 classes, 60,000 of 32 x 32 (A. Krizhevsky, V. Nair, G. Hinton 2009; "
              "no licence stated, for research), 170 MB",
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        downloads=("cifar-10-binary.tar.gz",),
        inside="cifar-10-batches-bin",
        archive_sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        files=(File("data_batch_1.bin", 30_730_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
               File("data_batch_2.bin", 30_730_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
               File("data_batch_3.bin", 30_730_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
               File("data_batch_4.bin", 30_730_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
               File("data_batch_5.bin", 30_730_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
               File("test_batch.bin", 30_730_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b")),
        prefixes={"test_batch.bin": (
            File("test_batch_first1017.bin", 3_125_241,
                 "c77ad46116beb3508f55d38aa34893560beae9515f9aca4a4dd0ea3617ac289e"),)},
        record=1 + 3072,
        convert=formats.cifar10),

    "cifar100": Source(
        about="photographs in 100 classes, 60,000 of 32 x 32 (A. Krizhevsky 2009; no licence stated, for research), "
              "169 MB",
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        downloads=("cifar-100-binary.tar.gz",),
        inside="cifar-100-binary",
        archive_sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        files=(File("train.bin", 153_700_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),
               File("test.bin", 30_740_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a")),
        prefixes={"train.bin": (
            File("train_first1117.bin", 3_433_658,
                 "b64f19308ea99e9d6f7f6dfb96ad7ddecd3232b8592c01f30880340930923d44"),),
                  "test.bin": (
            File("test_first916.bin", 2_815_784,
                 "e33a327528a4eeb4750af1845fc0ae4621084658b52c5db2fb373764d6e7a6b0"),)},
        record=2 + 3072,
        convert=formats.cifar100),

    "boston": Source(
        about="the original text of Boston Housing, to compare with the copy in numopt "
              "(Harrison and Rubinfeld 1978; its column B has a racist construction)",
        mirrors=("http://lib.stat.cmu.edu/datasets/",),
        downloads=("boston",),
        files=(File("boston", other_names=("boston_house_prices.csv", "housing.data")),),
        convert=formats.boston),
}
