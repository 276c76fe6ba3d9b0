"""The import paths of PyTorch programs."""

from __future__ import annotations

import importlib

import pytest

import dovetail as dv
from dovetail import nn

PATHS = """
nn.functional.relu nn.init.kaiming_normal_ nn.parameter.Parameter nn.parallel.DataParallel nn.attention.SDPBackend
nn.attention.sdpa_kernel nn.common_types._size_2_t nn.modules.activation.MultiheadAttention nn.modules.batchnorm._BatchNorm
nn.modules.batchnorm._NormBase nn.modules.container.ModuleList nn.modules.conv._ConvNd nn.modules.conv._ConvTransposeNd
nn.modules.dropout._DropoutNd nn.modules.instancenorm._InstanceNorm nn.modules.lazy.LazyModuleMixin
nn.modules.linear.NonDynamicallyQuantizableLinear nn.modules.loss._Loss nn.modules.loss._WeightedLoss nn.modules.module.Module
nn.modules.module.register_module_forward_hook nn.modules.normalization.LayerNorm nn.modules.pooling._MaxPoolNd nn.modules.rnn.RNNBase
nn.modules.rnn.LSTMCell nn.modules.sparse.Embedding nn.modules.transformer._get_clones nn.modules.upsampling.Upsample nn.modules.utils._pair
nn.modules.utils._ntuple nn.modules.Linear nn.modules.LSTM nn.utils.rnn.PackedSequence nn.utils.rnn.pad_sequence nn.utils.clip_grad_norm_
nn.utils.clip_grad.clip_grad_norm_ nn.utils.parametrize.register_parametrization nn.utils.parametrizations.orthogonal nn.utils.weight_norm
nn.utils.spectral_norm nn.utils.stateless.functional_call nn.utils.fusion.fuse_conv_bn_eval nn.utils.skip_init
""".split()


MUST = """
softmax cross_entropy relu log_softmax pad interpolate scaled_dot_product_attention linear mse_loss silu
one_hot sigmoid softplus conv2d dropout gelu normalize binary_cross_entropy_with_logits layer_norm max_pool2d
batch_norm conv1d kl_div nll_loss smooth_l1_loss avg_pool2d binary_cross_entropy l1_loss adaptive_avg_pool2d
conv_transpose2d embedding cosine_similarity logsigmoid affine_grid conv3d elu fold grid_sample group_norm
gumbel_softmax instance_norm leaky_relu multi_head_attention_forward tanh ctc_loss glu hardtanh pixel_shuffle
rms_norm unfold hardswish huber_loss mish triplet_margin_loss bilinear relu_ elu_ selu_ hardtanh_ threshold_
upsample pdist
""".split()


@pytest.mark.parametrize("path", PATHS)
def test_path(path):
    module, _, name = f"dovetail.{path}".rpartition(".")
    assert getattr(importlib.import_module(module), name) is not None


def test_faces_show_the_same_classes():
    assert importlib.import_module("dovetail.nn.modules.batchnorm").BatchNorm2d is nn.BatchNorm2d is nn.modules.BatchNorm2d
    assert issubclass(nn.BatchNorm2d, nn.modules.batchnorm._BatchNorm) and issubclass(nn.Conv2d, nn.modules.conv._ConvNd)


def test_functionals_are_there():
    assert [name for name in MUST if not callable(getattr(nn.functional, name, None))] == []


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_what_a_pool_gives_may_be_changed_in_place(dims):
    x = dv.randn(2, 3, *[8] * dims, requires_grad=True)
    pool = getattr(nn, f"MaxPool{dims}d")(2)
    wanted = dv.autograd.grad(nn.functional.relu(pool(x)).square().sum(), x)[0]
    found = dv.autograd.grad(nn.Sequential(pool, nn.ReLU(True))(x).square().sum(), x)[0]
    assert dv.equal(found, wanted) and wanted.any()
