"""Preprocessing: learned from the training data by `fit`, done to any data by `transform`.

What `fit` finds stands in attributes whose names end in an underscore, as in scikit-learn.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from minidl.errors import ArgumentError, DTypeError, ShapeError, expected

EPS = np.finfo(np.float64).eps


class Preprocessing(ABC):
    """What every kind has: fit, transform, fit_transform, inverse_transform, get_params.

    Data are (n, d), or (n, ...) such as images (n, c, h, w). float32 and float64 are kept, other
    numbers become float32; sums are taken in float64.
    """

    shape_: tuple[int, ...] | None = None
    least_samples = 1

    @abstractmethod
    def _fit(self, x: np.ndarray) -> None:
        """Learn from x (n, ...) float64."""

    @abstractmethod
    def _transform(self, x: np.ndarray) -> np.ndarray:
        """Return x (n, ...) transformed."""

    @abstractmethod
    def _inverse(self, z: np.ndarray) -> np.ndarray:
        """Return what _transform made z of."""

    def _transformed_shape(self) -> tuple[int, ...] | None:
        """Return the shape of one sample after transform; None before fit."""
        return self.shape_

    def fit(self, x: Any) -> Preprocessing:
        """Learn from the samples x (n, ...) and return self.

        Raises
        ------
        DTypeError, ShapeError, ArgumentError
            unless x holds finite numbers, with a first axis of samples, two or more to whiten
        """
        name = type(self).__name__
        x = _numbers(name, x)
        if x.ndim < 2 or len(x) < self.least_samples or x.size == 0:
            hint = "one row for each sample; a single feature is x[:, None]"
            wanted = f"x of shape (n, ...) with n at least {self.least_samples}"
            raise ShapeError(expected(name, wanted, x.shape, hint))
        if not np.isfinite(x).all():
            hint = "clean the data, or leave those samples out"
            raise ArgumentError(expected(name, "finite numbers to fit", "NaN or infinity", hint))
        self._fit(x.astype(np.float64))
        self.shape_ = x.shape[1:]
        return self

    def transform(self, x: Any) -> np.ndarray:
        """Return the samples x transformed, in x's dtype.

        Raises
        ------
        ArgumentError
            before fit
        ShapeError
            where samples differ in shape from those fitted
        """
        return self._transform(self._checked(x, self.shape_))

    def fit_transform(self, x: Any) -> np.ndarray:
        """Return transform(x) after fit(x)."""
        return self.fit(x).transform(x)

    def inverse_transform(self, z: Any) -> np.ndarray:
        """Return the samples whose transform is z (the nearest ones, where something was lost)."""
        return self._inverse(self._checked(z, self._transformed_shape()))

    def get_params(self) -> dict[str, Any]:
        """Return the options, as they were given."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({options})"

    def _checked(self, x: Any, shape: tuple[int, ...] | None) -> np.ndarray:
        name = type(self).__name__
        if shape is None:
            raise ArgumentError(expected(name, "to be fitted", "no fit so far", "call fit first"))
        x = _numbers(name, x)
        if x.ndim < 1 or x.shape[1:] != shape:
            wanted = f"samples of shape {shape} as in fit"
            raise ShapeError(expected(name, wanted, f"an array of shape {x.shape}"))
        return x


def _numbers(name: str, x: Any) -> np.ndarray:
    """Return x as an array of float32 or float64."""
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise DTypeError(expected(name, "numbers", x.dtype))
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)


def _feature_axes(x: np.ndarray, per_channel: bool) -> tuple[int, ...]:
    """Return the axes over which values count as one feature."""
    return (0, *range(2, x.ndim)) if per_channel else (0,)


class MinMaxScaler(Preprocessing):
    """z = (x - min) / (max - min) * (high - low) + low, feature by feature.

    Constant features become low, as in scikit-learn.

    Parameters
    ----------
    feature_range : (low, high), low < high
    per_channel : bool
        one range for each channel of images (n, c, ...), in place of one for each pixel

    Attributes
    ----------
    data_min_, data_max_, scale_ : (d,) or the shape of one sample; (c, 1, 1) with per_channel
        scale_ is (high - low) / (max - min), with 1 in place of a span of 0

    Examples
    --------
    >>> MinMaxScaler((-1, 1)).fit_transform(np.array([[0.0, 7.0], [5.0, 7.0], [10.0, 7.0]]))
    array([[-1., -1.],
           [ 0., -1.],
           [ 1., -1.]])
    """

    def __init__(
        self, feature_range: tuple[float, float] = (0, 1), per_channel: bool = False
    ) -> None:
        low, high = feature_range
        if not -np.inf < low < high < np.inf:
            wanted = "feature_range (low, high) with low < high"
            raise ArgumentError(expected("MinMaxScaler", wanted, feature_range))
        self.feature_range, self.per_channel = feature_range, per_channel

    def _fit(self, x: np.ndarray) -> None:
        axes = _feature_axes(x, self.per_channel)
        self.data_min_ = x.min(axes, keepdims=True)[0]
        self.data_max_ = x.max(axes, keepdims=True)[0]

        low, high = self.feature_range
        span = self.data_max_ - self.data_min_
        self.scale_ = (high - low) / np.where(span == 0, 1, span)

    def _transform(self, x: np.ndarray) -> np.ndarray:
        least, scale = self.data_min_.astype(x.dtype), self.scale_.astype(x.dtype)
        return (x - least) * scale + x.dtype.type(self.feature_range[0])

    def _inverse(self, z: np.ndarray) -> np.ndarray:
        least, scale = self.data_min_.astype(z.dtype), self.scale_.astype(z.dtype)
        return (z - z.dtype.type(self.feature_range[0])) / scale + least


class StandardScaler(Preprocessing):
    """z = (x - mean) / sigma, feature by feature, sigma^2 = mean((x - mean)^2).

    Constant features become 0, as in scikit-learn.

    Parameters
    ----------
    per_channel : bool
        one mean for each channel of images (n, c, ...), in place of one for each pixel

    Attributes
    ----------
    mean_, var_, scale_ : (d,) or the shape of one sample; (c, 1, 1) with per_channel
        scale_ is sigma, or 1 where that is 0

    Examples
    --------
    >>> StandardScaler().fit_transform(np.array([[1.0, 7.0], [3.0, 7.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    def __init__(self, per_channel: bool = False) -> None:
        self.per_channel = per_channel

    def _fit(self, x: np.ndarray) -> None:
        axes = _feature_axes(x, self.per_channel)
        constant = x.min(axes, keepdims=True) == x.max(axes, keepdims=True)
        # The mean of equal numbers may be rounded away from them: then sigma would not be 0.
        mean = np.where(constant, x.min(axes, keepdims=True), x.mean(axes, keepdims=True))
        var = np.square(x - mean).mean(axes, keepdims=True)
        self.mean_, self.var_ = mean[0], var[0]
        self.scale_ = np.where(constant, 1, np.sqrt(var))[0]

    def _transform(self, x: np.ndarray) -> np.ndarray:
        return (x - self.mean_.astype(x.dtype)) / self.scale_.astype(x.dtype)

    def _inverse(self, z: np.ndarray) -> np.ndarray:
        return z * self.scale_.astype(z.dtype) + self.mean_.astype(z.dtype)


class PCAWhitening(Preprocessing):
    """z = (x - mean) U / sqrt(lambda): features along the covariance's axes U, with variance 1.

    Axes along which the data do not vary give 0 (scikit-learn divides rounding errors by rounding
    errors there). The covariance is that of n - 1, an axis' largest entry is positive.

    Parameters
    ----------
    n_components : how many axes to keep, those of largest variance first
        an integer; a number between 0 and 1, the share of the variance to keep at least; or None,
        all there are: the smaller of samples and features

    Attributes
    ----------
    mean_ : (d,)
    components_ : (k, d), the axes
    explained_variance_, explained_variance_ratio_ : (k,), lambda and its share of all variance
    n_components_ : k

    Notes
    -----
    Images (n, c, h, w) are taken as rows of d = c h w numbers; the result is (n, k).
    """

    least_samples = 2

    def __init__(self, n_components: int | float | None = None) -> None:
        whole = isinstance(n_components, int | np.integer) and not isinstance(n_components, bool)
        share = isinstance(n_components, float) and 0 < n_components < 1
        if not (n_components is None or share or (whole and n_components >= 1)):
            wanted = "n_components of at least 1, a share between 0 and 1, or None"
            raise ArgumentError(expected("PCAWhitening", wanted, repr(n_components)))
        self.n_components = n_components

    def _fit(self, x: np.ndarray) -> None:
        self.mean_, variance, axes = _principal_axes(x.reshape(len(x), -1))
        total = variance.sum()
        k = self._kept(variance / total if total else variance)
        self.n_components_, self.components_ = k, axes[:k]
        self.explained_variance_ = variance[:k]
        self.explained_variance_ratio_ = variance[:k] / (total or 1)

    def _kept(self, ratio: np.ndarray) -> int:
        """Return how many axes to keep."""
        if self.n_components is None:
            return len(ratio)
        if isinstance(self.n_components, float):
            before = np.searchsorted(np.cumsum(ratio), self.n_components, side="right")
            return min(int(before) + 1, len(ratio))
        if self.n_components > len(ratio):
            wanted = f"n_components of at most {len(ratio)}, the smaller of samples and features"
            raise ArgumentError(expected("PCAWhitening", wanted, self.n_components))
        return int(self.n_components)

    def _transform(self, x: np.ndarray) -> np.ndarray:
        centred = x.reshape(len(x), -1) - self.mean_.astype(x.dtype)
        varies = self.explained_variance_ > 0
        deviation = np.sqrt(np.where(varies, self.explained_variance_, np.inf))
        return centred @ (self.components_.T / deviation).astype(x.dtype)

    def _inverse(self, z: np.ndarray) -> np.ndarray:
        scaled = self.components_ * np.sqrt(self.explained_variance_)[:, None]
        rows = z @ scaled.astype(z.dtype) + self.mean_.astype(z.dtype)
        return rows.reshape(len(z), *(self.shape_ or ()))

    def _transformed_shape(self) -> tuple[int, ...] | None:
        return self.shape_ and (self.n_components_,)


class ZCAWhitening(Preprocessing):
    """z = (x - mean) U diag(1 / sqrt(lambda + epsilon)) U^T: whitened, and still looking like x.

    Of all whitenings the one that changes the data least; on images edges stand out.

    Parameters
    ----------
    epsilon : at least 0
        keeps axes of little variance, which are mostly noise, from being blown up: 0.1 suits
        images with values from 0 to 1. With 0, axes without variance give 0.

    Attributes
    ----------
    mean_ : (d,)
    explained_variance_ : (min(n, d),), lambda
    components_ : (min(n, d), d), the axes: the rows of U^T

    Notes
    -----
    Images (n, c, h, w) are taken as rows of d = c h w numbers; the result has the images' shape.

    References
    ----------
    Bell & Sejnowski 1997; Krizhevsky 2009, appendix A.
    """

    least_samples = 2

    def __init__(self, epsilon: float = 0.1) -> None:
        if not 0 <= epsilon < np.inf:
            raise ArgumentError(expected("ZCAWhitening", "epsilon of at least 0", epsilon))
        self.epsilon = epsilon

    def _fit(self, x: np.ndarray) -> None:
        rows = x.reshape(len(x), -1)
        self.mean_, self.explained_variance_, self.components_ = _principal_axes(rows)

    def _transform(self, x: np.ndarray) -> np.ndarray:
        rows = x.reshape(len(x), -1) - self.mean_.astype(x.dtype)
        return self._along_axes(rows, -0.5).reshape(x.shape)

    def _inverse(self, z: np.ndarray) -> np.ndarray:
        rows = self._along_axes(z.reshape(len(z), -1), 0.5)
        return (rows + self.mean_.astype(z.dtype)).reshape(z.shape)

    def _along_axes(self, rows: np.ndarray, power: float) -> np.ndarray:
        """Return rows U diag((lambda + epsilon)^power) U^T, from the axes that vary alone.

        U has d axes. Where lambda = 0 the factor is epsilon^power, whichever way they lie:
        rows U D U^T = epsilon^power rows + rows U_v (D_v - epsilon^power) U_v^T.
        """
        rest = self.epsilon**power if self.epsilon else 0.0
        varies = self.explained_variance_ > 0
        axes = self.components_[varies]
        factors = (self.explained_variance_[varies] + self.epsilon) ** power - rest
        along = rows @ axes.T.astype(rows.dtype)
        return rest * rows + (along * factors.astype(rows.dtype)) @ axes.astype(rows.dtype)


def _principal_axes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean (d,), variances in falling order (k,) and axes (k, d), k = min(n, d).

    Variances that are nothing but rounding are 0.
    """
    n, d = x.shape
    mean = x.mean(0)
    centred = x - mean
    if n > d:
        variance, axes = np.linalg.eigh(centred.T @ centred / (n - 1))
        variance, axes = variance[::-1], axes.T[::-1]
    else:
        _, deviation, axes = np.linalg.svd(centred, full_matrices=False)
        variance = deviation**2 / (n - 1)
    # What is left of a constant column is the mean's rounding, of the size of eps |x|.
    least = max(variance[0] * d * EPS, n * (np.abs(x).max() * EPS) ** 2)
    variance = np.where(variance > least, variance, 0)
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return mean, variance, axes * np.where(largest < 0, -1, 1)
