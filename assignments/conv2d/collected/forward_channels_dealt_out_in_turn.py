"""Group j gets every groups-th input channel, beginning with channel j, instead of the j-th block
of neighbouring channels."""
# task: forward


def forward(x, weight, bias, stride, padding, dilation, groups):
    ph, pw = padding
    o, _, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    n, _, hp, wp = padded.shape
    oh = max((hp - dilation[0] * (kh - 1) - 1) // stride[0] + 1, 0)
    ow = max((wp - dilation[1] * (kw - 1) - 1) // stride[1] + 1, 0)
    y = np.zeros((n, o, oh, ow), dtype=x.dtype)
    each = o // groups
    for g in range(groups):
        part = padded[:, g::groups]
        kernels = weight[g * each : (g + 1) * each]
        for i in range(kh):
            for j in range(kw):
                top, left = i * dilation[0], j * dilation[1]
                seen = part[
                    :,
                    :,
                    top : top + stride[0] * oh : stride[0],
                    left : left + stride[1] * ow : stride[1],
                ]
                y[:, g * each : (g + 1) * each] += np.einsum(
                    "ncpq,oc->nopq", seen, kernels[:, :, i, j]
                )
    if bias is not None:
        y += bias[:, None, None]
    return y
