"""The embedded sets and the readers: what is in them, how they are split and by which mean and SD normalised."""
import os

import numpy as np
import pytest

from numopt import data

SIZES = {"mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3), "cifar100": (32, 32, 3)}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cache folder with seven training and three test images of every set that can be fetched."""
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path))
    for name, shape in SIZES.items():
        rng = np.random.default_rng(0)
        (tmp_path / name).mkdir()
        for part, n in (("train", 7), ("test", 3)):
            labels = rng.integers(10, size=(n, 2) if name == "cifar100" else n, dtype=np.uint8)
            np.save(tmp_path / name / f"X_{part}.npy", rng.integers(256, size=(n, *shape), dtype=np.uint8))
            np.save(tmp_path / name / f"Y_{part}.npy", labels)
    return tmp_path


def rows_of(dataset):
    """All examples of a raw set, each with its target, as a sorted list."""
    X = np.concatenate([dataset.X_train, dataset.X_test]).reshape(-1, dataset.X_train[0].size)
    Y = np.concatenate([dataset.Y_train, dataset.Y_test])
    return sorted(map(tuple, np.column_stack([X, Y]).tolist()))


def test_the_digits_are_1797_images_with_the_published_class_counts():
    digits = data.digits(normalise=False)
    labels = np.concatenate([digits.Y_train, digits.Y_test])
    assert digits.X_train.shape == (1437, 64) and digits.X_test.shape == (360, 64)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits.X_train.min() == 0 and digits.X_train.max() == 16
    assert digits.classes == tuple("0123456789") and len(digits.features) == 64


def test_boston_is_506_rows_with_the_published_mean_and_sd_of_the_target():
    boston = data.boston(normalise=False)
    target = np.concatenate([boston.Y_train, boston.Y_test])
    assert boston.X_train.shape == (400, 13) and boston.X_test.shape == (106, 13)
    assert target.mean() == pytest.approx(22.5328, abs=5e-5) and target.std() == pytest.approx(9.1880, abs=5e-5)
    assert boston.features[11] == "B" and boston.classes == ()


def test_the_columns_of_boston_have_their_names_river_is_0_or_1_and_shares_are_percents():
    boston = data.boston(normalise=False)
    columns = dict(zip(boston.features, boston.X_train.T))
    assert set(columns["CHAS"]) == {0, 1}
    assert columns["AGE"].max() == 100 and columns["LSTAT"].max() < 40
    assert 3 < columns["RM"].min() and columns["RM"].max() < 9


def test_boston_says_that_column_b_is_racist_and_that_scikit_learn_removed_the_set():
    assert "racist" in data.boston.__doc__ and "scikit-learn removed" in data.boston.__doc__


@pytest.mark.parametrize("read", [data.digits, data.boston])
def test_two_splits_hold_the_same_examples_so_each_is_complete_and_its_parts_are_disjoint(read):
    zero, one = read(normalise=False), read(normalise=False, seed=1)
    assert not np.array_equal(zero.X_train, one.X_train)
    assert rows_of(zero) == rows_of(one)
    assert len(set(rows_of(zero))) == len(zero.X_train) + len(zero.X_test)    # no example is there twice


@pytest.mark.parametrize("read", [data.digits, data.boston])
def test_the_split_is_the_same_each_time(read):
    for first, second in zip(read()[:6], read()[:6]):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("read", [data.digits, data.boston])
def test_the_training_part_has_mean_0_and_sd_1_and_the_test_part_is_measured_by_the_same_rule(read):
    normalised, raw = read(), read(normalise=False)
    varies = raw.X_train.std(axis=0) > 0
    assert np.allclose(normalised.X_train.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(normalised.X_train.std(axis=0), varies, atol=1e-12)
    for part in ("X_train", "X_test"):
        assert np.allclose(getattr(normalised, part) * normalised.sd + normalised.mean, getattr(raw, part))
    assert abs(normalised.X_test.mean(axis=0)[varies]).max() > 0.01    # not the test part's own mean


def test_a_pixel_that_never_changes_is_divided_by_1_and_stays_0():
    digits = data.digits()
    assert digits.features.index("pixel 4,0") == 32
    assert digits.sd[32] == 1 and not digits.X_train[:, 32].any() and np.isfinite(digits.X_test).all()


def test_digits_as_images_are_the_same_numbers_channels_last():
    rows, images = data.digits(), data.digits(images=True)
    assert images.X_train.shape == (1437, 8, 8, 1) and images.X_test.shape == (360, 8, 8, 1)
    assert np.array_equal(images.X_train[5, 2, 3, 0], rows.X_train[5, 8 * 2 + 3])
    for of_images, of_rows in zip(images[4:6], rows[4:6]):
        assert of_images.shape == (8, 8, 1) and np.array_equal(of_images.ravel(), of_rows)


def test_labels_are_whole_numbers_and_the_data_have_the_precision_asked_for(kept):
    for read in (data.digits, data.boston, data.mnist, data.fashion_mnist, data.cifar10, data.cifar100):
        for dtype in (np.float32, np.float64):
            dataset = read(dtype=dtype)
            assert dataset.X_train.dtype == dataset.X_test.dtype == dtype
            assert dataset.Y_train.dtype == (dtype if read is data.boston else np.int64)
    assert data.digits().X_train.dtype == np.float64 and data.cifar10().X_train.dtype == np.float32


def test_no_array_of_a_dataset_can_be_written_to(kept):
    for read in (data.digits, data.boston, data.mnist, data.fashion_mnist, data.cifar10, data.cifar100):
        for dataset in (read(), read(normalise=False)):
            for array in dataset[:6]:
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = 0


def test_normalising_to_whole_numbers_is_refused(kept):
    for read in (data.digits, data.cifar10):
        with pytest.raises(ValueError, match="floating"):
            read(dtype=np.int64)


def test_channels_of_constant_images_have_their_value_as_mean_and_sd_0():
    images = np.broadcast_to(np.array([0, 51, 255], np.uint8), (300, 4, 5, 3))
    mean, sd = data.channel_mean_and_sd(images)
    assert np.allclose(mean, [0, 0.2, 1]) and np.allclose(sd, 0, atol=1e-8)


def test_a_channel_that_is_constant_in_what_is_trained_on_becomes_0_there(kept):
    file = kept / "cifar10" / "X_train.npy"
    X = np.load(file)
    X[..., 1] = 51
    np.save(file, X)
    green = data.cifar10()
    assert green.sd[1] == 1 and np.isfinite(green.X_test).all()
    assert not green.X_train[..., 1].any() and green.X_test[..., 1].any()


def test_half_black_and_half_white_has_mean_and_sd_one_half():
    images = np.zeros((1000, 8, 8, 1), np.uint8)
    images[::2] = 255
    mean, sd = data.channel_mean_and_sd(images)
    assert mean == 0.5 and sd == 0.5


@pytest.mark.parametrize("name", SIZES)
def test_each_channel_of_the_training_images_is_normalised_and_the_test_images_by_the_same_numbers(name, kept):
    read = getattr(data, name)
    normalised, raw = read(dtype=np.float64), read(normalise=False)
    assert normalised.X_train.shape == (7, *SIZES[name]) and normalised.X_test.shape == (3, *SIZES[name])
    assert np.allclose(normalised.X_train.mean(axis=(0, 1, 2)), 0) and np.allclose(normalised.X_train.std((0, 1, 2)), 1)
    for part in ("X_train", "X_test"):
        assert np.allclose(getattr(normalised, part) * normalised.sd + normalised.mean, getattr(raw, part) / 255)
    assert len(normalised.mean) == len(normalised.features) == SIZES[name][-1]


@pytest.mark.parametrize("name", SIZES)
def test_images_as_rows_are_the_same_numbers_and_can_be_turned_back_by_the_same_rule(name, kept):
    read = getattr(data, name)
    rows, images = read(images=False), read()
    assert rows.X_train.shape == (7, images.X_train[0].size)
    assert np.array_equal(rows.X_train.reshape(images.X_train.shape), images.X_train)
    assert np.allclose((rows.X_test * rows.sd + rows.mean).reshape(images.X_test.shape),
                       images.X_test * images.sd + images.mean)


def test_raw_images_are_the_stored_bytes(kept):
    raw = data.cifar10(normalise=False)
    assert raw.X_train.dtype == np.uint8
    assert np.array_equal(raw.X_train, np.load(kept / "cifar10" / "X_train.npy"))


def test_images_held_out_are_the_last_ones_and_take_no_part_in_the_mean(kept):
    everything, dataset = data.cifar10(normalise=False), data.cifar10(normalise=False, held_out=2)
    assert np.array_equal(dataset.X_train, everything.X_train[:5])
    assert np.array_equal(dataset.X_test, everything.X_train[5:])
    assert np.array_equal(dataset.Y_test, everything.Y_train[5:])
    assert np.allclose(dataset.mean, everything.X_train[:5].mean(axis=(0, 1, 2)) / 255)
    for impossible in (-1, 7, 100):
        with pytest.raises(ValueError, match="held_out"):
            data.cifar10(held_out=impossible)


def test_a_dataset_says_how_many_examples_it_has_of_how_many(kept):
    assert "the first 7 of 50,000 training images" in repr(data.cifar10())
    assert "the first 3 of 10,000 test images" in data.cifar10().note
    assert "the 2 after them" in data.cifar10(held_out=2).note
    assert "1,437" in repr(data.digits()) and "(seed 3)" in data.digits(seed=3).note


@pytest.mark.parametrize("name, title, train, features, some", [
    ("mnist", "MNIST", "60,000", ("grey",), {0: "0", 9: "9"}),
    ("fashion_mnist", "Fashion-MNIST", "60,000", ("grey",), {0: "T-shirt/top", 5: "sandal", 9: "ankle boot"}),
    ("cifar10", "CIFAR-10", "50,000", ("red", "green", "blue"), {0: "airplane", 6: "frog", 9: "truck"}),
    ("cifar100", "CIFAR-100", "50,000", ("red", "green", "blue"), {0: "apple", 99: "worm"})])
def test_each_set_has_its_name_its_size_its_channels_and_its_classes(name, title, train, features, some, kept):
    for n, part in (9_999, "the first 9,999 of 10,000"), (10_000, "all 10,000"):
        np.lib.format.open_memmap(kept / name / "X_test.npy", mode="w+", dtype=np.uint8, shape=(n, *SIZES[name]))
        np.save(kept / name / "Y_test.npy", np.zeros((n, 2) if name == "cifar100" else n, np.uint8))
        dataset = getattr(data, name)(normalise=False)
        assert dataset.note == f"{title}: the first 7 of {train} training images, tested on {part} test images"
    assert dataset.features == features and {label: dataset.classes[label] for label in some} == some
    assert len(set(dataset.classes)) == len(dataset.classes) == max(some) + 1
    held = getattr(data, name)(normalise=False, held_out=1)
    assert (len(held.X_train), len(held.X_test)) == (6, 1) and "tested on the 1 after them" in held.note


def test_cifar100_gives_the_fine_labels_or_the_coarse_ones(kept):
    both = np.load(kept / "cifar100" / "Y_train.npy")
    fine, coarse = data.cifar100(), data.cifar100("coarse")
    assert np.array_equal(coarse.Y_train, both[:, 0]) and np.array_equal(fine.Y_train, both[:, 1])
    assert len(set(fine.classes)) == 100 and len(set(coarse.classes)) == 20
    assert list(fine.classes) == sorted(fine.classes) and list(coarse.classes) == sorted(coarse.classes)
    with pytest.raises(ValueError, match="'fine'"):
        data.cifar100("middle")


@pytest.mark.parametrize("name", SIZES)
def test_a_missing_set_names_the_command_that_fetches_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError) as error:
        getattr(data, name)()
    assert f"python -m data_scripts {name}" in str(error.value) and "--from PATH" in str(error.value)


def test_the_folder_is_chosen_by_numopt_data_else_by_xdg_else_in_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("NUMOPT_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert data.folder() == tmp_path / ".cache" / "numopt"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert data.folder() == tmp_path / ".cache" / "numopt"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert data.folder() == tmp_path / "elsewhere" / "numopt"
    monkeypatch.setenv("NUMOPT_DATA", "")
    assert data.folder() == tmp_path / "elsewhere" / "numopt"
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path / "here"))
    assert data.folder() == tmp_path / "here"
    monkeypatch.setenv("NUMOPT_DATA", "~/sets")
    assert data.folder() == tmp_path / "sets"


def test_a_stored_file_that_would_need_pickle_is_refused(kept):
    np.save(kept / "mnist" / "Y_train.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Y_train.npy is damaged or cut short.*fetch the set again") as error:
        data.mnist()
    assert "allow_pickle" not in str(error.value)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("file", ["X_train", "Y_train", "X_test", "Y_test"])
def test_a_stored_file_that_is_missing_empty_damaged_or_cut_short_is_refused_with_what_to_do(file, name, kept):
    path = kept / name / f"{file}.npy"
    good = path.read_bytes()
    for raw in (b"", good[:1], good[:60], good[:-1], good.replace(b"(", b"{", 1), b"text" * 100,
                good.replace(b"'|u1'", b"'<u2'"), good.replace(b"'|u1'", b"'|i1'")):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match=f"python -m data_scripts {name}"):
            getattr(data, name)()
    path.unlink()
    with pytest.raises(ValueError, match=f"{file}.npy is missing.*python -m data_scripts {name}"):
        getattr(data, name)()


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("part, n", [("train", 7), ("test", 3)])
def test_images_of_another_size_or_kind_are_refused(part, n, name, kept):
    rows, columns, channels = SIZES[name]
    for shape in ((n, rows, columns - 1, channels), (n, rows + 1, columns, channels), (n, rows, columns, 4 - channels),
                  (n, channels, rows, columns), (n, rows * columns * channels), (n, rows, columns)):
        np.save(kept / name / f"X_{part}.npy", np.zeros(shape, np.uint8))
        with pytest.raises(ValueError, match=f"{part} images of shape .* do not belong together"):
            getattr(data, name)()


@pytest.mark.parametrize("part, n", [("train", 7), ("test", 3)])
def test_labels_that_are_none_or_too_few_are_refused(part, n, kept):
    for labels in (np.full(n, 10), np.arange(n - 1), np.arange(n + 1), np.zeros((n, 1)), np.zeros((n, 2))):
        np.save(kept / "cifar10" / f"Y_{part}.npy", labels.astype(np.uint8))
        with pytest.raises(ValueError, match=f"{part}.*python -m data_scripts cifar10"):
            data.cifar10()
    np.save(kept / "cifar10" / f"Y_{part}.npy", np.zeros(0, np.uint8))
    images = kept / "cifar10" / f"X_{part}.npy"
    np.save(images, np.load(images)[:0])
    with pytest.raises(ValueError, match="has no labels"):
        data.cifar10()
    for labels in ([20, 0], [0, 100]):
        np.save(kept / "cifar100" / f"Y_{part}.npy", np.tile(np.array(labels, np.uint8), (n, 1)))
        with pytest.raises(ValueError, match="none of the 100 classes"):
            data.cifar100("coarse")


@pytest.mark.parametrize("images", [True, False])
def test_every_image_is_normalised_and_none_is_turned_also_where_there_are_more_than_fit_into_one_chunk(
        images, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    rng, pixels = np.random.default_rng(1), {}
    for part, n in (("train", 197), ("test", 131)):
        pixels[part] = rng.integers(256, size=(n, 32, 32, 3), dtype=np.uint8)
        np.save(tmp_path / "cifar10" / f"X_{part}.npy", pixels[part])
        np.save(tmp_path / "cifar10" / f"Y_{part}.npy", np.zeros(n, np.uint8))
    dataset, train = data.cifar10(images=images, dtype=np.float64), pixels["train"] / 255
    for part in ("train", "test"):
        wanted = (pixels[part] / 255 - train.mean(axis=(0, 1, 2))) / train.std(axis=(0, 1, 2))
        found = getattr(dataset, f"X_{part}")
        assert np.allclose(found, wanted if images else wanted.reshape(len(wanted), -1), rtol=1e-11, atol=1e-12)


def fetched(name):
    """Skips a test unless the whole training part of a set is in the folder that NUMOPT_DATA names."""
    if "NUMOPT_DATA" not in os.environ or not (data.folder() / name).is_dir():
        pytest.skip(f"needs the environment variable NUMOPT_DATA and, there, python -m data_scripts {name}")
    dataset = getattr(data, name)(normalise=False)
    if "all" not in dataset.note.split(" training")[0]:
        pytest.skip(f"needs the whole training part: {dataset.note}")
    return dataset


def test_the_real_cifar10_has_the_known_means_sds_and_5000_images_of_each_class():
    cifar = fetched("cifar10")
    assert [f"{mean:.8f}" for mean in cifar.mean] == ["0.49139968", "0.48215841", "0.44653091"]
    assert [f"{sd:.8f}" for sd in cifar.sd] == ["0.24703223", "0.24348513", "0.26158784"]
    assert np.bincount(cifar.Y_train).tolist() == [5000] * 10
    assert cifar.classes[cifar.Y_train[0]] == "frog"


def test_the_real_mnist_begins_with_a_five_and_has_the_known_mean_and_sd():
    mnist = fetched("mnist")
    assert mnist.Y_train[:5].tolist() == [5, 0, 4, 1, 9] and mnist.Y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.mean == pytest.approx(0.1307, abs=5e-5) and mnist.sd == pytest.approx(0.3081, abs=5e-5)


def test_the_real_fashion_mnist_has_6000_images_of_each_class_and_begins_with_a_boot():
    fashion = fetched("fashion_mnist")
    assert np.bincount(fashion.Y_train).tolist() == [6000] * 10
    assert fashion.classes[fashion.Y_train[0]] == "ankle boot"
