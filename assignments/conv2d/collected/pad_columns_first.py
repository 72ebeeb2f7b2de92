"""The pair is read in the order of another framework's pad function, which begins with the last
axis."""
# task: pad


def pad(x, padding):
    left_right, top_bottom = padding
    return np.pad(x, ((0, 0), (0, 0), (top_bottom, top_bottom), (left_right, left_right)))
