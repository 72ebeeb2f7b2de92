"""Arguments, their order and their defaults: PyTorch's, written down.

tests/peers/test_peers_init.py asks PyTorch itself.
"""

import inspect

import pytest

from minidl import data, functional, nn, optim

NN = {
    "Embedding": (
        "num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, "
        "scale_grad_by_freq=False"
    ),
    "RNN": (
        "input_size, hidden_size, num_layers=1, nonlinearity='tanh', bias=True, "
        "batch_first=False, dropout=0.0, bidirectional=False"
    ),
    "GRU": (
        "input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, "
        "bidirectional=False, recurrent_dropout=0.0"
    ),
    "LSTM": (
        "input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, "
        "bidirectional=False, recurrent_dropout=0.0"
    ),
    "RNNCell": "input_size, hidden_size, bias=True, nonlinearity='tanh'",
    "GRUCell": "input_size, hidden_size, bias=True, recurrent_dropout=0.0",
    "LSTMCell": "input_size, hidden_size, bias=True, recurrent_dropout=0.0",
    "Linear": "in_features, out_features, bias=True",
    "Conv1d": (
        "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, "
        "bias=True, padding_mode='zeros'"
    ),
    "Conv2d": (
        "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, "
        "bias=True, padding_mode='zeros'"
    ),
    "ConvTranspose2d": (
        "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, "
        "bias=True, dilation=1"
    ),
    "BatchNorm1d": "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True",
    "BatchNorm2d": "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True",
    "BatchNorm3d": "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True",
    "InstanceNorm1d": (
        "num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False"
    ),
    "InstanceNorm2d": (
        "num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False"
    ),
    "InstanceNorm3d": (
        "num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False"
    ),
    "GroupNorm": "num_groups, num_channels, eps=1e-05, affine=True",
    "LayerNorm": "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True",
    "LocalResponseNorm": "size, alpha=0.0001, beta=0.75, k=1.0, convention='pytorch'",
    "MaxPool1d": (
        "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"
    ),
    "MaxPool2d": (
        "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"
    ),
    "AvgPool1d": "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True",
    "AvgPool2d": "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True",
    "AdaptiveAvgPool1d": "output_size",
    "AdaptiveAvgPool2d": "output_size",
    "AdaptiveMaxPool1d": "output_size, return_indices=False",
    "AdaptiveMaxPool2d": "output_size, return_indices=False",
    "Upsample": "size=None, scale_factor=None, mode='nearest', align_corners=None",
    "Flatten": "start_dim=1",
    "Dropout": "p=0.5, standard=False",
    "Dropout1d": "p=0.5",
    "Dropout2d": "p=0.5",
    "Dropout3d": "p=0.5",
    "AlphaDropout": "p=0.5",
    "CrossEntropyLoss": "weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0",
    "NLLLoss": "weight=None, ignore_index=-100, reduction='mean'",
    "MSELoss": "reduction='mean'",
    "L1Loss": "reduction='mean'",
    "SmoothL1Loss": "reduction='mean', beta=1.0",
    "HuberLoss": "reduction='mean', delta=1.0",
    "BCELoss": "weight=None, reduction='mean'",
    "BCEWithLogitsLoss": "weight=None, reduction='mean', pos_weight=None",
    "KLDivLoss": "reduction='mean', log_target=False",
    "MultiMarginLoss": "p=1, margin=1.0, weight=None, reduction='mean'",
    "ReLU": "",
    "LeakyReLU": "negative_slope=0.01",
    "PReLU": "num_parameters=1, init=0.25",
    "ELU": "alpha=1.0",
    "SELU": "",
    "GELU": "approximate='none'",
    "Softplus": "beta=1.0, threshold=20.0",
    "SiLU": "",
    "Hardsigmoid": "",
    "Hardtanh": "min_val=-1.0, max_val=1.0",
    "Softmax": "dim=-1",
    "LogSoftmax": "dim=-1",
    "Sigmoid": "",
    "Tanh": "",
    "Identity": "",
}
OPTIM = {
    "SGD": (
        "params, lr=0.001, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, "
        "maximize=False"
    ),
    "Momentum": "params, lr=0.001, momentum=0.9, weight_decay=0.0, lookahead=False",
    "Adagrad": (
        "params, lr=0.01, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, "
        "eps=1e-10, maximize=False"
    ),
    "Adadelta": (
        "params, lr=1.0, rho=0.9, eps=1e-06, weight_decay=0.0, maximize=False, unit_correction=True"
    ),
    "RMSprop": (
        "params, lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0.0, momentum=0.0, centered=False, "
        "maximize=False"
    ),
    "Adam": (
        "params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, amsgrad=False, "
        "maximize=False"
    ),
    "AdamW": (
        "params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False, "
        "maximize=False"
    ),
    "Adamax": ("params, lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, maximize=False"),
    "L1": "alpha, center=0.0",
    "L2": "alpha, center=0.0",
    "ChainedScheduler": "schedulers, optimizer=None",
    "ConstantLR": "optimizer, factor=0.3333333333333333, total_iters=5, last_epoch=-1",
    "CosineAnnealingLR": "optimizer, T_max, eta_min=0.0, last_epoch=-1",
    "CosineAnnealingWarmRestarts": "optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1",
    "ElasticNet": "l1, l2, center=0.0",
    "ExponentialLR": "optimizer, gamma, last_epoch=-1",
    "GaussianPrior": "sigma, center=0.0, samples=1",
    "InverseTimeLR": "optimizer, gamma, last_epoch=-1",
    "LRScheduler": "optimizer, last_epoch=-1",
    "Lagrangian": "penalty, bound, lr=1.0, multiplier=0.0",
    "LambdaLR": "optimizer, lr_lambda, last_epoch=-1",
    "LaplacePrior": "b, center=0.0, samples=1",
    "LinearLR": (
        "optimizer, start_factor=0.3333333333333333, end_factor=1.0, total_iters=5, last_epoch=-1"
    ),
    "MaxNorm": "max_norm, center=0.0",
    "MultiStepLR": "optimizer, milestones, gamma=0.1, last_epoch=-1",
    "MultiplicativeLR": "optimizer, lr_lambda, last_epoch=-1",
    "NaturalExpLR": "optimizer, gamma, last_epoch=-1",
    "Newton": "params, lr=1.0, damping=0.0, hessian=None",
    "NormBall": "radius, center=0.0",
    "Penalty": "l1, l2, center=0.0",
    "PolynomialLR": "optimizer, total_iters=5, power=1.0, last_epoch=-1",
    "ReduceLROnPlateau": (
        "optimizer, mode='min', factor=0.1, patience=10, threshold=0.0001, "
        "threshold_mode='rel', cooldown=0, min_lr=0.0, eps=1e-08"
    ),
    "SequentialLR": "optimizer, schedulers, milestones, last_epoch=-1",
    "StepLR": "optimizer, step_size, gamma=0.1, last_epoch=-1",
    "clip_grad_norm_": "parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, eps=1e-06",
    "clip_grad_value_": "parameters, clip_value",
    "decay_groups": "model, weight_decay",
    "named_weights": "model",
}
OWN = {
    "HingeLoss": "margin=1.0, reduction='mean'",
    "GlobalAvgPool1d": "",
    "GlobalAvgPool2d": "",
    "GlobalMaxPool1d": "",
    "GlobalMaxPool2d": "",
    "freeze": "model, which=None, statistics=False",
    "unfreeze": "model, which=None",
    "LayerNormLSTM": (
        "input_size, hidden_size, forget_bias=1.0, activation='tanh', layer_norm=True, "
        "norm_gain=1.0, norm_shift=0.0, dropout_keep_prob=1.0, dropout_prob_seed=None, "
        "batch_first=False"
    ),
    "LayerNormLSTMCell": (
        "input_size, hidden_size, forget_bias=1.0, activation='tanh', layer_norm=True, "
        "norm_gain=1.0, norm_shift=0.0, dropout_keep_prob=1.0, dropout_prob_seed=None"
    ),
    "DropBlock2d": "keep_prob=0.9, block_size=7, shared=False",
    "DropBlockSchedule": "model, steps",
    "DropConnect": (
        "in_features, out_features, bias=True, p=0.5, activation=None, inference='gaussian', "
        "samples=100, shared=False"
    ),
    "GaussianDropout": "p=0.5, form='paper'",
    "RecurrentDropout": "p=0.5, per_step=False",
    "Standout": "layer, alpha=1.0, beta=0.0, shift='weights', network=None, activation=None",
    "GaussianNoise": "std=0.1",
    "BinaryStochastic": "slope=False",
    "WeightNoise": "module, std=0.1",
    "Folded": "",
    "fold_batch_norm": "layer, norm",
    "fold_batch_norms": "model, pairs=()",
    "LpBatchNorm": "num_features, p=1, eps=1e-05, momentum=0.1, affine=True",
    "init_weight_norm": "model, x",
    "population_statistics": "model, data",
    "remove_weight_norm": "module, name='weight'",
    "scale_and_shift": "norm",
    "weight_norm": "module, name='weight', dim=0",
    "weight_norm_state": "state",
}
FUNCTIONAL = {
    "layer_norm_lstm": (
        "x, h0, c0, weight_ih, weight_hh, gain=None, shift=None, bias=None, forget_bias=1.0, "
        "activation='tanh', lengths=None, recurrent_dropout=0.0"
    ),
    "embedding": (
        "index, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False"
    ),
    "rnn": (
        "x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity='tanh', "
        "lengths=None, reverse=False"
    ),
    "gru": (
        "x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False, "
        "recurrent_dropout=0.0"
    ),
    "lstm": (
        "x, h0, c0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, "
        "reverse=False, recurrent_dropout=0.0"
    ),
    "linear": "x, weight, bias=None, relu=False",
    "conv1d": "x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
    "conv2d": "x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
    "conv_transpose2d": (
        "x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1"
    ),
    "pad": "x, widths, value=0.0, mode='constant'",
    "interpolate": "x, size=None, scale_factor=None, mode='nearest', align_corners=None",
    "max_pool1d": (
        "x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
    ),
    "max_pool2d": (
        "x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
    ),
    "avg_pool1d": "x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True",
    "avg_pool2d": "x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True",
    "adaptive_avg_pool1d": "x, output_size",
    "adaptive_avg_pool2d": "x, output_size",
    "adaptive_max_pool1d": "x, output_size, return_indices=False",
    "adaptive_max_pool2d": "x, output_size, return_indices=False",
    "batch_norm": (
        "x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, "
        "eps=1e-05, residual=None, relu=False"
    ),
    "group_norm": "x, num_groups, weight=None, bias=None, eps=1e-05",
    "instance_norm": (
        "x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, "
        "momentum=0.1, eps=1e-05"
    ),
    "layer_norm": "x, normalized_shape, weight=None, bias=None, eps=1e-05",
    "weight_norm": "v, g, dim=0",
    "local_response_norm": "x, size, alpha=0.0001, beta=0.75, k=1.0, convention='pytorch'",
    "dropout": "x, p=0.5, training=True, standard=False",
    "dropout1d": "x, p=0.5, training=True",
    "dropout2d": "x, p=0.5, training=True",
    "dropout3d": "x, p=0.5, training=True",
    "alpha_dropout": "x, p=0.5, training=True",
    "gaussian_dropout": "x, p=0.5, training=True, form='paper'",
    "drop_connect": "x, weight, bias=None, p=0.5, training=True, shared=False",
    "drop_connect_moments": "x, weight, bias=None, p=0.5",
    "drop_connect_inference": "x, weight, bias=None, p=0.5, activation=None, samples=100",
    "standout": "x, logits, training=True",
    "gaussian_noise": "x, std=0.1, training=True",
    "binary_stochastic": "x, training=True, slope=False",
    "drop_block": "x, keep_prob=0.9, block_size=7, training=True, shared=False",
    "leaky_relu": "x, negative_slope=0.01",
    "prelu": "x, weight",
    "elu": "x, alpha=1.0",
    "selu": "x",
    "gelu": "x, approximate='none'",
    "softplus": "x, beta=1.0, threshold=20.0",
    "silu": "x",
    "hardsigmoid": "x",
    "hardtanh": "x, min_val=-1.0, max_val=1.0",
    "cross_entropy": (
        "logits, targets, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0"
    ),
    "nll_loss": "log_probabilities, targets, weight=None, ignore_index=-100, reduction='mean'",
    "mse_loss": "input, target, reduction='mean'",
    "l1_loss": "input, target, reduction='mean'",
    "smooth_l1_loss": "input, target, reduction='mean', beta=1.0",
    "huber_loss": "input, target, reduction='mean', delta=1.0",
    "binary_cross_entropy": "input, target, weight=None, reduction='mean'",
    "binary_cross_entropy_with_logits": (
        "input, target, weight=None, reduction='mean', pos_weight=None"
    ),
    "kl_div": "input, target, reduction='mean', log_target=False",
    "multi_margin_loss": "scores, targets, p=1, margin=1.0, weight=None, reduction='mean'",
    "hinge_loss": "input, target, margin=1.0, reduction='mean'",
    "smooth_labels": "labels, num_classes, eps",
    "softmax": "x, axis=-1",
    "log_softmax": "x, axis=-1",
}
DATA = {
    "TensorDataset": "arrays",
    "Subset": "dataset, indices",
    "ConcatDataset": "datasets",
    "WeightedRandomSampler": "weights, num_samples, replacement=True",
    "random_split": "dataset, lengths",
    "MinMaxScaler": "feature_range=(0, 1), per_channel=False",
    "StandardScaler": "per_channel=False",
    "Compose": "transforms",
    "RandomHorizontalFlip": "p=0.5",
    "RandomVerticalFlip": "p=0.5",
    "RandomCrop": "size, padding=0, fill=0.0",
    "CenterCrop": "size",
    "Resize": "size",
    "RandomRotation": "degrees, fill=0.0",
    "RandomAffine": "degrees, translate=None, scale=None, fill=0.0",
    "ColorJitter": "brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0",
    "GaussianNoise": "mean=0.0, sigma=0.1, clip=True",
    "ImageFolder": "root, transform=None, mode='RGB'",
    "mnist": "root=None, train=True, download=False",
    "fashion_mnist": "root=None, train=True, download=False",
    "cifar10": "root=None, train=True, download=False",
}
INIT = {
    "calculate_gain": "nonlinearity, param=None",
    "zeros_": "weight",
    "ones_": "weight",
    "constant_": "weight, val",
    "uniform_": "weight, a=0.0, b=1.0",
    "normal_": "weight, mean=0.0, std=1.0",
    "naive_uniform_": "weight, root=False",
    "xavier_uniform_": "weight, gain=1.0",
    "xavier_normal_": "weight, gain=1.0",
    "kaiming_uniform_": "weight, a=0.0, mode='fan_in', nonlinearity='leaky_relu'",
    "kaiming_normal_": "weight, a=0.0, mode='fan_in', nonlinearity='leaky_relu'",
    "orthogonal_": "weight, gain=1.0",
}
TABLES = [
    (nn, NN),
    (nn.init, INIT),
    (nn, OWN),
    (optim, OPTIM),
    (functional, FUNCTIONAL),
    (data, DATA),
]


def written(call):
    """Return the arguments of a function or class as text, without types and without rng."""
    parameters = [p for p in inspect.signature(call).parameters.values() if p.name != "rng"]
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        pytest.param(getattr(module, name), arguments, id=f"{module.__name__}.{name}")
        for module, table in TABLES
        for name, arguments in table.items()
    ],
)
def test_arguments_and_defaults(call, arguments):
    assert written(call) == arguments


def test_every_layer_and_optimizer_has_a_row():
    apart = {"Module", "ModuleDict", "ModuleList", "Parameter", "Sequential", "init", "summary"}
    assert set(nn.__all__) - apart == {*NN, *OWN}
    assert set(optim.__all__) - {"Optimizer", "lr_scheduler"} == set(OPTIM)


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "Dropout", "DropBlock2d"])
def test_what_draws_takes_an_rng_last(name):
    last = list(inspect.signature(getattr(nn, name)).parameters.values())[-1]
    assert (last.name, last.default) == ("rng", None)
