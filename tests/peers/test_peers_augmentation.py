"""Resizing and affine maps agree with PyTorch's, and so does weighted sampling's law."""

import numpy as np
import pytest
from peers.agreement import assert_agree, normal

from minidl import data

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("size", [(5, 4), (9, 7), (20, 17), (3, 30)])
def test_resize(torch, dtype, size):
    x = normal(2, 3, 9, 7).astype(dtype)
    want = torch.nn.functional.interpolate(
        torch.tensor(x), size, mode="bilinear", antialias=True, align_corners=False
    )
    assert_agree(data.resize(x, *size), want, dtype)


def test_affine(torch, dtype):
    """PyTorch's places run from -1 to 1, between the outer borders of the outermost pixels."""
    n, h, w = 12, 9, 7
    x = normal(n, 3, h, w).astype(dtype)
    rng = np.random.default_rng(1)
    angle, shift = rng.uniform(-180, 180, n), rng.uniform(-4, 4, (n, 2))
    scale = rng.uniform(0.4, 2.5, n)
    turn = np.deg2rad(angle)
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    back = np.array([[cos, sin], [-sin, cos]]).transpose(2, 0, 1)  # of (x, y), in pixels
    half = np.array([w / 2, h / 2])
    theta = np.empty((n, 2, 3))
    theta[:, :, :2] = back * half[None, None] / half[None, :, None]
    theta[:, :, 2] = -np.einsum("nij,nj->ni", back, shift) / half
    places = torch.nn.functional.affine_grid(torch.tensor(theta), x.shape, align_corners=False)
    want = torch.nn.functional.grid_sample(
        torch.tensor(x), places.to(torch.tensor(x).dtype), align_corners=False
    )
    assert_agree(data.affine(x, angle, shift, scale), want, dtype)


def test_weighted_sampling(torch):
    """Without replacement, the probability of each pair of first draws."""
    weights = [1.0, 2.0, 5.0]
    draws = 20_000
    rng, theirs = np.random.default_rng(0), torch.Generator().manual_seed(0)
    ours = data.WeightedRandomSampler(weights, 2, replacement=False)
    drawn = np.array([ours.draw(rng) for _ in range(draws)])
    peer = torch.utils.data.WeightedRandomSampler(weights, 2, False, theirs)
    pairs = np.array([list(peer) for _ in range(draws)])
    shares = [np.bincount(3 * p[:, 0] + p[:, 1], minlength=9) / draws for p in (drawn, pairs)]
    np.testing.assert_allclose(*shares, atol=0.02)  # five deviations of the difference
