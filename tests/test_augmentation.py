"""Augmentation: the change asked for, to the samples it should, and nothing else."""

import matplotlib.colors
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from minidl import data, random
from minidl.data.colour import grey, turn_hue
from minidl.errors import ArgumentError, DTypeError, MinidlError, ShapeError


def images(n=6, c=3, h=9, w=7, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).random((n, c, h, w)).astype(dtype)


EVERY = [
    data.RandomHorizontalFlip(),
    data.RandomVerticalFlip(0.3),
    data.RandomCrop(5),
    data.RandomCrop((9, 7), padding=2, fill=0.5),
    data.CenterCrop((4, 5)),
    data.Cutout(3),
    data.GaussianNoise(0.1, 0.2),
    data.RandomAffine(20, translate=(0.1, 0.2), scale=(0.8, 1.2)),
    data.RandomRotation((10, 30)),
    data.Resize(5),
    data.ColorJitter(0.4, 0.3, 0.5, 0.1),
    data.PCALighting(images(), 1.0),
    data.Compose([data.RandomHorizontalFlip(), data.RandomCrop(6, padding=1)]),
]

# -- every kind -----------------------------------------------------------------------------------


@pytest.mark.parametrize("augment", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_kept_images_left_alone_seed_followed(augment, dtype):
    x = images(dtype=dtype)
    kept = x.copy()
    first, again, other = (augment(x, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == dtype
    assert first.shape[:2] == (6, 3)
    np.testing.assert_array_equal(first, again)
    draws = not isinstance(augment, data.CenterCrop | data.Resize)
    assert np.array_equal(first, other) != draws
    first[:] = -1
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("augment", EVERY, ids=repr)
def test_without_a_generator_the_librarys_is_used(augment):
    random.manual_seed(3)
    first = augment(images())
    random.manual_seed(3)
    np.testing.assert_array_equal(augment(images()), first)
    np.testing.assert_array_equal(augment(images(), np.random.default_rng(3)), first)


@pytest.mark.parametrize("augment", EVERY, ids=repr)
def test_one_image_no_image_and_images_of_another_type(augment):
    x = images(1)
    one = augment(x[0], np.random.default_rng(5))
    np.testing.assert_array_equal(one, augment(x, np.random.default_rng(5))[0])
    assert len(augment(x[:0])) == 0
    with pytest.raises(DTypeError, match=r"floating images, got uint8; convert with .* / 255"):
        augment((255 * x).astype(np.uint8))
    with pytest.raises(ShapeError, match=r"images of shape \(n, c, h, w\), got \(9, 7\)"):
        augment(x[0, 0])


def test_in_a_loader_the_same_for_any_workers():
    augment = data.Compose([data.RandomHorizontalFlip(), data.RandomAffine(10)])

    def batches(workers):
        loader = data.DataLoader(
            images(20),
            batch_size=6,
            transform=augment,
            rng=np.random.default_rng(0),
            num_workers=workers,
        )
        return np.concatenate([x.data for (x,) in loader])

    np.testing.assert_array_equal(batches(0), batches(2))


def test_what_it_is_can_be_read():
    shown = "Compose(transforms=[RandomHorizontalFlip(p=0.5), Cutout(size=3, p=1.0, fill=0.0)])"
    assert repr(data.Compose([data.RandomHorizontalFlip(), data.Cutout(3)])) == shown
    assert repr(EVERY[11]).startswith("PCALighting(eigenvalues=[")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: data.RandomHorizontalFlip(1.5), "p between 0 and 1, got 1.5"),
        (lambda: data.RandomVerticalFlip(np.nan), "p between 0 and 1, got nan"),
        (lambda: data.RandomCrop(0), "height as an integer of at least 1, got 0"),
        (lambda: data.RandomCrop((1, 2, 3)), r"one number or \(h, w\), got \(1, 2, 3\)"),
        (lambda: data.RandomCrop(3, padding=-1), "padding of at least 0, got -1"),
        (
            lambda: data.RandomCrop(8)(images()),
            r"at least 8 x 8, got \(6, 3, 9, 7\); use a smaller",
        ),
        (lambda: data.CenterCrop((10, 2))(images()), "at least 10 x 2"),
        (lambda: data.Cutout(0), "size as an integer of at least 1"),
        (lambda: data.GaussianNoise(sigma=-1), "sigma between 0 and inf, got -1"),
        (lambda: data.RandomAffine(-3), r"degrees as one number of at least 0, or \(low, high\)"),
        (lambda: data.RandomRotation((5, 1)), "degrees as one number .*, got"),
        (lambda: data.RandomRotation((1, 2, 3)), "degrees as one number"),
        (lambda: data.RandomAffine(0, translate=(0.1, 2)), r"each between 0 and 1, got \(0.1, 2\)"),
        (lambda: data.RandomAffine(0, scale=0.5), r"scale above 0, got 0.5; give \(low, high\)"),
        (lambda: data.Resize(0), "size as an integer of at least 1"),
        (lambda: data.Resize((3, 2, 1)), r"one number or \(h, w\)"),
        (lambda: data.ColorJitter(brightness=-1), "brightness as one number of at least 0"),
        (lambda: data.ColorJitter(contrast=(-1, 2)), "contrast of at least 0"),
        (lambda: data.ColorJitter(hue=0.6), "hue .*, between -0.5 and 0.5, got 0.6"),
        (lambda: data.ColorJitter(hue=0.1)(images(c=1)), "three channels for saturation and hue"),
        (lambda: data.PCALighting(images(c=2))(images()), "2 channels as in training"),
        (lambda: data.PCALighting(images(1, 3, 1, 1)), "at least two pixels"),
        (lambda: data.Compose([3]), r"callables \(images, rng\) -> images, got 3"),
    ],
)
def test_options_out_of_range(make, words):
    with pytest.raises(MinidlError, match=words):
        make()


# -- flips, crops, cutout, noise ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "axis"), [(data.RandomHorizontalFlip, 3), (data.RandomVerticalFlip, 2)]
)
def test_flips_mirror_a_share_of_the_images(kind, axis):
    x = images(400)
    out = kind(0.3)(x, np.random.default_rng(0))
    flipped = np.array([not np.array_equal(a, b) for a, b in zip(x, out, strict=True)])
    np.testing.assert_array_equal(out[flipped], np.flip(x, axis)[flipped])
    assert 90 < flipped.sum() < 150
    np.testing.assert_array_equal(kind(1.0)(x), np.flip(x, axis))
    np.testing.assert_array_equal(kind(0.0)(x), x)


def test_random_crops_are_windows_each_equally_likely():
    x = np.arange(1.0, 36).reshape(1, 1, 5, 7).repeat(2400, axis=0)
    out = data.RandomCrop((4, 6), padding=1, fill=-1)(x, np.random.default_rng(0))
    padded = np.pad(x[0, 0], 1, constant_values=-1)
    counts = [
        sum(np.array_equal(window[0], padded[i : i + 4, j : j + 6]) for window in out)
        for i in range(4)
        for j in range(4)
    ]
    assert sum(counts) == 2400
    assert min(counts) > 100  # 150 +- 12 expected
    np.testing.assert_array_equal(data.RandomCrop((5, 7))(x[:2]), x[:2])


def test_the_centre_crop_is_in_the_middle():
    x = images(h=9, w=8)
    np.testing.assert_array_equal(data.CenterCrop(5)(x), x[:, :, 2:7, 1:6])
    np.testing.assert_array_equal(data.CenterCrop((9, 2))(x), x[:, :, :, 3:5])


def test_cutout_covers_a_square_around_every_pixel():
    x = images(3000, 2, 6, 5, np.float64) + 1
    out = data.Cutout(3, fill=-2)(x, np.random.default_rng(0))
    gone = (out == -2).all(1)
    np.testing.assert_array_equal(out, np.where(gone[:, None], -2, x))
    squares = set()
    for row in range(6):
        for column in range(5):
            mask = np.zeros((6, 5), bool)
            mask[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
            squares.add(mask.tobytes())
    assert {mask.tobytes() for mask in gone} == squares
    some = data.Cutout(3, p=0.25)(x, np.random.default_rng(0))
    assert 650 < (some == 0).any((1, 2, 3)).sum() < 850


def test_even_and_large_squares_are_cut_at_the_border():
    gone = data.Cutout(4)(np.ones((500, 1, 4, 4)), np.random.default_rng(0))[:, 0] == 0
    assert set(gone.sum((1, 2)).tolist()) == {h * w for h in (2, 3, 4) for w in (2, 3, 4)}
    assert (data.Cutout(99)(np.ones((5, 1, 4, 4))) == 0).all()


def test_noise_has_its_mean_and_deviation():
    x = np.full((10, 3, 40, 40), 0.5)
    out = data.GaussianNoise(0.2, 0.1, clip=False)(x, np.random.default_rng(0)) - x
    assert abs(out.mean() - 0.2) < 0.002
    assert abs(out.std() - 0.1) < 0.002
    clipped = data.GaussianNoise(0.2, 0.5)(x, np.random.default_rng(0))
    assert (clipped.min(), clipped.max()) == (0, 1)


# -- geometry -------------------------------------------------------------------------------------


def moved(image, angle, shift, scale, fill):
    """SciPy's, told where each pixel comes from."""
    turn = np.deg2rad(angle)
    back = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / scale
    middle = (np.array(image.shape) - 1) / 2
    offset = middle - back @ (middle + shift[::-1])
    return ndimage.affine_transform(image, back, offset, order=1, mode="grid-constant", cval=fill)


@pytest.mark.parametrize("fill", [0.0, -0.7])
def test_affine_is_scipys(fill):
    x = images(40, 2, 9, 12, np.float64)
    rng = np.random.default_rng(1)
    angle, shift = rng.uniform(-180, 180, 40), rng.uniform(-6, 6, (40, 2))
    scale = rng.uniform(0.4, 2.5, 40)
    out = data.affine(x, angle, shift, scale, fill)
    for i in range(40):
        for c in range(2):
            expected = moved(x[i, c], angle[i], shift[i], scale[i], fill)
            np.testing.assert_allclose(out[i, c], expected, atol=1e-12)
    single = data.affine(x.astype(np.float32), angle, shift, scale, fill)
    np.testing.assert_allclose(single, out, atol=1e-5)


def test_affine_by_nothing_by_whole_pixels_and_by_right_angles():
    x = images(2, 1, 7, 7, np.float64)
    np.testing.assert_array_equal(data.affine(x), x)
    right = data.affine(x, translate=(2, -1))
    np.testing.assert_array_equal(right[:, :, :-1, 2:], x[:, :, 1:, :-2])
    assert (right[:, :, -1] == 0).all()
    assert (right[:, :, :, :2] == 0).all()
    np.testing.assert_allclose(data.affine(x, 90), np.rot90(x, -1, (2, 3)), atol=1e-12)
    far = data.affine(x, translate=(1e6, 0), fill=0.3)
    np.testing.assert_allclose(far, 0.3)


def test_random_affine_stays_within_its_ranges():
    """Where a bright pixel on the right goes tells the angle and scale; the middle, the shift."""
    n = 150
    y, x = np.mgrid[-30.0:31, -40.0:41]
    two = [np.exp(-((x - 20) ** 2 + y**2) / 18), np.exp(-(x**2 + y**2) / 18)]
    batch = np.array(two)[None].repeat(n, axis=0)
    augment = data.RandomAffine((10, 30), translate=(0.1, 0.05), scale=(0.8, 1.5))
    out = augment(batch, np.random.default_rng(0))
    mass = out.sum((2, 3))
    places = np.stack([(out * x).sum((2, 3)) / mass, (out * y).sum((2, 3)) / mass], axis=-1)
    arm = places[:, 0] - places[:, 1]
    angle, length = np.rad2deg(np.arctan2(arm[:, 1], arm[:, 0])), np.hypot(*arm.T) / 20
    for drawn, low, high in [
        (angle, 10, 30),
        (length, 0.8, 1.5),
        (places[:, 1, 0], -8.1, 8.1),
        (places[:, 1, 1], -3.05, 3.05),
    ]:
        room = 0.03 * (high - low)
        assert low - room < drawn.min() < low + room
        assert high - room < drawn.max() < high + room


def test_a_rotation_is_an_affine_map_with_an_angle_alone():
    x = images(4)
    turned = data.RandomRotation(40, fill=0.2)(x, np.random.default_rng(6))
    angle = np.random.default_rng(6).uniform(-40, 40, 4)
    np.testing.assert_array_equal(turned, data.affine(x, angle, fill=0.2))


@pytest.mark.parametrize("size", [(5, 4), (9, 7), (20, 17), (3, 30), (1, 1)])
def test_resize_is_pillows(size):
    x = images(2, 3)
    out = data.resize(x, *size)
    for image, resized in zip(x.reshape(-1, 9, 7), out.reshape(-1, *size), strict=True):
        theirs = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_allclose(resized, np.asarray(theirs), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "size", "result"),
    [
        ((400, 300), 256, (341, 256)),
        ((300, 400), 256, (256, 341)),
        ((20, 20), 32, (32, 32)),
        ((20, 30), (8, 9), (8, 9)),
    ],
)
def test_the_shortest_side_gets_the_size(shape, size, result):
    assert data.Resize(size)(np.zeros((1, 1, *shape), np.float32)).shape[2:] == result


# -- colours --------------------------------------------------------------------------------------


def last(x):
    return np.moveaxis(x, 1, -1)


@pytest.mark.parametrize("part", [0.0, 0.1, -0.3, 0.5])
def test_hue_is_turned_in_hsv(part):
    x = images(5, dtype=np.float64)
    x[0, :, :3] = [[[0.4]], [[0.4]], [[0.4]]]  # grey has no hue
    x[1, 1] = x[1, 0]  # two channels equally large or small
    hsv = matplotlib.colors.rgb_to_hsv(last(x))
    hsv[..., 0] = (hsv[..., 0] + part) % 1
    np.testing.assert_allclose(
        last(turn_hue(x, part)), matplotlib.colors.hsv_to_rgb(hsv), atol=1e-12
    )


def test_colour_jitter_by_the_formulas():
    x = images(dtype=np.float64)
    rng = np.random.default_rng(7)
    b, c, s = (rng.uniform(*ends, (6, 1, 1, 1)) for ends in [(0.6, 1.4), (0.5, 1.5), (0, 3)])
    h = rng.uniform(-0.2, 0.2, (6, 1, 1, 1))
    luma = np.array([0.299, 0.587, 0.114]).reshape(3, 1, 1)
    y = np.clip(b * x, 0, 1)
    y = np.clip(
        c * y + (1 - c) * (luma * y).sum(1, keepdims=True).mean((2, 3), keepdims=True), 0, 1
    )
    y = np.clip(s * y + (1 - s) * (luma * y).sum(1, keepdims=True), 0, 1)
    out = data.ColorJitter(0.4, 0.5, (0, 3), 0.2)(x, np.random.default_rng(7))
    np.testing.assert_allclose(out, turn_hue(y, h), atol=1e-12)


def test_colour_jitter_of_grey_images():
    x = images(c=1)
    out = data.ColorJitter(brightness=(2, 2))(x)
    np.testing.assert_allclose(out, np.minimum(2 * x, 1))
    flat = data.ColorJitter(contrast=(0, 0))(x)
    np.testing.assert_allclose(flat, np.broadcast_to(x.mean((2, 3), keepdims=True), x.shape), 1e-5)
    np.testing.assert_array_equal(grey(images(c=1)), x)


def test_lighting_adds_the_papers_sum():
    mix = np.array([[1, 0.8, 0], [0.1, 0.5, 0.7], [0, 0, 0.4]])
    train = np.einsum("ij,njhw->nihw", mix, images(30, dtype=np.float64))
    x = images(20_000, h=1, w=2, dtype=np.float64)
    light = data.PCALighting(train, 0.1)(x, np.random.default_rng(0)) - x
    np.testing.assert_allclose(light[..., 0], light[..., 1], atol=1e-12)
    covariance = np.cov(np.moveaxis(train, 1, 0).reshape(3, -1))
    # Cov(P diag(lambda) alpha) = sigma^2 P diag(lambda^2) P^T = sigma^2 covariance^2
    expected = 0.01 * covariance @ covariance
    np.testing.assert_allclose(np.cov(light[:, :, 0, 0].T), expected, atol=0.05 * expected.max())


# -- shifts ---------------------------------------------------------------------------------------


def test_shift_moves_whole_images_by_at_most_the_given_pixels():
    images = np.random.default_rng(0).uniform(1, 2, (40, 2, 5, 7)).astype(np.float32)
    moved = data.random_shift(images, 1, np.random.default_rng(1))
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = {(i, j): padded[:, :, i : i + 5, j : j + 7] for i in range(3) for j in range(3)}
    used = set()
    for k in range(40):
        fits = [s for s, window in windows.items() if np.array_equal(moved[k], window[k])]
        assert len(fits) == 1
        used.update(fits)
    assert used == set(windows)
    assert moved.dtype == np.float32
    assert moved.flags.c_contiguous


def test_shift_by_nothing_and_of_nothing():
    images = np.random.default_rng(0).standard_normal((3, 1, 4, 4))
    assert np.array_equal(data.random_shift(images, 0), images)
    assert data.random_shift(images[:0]).shape == (0, 1, 4, 4)


def test_shift_says_what_is_wrong():
    with pytest.raises(ShapeError, match=r"random_shift: expected images of shape \(n, c, h, w\)"):
        data.random_shift(np.zeros((8, 8)))
    with pytest.raises(ArgumentError, match="pixels of at least 0, got -1"):
        data.random_shift(np.zeros((1, 1, 8, 8)), -1)
