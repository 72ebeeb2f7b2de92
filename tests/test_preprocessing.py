"""Preprocessing against scikit-learn, the formulas and the covariance of the result."""

import numpy as np
import pytest
from sklearn import decomposition, preprocessing

from minidl import data
from minidl.errors import ArgumentError, DTypeError, MinidlError, ShapeError

EVERY = [
    data.MinMaxScaler(),
    data.MinMaxScaler((-1, 1), per_channel=True),
    data.StandardScaler(),
    data.StandardScaler(per_channel=True),
    data.PCAWhitening(),
    data.ZCAWhitening(0.1),
    data.ZCAWhitening(0),
]


def correlated(n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + 3 * rng.standard_normal(d)


def images(dtype=np.float64, n=40):
    rng = np.random.default_rng(1)
    smooth = np.cumsum(rng.standard_normal((n, 3, 4, 5)), axis=3)
    return (smooth + np.array([0, 5, -3])[:, None, None]).astype(dtype)


# -- scaling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("feature_range", [(0, 1), (-1, 1), (2.5, 7)])
def test_min_max_is_scikit_learns(feature_range):
    x, other = correlated(), correlated(seed=5)
    x[:, 2] = 4.2
    theirs = preprocessing.MinMaxScaler(feature_range).fit(x)
    ours = data.MinMaxScaler(feature_range).fit(x)
    for batch in (x, other):
        np.testing.assert_allclose(ours.transform(batch), theirs.transform(batch), atol=1e-12)
    z = ours.transform(other)
    np.testing.assert_allclose(ours.inverse_transform(z), theirs.inverse_transform(z), atol=1e-12)
    for name in ("data_min_", "data_max_", "scale_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12)


def test_standardization_is_scikit_learns():
    x, other = correlated(), correlated(seed=5)
    x[:, 2] = 0.1  # its mean in floating point is not 0.1
    theirs = preprocessing.StandardScaler().fit(x)
    ours = data.StandardScaler().fit(x)
    for batch in (x, other):
        np.testing.assert_allclose(ours.transform(batch), theirs.transform(batch), atol=1e-10)
    z = ours.transform(other)
    np.testing.assert_allclose(ours.inverse_transform(z), theirs.inverse_transform(z), atol=1e-10)
    for name in ("mean_", "var_", "scale_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-12)


def test_a_constant_column_gives_exactly_zero_whatever_its_mean_is_rounded_to():
    constants = np.array([0.1, 0.7, 1e6 / 3, -1 / 7])
    x = np.broadcast_to(constants, (59, 4))
    assert (x.mean(0) != constants).any()
    assert (data.StandardScaler().fit_transform(x) == 0).all()


def test_scaling_by_pixel_and_by_channel():
    x = images()
    by_pixel = data.StandardScaler().fit_transform(x)
    np.testing.assert_allclose(by_pixel.mean(0), np.zeros((3, 4, 5)), atol=1e-12)
    np.testing.assert_allclose(by_pixel.std(0), np.ones((3, 4, 5)))
    scaler = data.StandardScaler(per_channel=True)
    by_channel = scaler.fit_transform(x)
    assert scaler.mean_.shape == (3, 1, 1)
    np.testing.assert_allclose(by_channel.mean((0, 2, 3)), np.zeros(3), atol=1e-12)
    np.testing.assert_allclose(by_channel.std((0, 2, 3)), np.ones(3))
    assert by_channel.std(0).min() < 0.9
    ranged = data.MinMaxScaler((-1, 1), per_channel=True).fit_transform(x)
    np.testing.assert_allclose(ranged.min((0, 2, 3)), -np.ones(3))
    np.testing.assert_allclose(ranged.max((0, 2, 3)), np.ones(3))


# -- whitening ------------------------------------------------------------------------------------


def up_to_sign(ours, theirs):
    signs = np.sign((ours * theirs).sum(0))
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-10)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (200, 12), (6, 9)])
@pytest.mark.parametrize("kept", [2, 3, 0.9, 0.5])
def test_pca_whitening_is_scikit_learns(n, d, kept):
    x, other = correlated(n, d), correlated(7, d, seed=5)
    theirs = decomposition.PCA(kept, whiten=True, svd_solver="full").fit(x)
    ours = data.PCAWhitening(kept).fit(x)
    assert ours.n_components_ == theirs.n_components_
    for name in ("mean_", "explained_variance_", "explained_variance_ratio_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-10)
    up_to_sign(ours.components_.T, theirs.components_.T)
    up_to_sign(ours.transform(other), theirs.transform(other))
    back = theirs.inverse_transform(theirs.transform(other))
    np.testing.assert_allclose(ours.inverse_transform(ours.transform(other)), back, atol=1e-10)


def test_axes_in_order_and_with_a_sign_of_their_own():
    x = correlated()
    for whitening in (data.PCAWhitening().fit(x), data.PCAWhitening().fit(-x)):
        assert (np.diff(whitening.explained_variance_) < 0).all()
        axes = whitening.components_
        assert (axes[np.arange(5), np.abs(axes).argmax(1)] > 0).all()


def test_a_share_reached_exactly_keeps_one_more_as_in_scikit_learn():
    cross = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    theirs = decomposition.PCA(0.5, svd_solver="full").fit(cross)
    assert data.PCAWhitening(0.5).fit(cross).n_components_ == theirs.n_components_ == 2


def test_whitened_data_have_the_identity_as_covariance():
    x = images().reshape(40, -1)[:, :20]
    for kind in (data.PCAWhitening(), data.ZCAWhitening(0)):
        np.testing.assert_allclose(np.cov(kind.fit_transform(x).T), np.eye(20), atol=1e-9)


def zca(x, epsilon):
    """The definition: multiply by the symmetric (cov + epsilon)^(-1/2)."""
    values, vectors = np.linalg.eigh(np.cov(x.T) + epsilon * np.eye(x.shape[1]))
    return vectors / np.sqrt(values) @ vectors.T


@pytest.mark.parametrize(("n", "d"), [(60, 8), (8, 8), (5, 8)])
@pytest.mark.parametrize("epsilon", [0.1, 3.0])
def test_zca_is_the_inverse_root_of_the_covariance(n, d, epsilon):
    x, other = correlated(n, d), correlated(7, d, seed=5)
    ours = data.ZCAWhitening(epsilon).fit(x)
    expected = (other - x.mean(0)) @ zca(x, epsilon)
    np.testing.assert_allclose(ours.transform(other), expected, atol=1e-10)
    np.testing.assert_allclose(ours.inverse_transform(expected), other, atol=1e-10)


def test_zca_changes_the_data_less_than_any_other_whitening():
    x = correlated()
    centred = x - x.mean(0)
    z = data.ZCAWhitening(0).fit_transform(x)
    rotation, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((5, 5)))
    pca = data.PCAWhitening().fit_transform(x)
    for other in (z @ rotation, pca, -pca):
        assert np.square(z - centred).sum() < np.square(other - centred).sum()


def test_edges_stand_out_after_zca():
    def at_edges(x):
        return np.square(np.diff(x, axis=3)).sum() / np.square(x - x.mean(0)).sum()

    smooth = images(n=400)
    assert at_edges(data.ZCAWhitening(0.1).fit_transform(smooth)) > 3 * at_edges(smooth)


@pytest.mark.parametrize("kind", [data.PCAWhitening(), data.ZCAWhitening(0)])
@pytest.mark.parametrize("n", [5, 50])
def test_directions_without_variance_give_zero(kind, n):
    """Constant and repeated columns, and fewer samples than features."""
    x = correlated(n, 8)
    x[:, 3], x[:, 6] = 0.1, x[:, 0]
    z = kind.fit_transform(x)
    rank = min(8 - 2, n - 1)
    values = np.linalg.eigvalsh(np.cov(z.T))[::-1]
    np.testing.assert_allclose(values[:rank], 1, rtol=1e-6)
    np.testing.assert_allclose(values[rank:], 0, atol=1e-6)
    np.testing.assert_allclose(kind.inverse_transform(z), x, atol=1e-8)


# -- every kind -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_gives_the_data_back(kind, dtype):
    x = images(dtype, n=90)
    kept = x.copy()
    z = kind.fit_transform(x)
    assert z.dtype == dtype
    back = kind.inverse_transform(z)
    assert (back.dtype, back.shape) == (dtype, x.shape)
    np.testing.assert_allclose(back, x, atol=1e-3 if dtype == np.float32 else 1e-9)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("kind", EVERY, ids=repr)
def test_constant_data_are_safe(kind):
    for constant in (0.0, 0.1, -1e6):
        z = kind.fit_transform(np.full((9, 4), constant))
        low = kind.feature_range[0] if isinstance(kind, data.MinMaxScaler) else 0
        np.testing.assert_allclose(z, np.full_like(z, low), atol=1e-6)


@pytest.mark.parametrize("kind", EVERY, ids=repr)
def test_integers_become_float32(kind):
    x = np.random.default_rng(0).integers(0, 255, (30, 3, 2, 2), dtype=np.uint8)
    z = kind.fit_transform(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, kind.fit_transform(x.astype(np.float64)), atol=1e-3)


@pytest.mark.parametrize("kind", EVERY, ids=repr)
def test_options_make_the_same_again(kind):
    again = type(kind)(**kind.get_params())
    assert repr(again) == repr(kind)
    np.testing.assert_array_equal(again.fit_transform(images()), kind.fit_transform(images()))


def test_options_are_shown():
    assert repr(data.PCAWhitening(0.9)) == "PCAWhitening(n_components=0.9)"
    assert data.MinMaxScaler().get_params() == {"feature_range": (0, 1), "per_channel": False}


@pytest.mark.parametrize("kind", [data.MinMaxScaler, data.StandardScaler, data.PCAWhitening])
def test_before_fit(kind):
    words = f"{kind.__name__}: expected to be fitted, got no fit so far; call fit first"
    for method in ("transform", "inverse_transform"):
        with pytest.raises(ArgumentError, match=words):
            getattr(kind(), method)(np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        (np.zeros(5), ShapeError, r"n at least 1, got \(5,\); one row for each sample"),
        (np.zeros((0, 3)), ShapeError, r"got \(0, 3\)"),
        (np.array([[1.0], [np.nan]]), ArgumentError, "finite numbers to fit, got NaN or infinity"),
        (np.array([["a"]]), DTypeError, "numbers, got <U1"),
    ],
)
def test_what_cannot_be_fitted(x, kind, words):
    with pytest.raises(kind, match=f"StandardScaler: expected .*{words}"):
        data.StandardScaler().fit(x)


@pytest.mark.parametrize("kind", [data.PCAWhitening(), data.ZCAWhitening()])
def test_whitening_needs_two_samples(kind):
    with pytest.raises(ShapeError, match=r"n at least 2, got \(1, 3\)"):
        kind.fit(np.zeros((1, 3)))


def test_samples_of_another_shape():
    whitening = data.PCAWhitening(2).fit(images())
    with pytest.raises(
        ShapeError, match=r"samples of shape \(3, 4, 5\) as in fit, got .*\(9, 3, 4,"
    ):
        whitening.transform(np.zeros((9, 3, 4, 6)))
    with pytest.raises(ShapeError, match=r"samples of shape \(2,\) as in fit, got .*\(9, 3\)"):
        whitening.inverse_transform(np.zeros((9, 3)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: data.MinMaxScaler((1, 1)), r"low < high, got \(1, 1\)"),
        (lambda: data.MinMaxScaler((0, np.inf)), r"low < high"),
        (lambda: data.PCAWhitening(0), "n_components of at least 1, a share .*, got 0"),
        (lambda: data.PCAWhitening(1.5), "got 1.5"),
        (lambda: data.PCAWhitening(True), "got True"),
        (lambda: data.PCAWhitening(6).fit(correlated()), "at most 5, the smaller of .*, got 6"),
        (lambda: data.ZCAWhitening(-1), "epsilon of at least 0, got -1"),
        (lambda: data.ZCAWhitening(np.nan), "got nan"),
    ],
)
def test_options_out_of_range(make, words):
    with pytest.raises(MinidlError, match=f"(Scaler|Whitening): expected .*{words}"):
        make()
