"""Published checkpoints of DAFormer and MIC cannot be had here: state dicts of their key names and shapes, small."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch.nn import functional as F

from mmdass.apis.load_segmentor import load_segmentor
from mmdass.checkpoints import CheckpointError, load_checkpoint_file
from mmdass.checkpoints.convert import main
from mmdass.checkpoints.daformer import convert
from mmdass.registry import MODELS

WIDTH, EMBED, CLASSES = 8, 8, 19
DIMS = [WIDTH * heads for heads in (1, 2, 5, 8)]
DEPTHS, REDUCTIONS = [1, 2, 1, 1], [8, 4, 2, 1]
COUNTERS = {'iterations._extra_state', 'teacher.steps._extra_state'}


def official_shapes(prefix: str = '') -> dict[str, tuple[int, ...]]:
    """Names and shapes as github lhoyer/DAFormer's mix_transformer.py and daformer_head.py (sepaspp) register them."""
    shapes = {}

    def add(name, *weight, bias=True):
        shapes[f'{prefix}{name}.weight'] = weight
        if bias:
            shapes[f'{prefix}{name}.bias'] = weight[:1]

    def norm(name, channels):
        add(name, channels)
        shapes.update({f'{prefix}{name}.running_mean': (channels,), f'{prefix}{name}.running_var': (channels,),
                       f'{prefix}{name}.num_batches_tracked': ()})

    def conv_module(name, *weight):
        add(f'{name}.conv', *weight, bias=False)
        norm(f'{name}.bn', weight[0])

    for stage, (dim, depth, reduction) in enumerate(zip(DIMS, DEPTHS, REDUCTIONS, strict=True), 1):
        kernel = 7 if stage == 1 else 3
        add(f'backbone.patch_embed{stage}.proj', dim, [3, *DIMS][stage - 1], kernel, kernel)
        add(f'backbone.patch_embed{stage}.norm', dim)
        for block in (f'backbone.block{stage}.{index}' for index in range(depth)):
            add(f'{block}.norm1', dim)
            add(f'{block}.attn.q', dim, dim)
            add(f'{block}.attn.kv', 2 * dim, dim)
            add(f'{block}.attn.proj', dim, dim)
            if reduction > 1:
                add(f'{block}.attn.sr', dim, dim, reduction, reduction)
                add(f'{block}.attn.norm', dim)
            add(f'{block}.norm2', dim)
            add(f'{block}.mlp.fc1', 4 * dim, dim)
            add(f'{block}.mlp.dwconv.dwconv', 4 * dim, 1, 3, 3)
            add(f'{block}.mlp.fc2', dim, 4 * dim)
        add(f'backbone.norm{stage}', dim)
        add(f'decode_head.embed_layers.{stage - 1}.proj', EMBED, dim)
    add('decode_head.conv_seg', CLASSES, EMBED, 1, 1)
    conv_module('decode_head.fuse_layer.aspp_modules.0', EMBED, 4 * EMBED, 1, 1)
    for branch in (1, 2, 3):
        conv_module(f'decode_head.fuse_layer.aspp_modules.{branch}.depthwise_conv', 4 * EMBED, 1, 3, 3)
        conv_module(f'decode_head.fuse_layer.aspp_modules.{branch}.pointwise_conv', EMBED, 4 * EMBED, 1, 1)
    conv_module('decode_head.fuse_layer.bottleneck', EMBED, 4 * EMBED, 3, 3)
    return shapes


@pytest.fixture
def official() -> dict[str, torch.Tensor]:
    """A whole published file: student, teacher, ImageNet network."""
    generator = torch.Generator().manual_seed(0)
    shapes = official_shapes('model.') | official_shapes('ema_model.') | official_shapes('imnet_model.')
    return {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}


def our_config() -> dict:
    head = dict(
        type='DAFormerHead', in_channels=DIMS, in_index=[0, 1, 2, 3], channels=EMBED, embed_dims=EMBED,
        num_classes=CLASSES, norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss'))
    backbone = dict(type='MixVisionTransformer', embed_dims=WIDTH, num_layers=DEPTHS, num_heads=[1, 2, 5, 8])
    return dict(type='SelfTraining', segmentor=dict(type='EncoderDecoder', backbone=backbone, decode_head=head))


def our_model():
    init_default_scope('mmdass')
    return MODELS.build(ConfigDict(our_config()))


def test_every_weight_has_its_place(official):
    report = convert(official)
    ours = [name for name in official if not name.startswith('imnet_model.')]
    assert sorted(report.used) == sorted(ours) and report.missing == []
    assert report.unused == [name for name in official if name.startswith('imnet_model.')]
    missing, unexpected = our_model().load_state_dict(report.state_dict, strict=False)
    assert set(missing) == COUNTERS and not unexpected


def test_the_converted_file_is_loaded_for_prediction(official, tmp_path):
    """Though it lacks what training alone needs, here with the feature distance; a weight it must not lack."""
    model = dict(our_config(), terms=dict(feature_distance=dict(type='FeatureDistance', label_space='cityscapes19')))
    cfg = Config(dict(model=model, default_scope='mmdass'))
    weights = convert(official).state_dict
    torch.save(dict(state_dict=weights), tmp_path / 'converted.pth')
    loaded = load_segmentor(cfg, tmp_path / 'converted.pth')
    assert loaded.segmentor.decode_head.conv_seg.weight.equal(official['model.decode_head.conv_seg.weight'])
    weights['segmentor.more'] = weights.pop('segmentor.decode_head.conv_seg.weight')
    torch.save(dict(state_dict=weights), tmp_path / 'broken.pth')
    with pytest.raises(CheckpointError, match='1 weights are missing, the first is segmentor.decode_head.conv_seg.weig'
                                              'ht; 1 weights are not of the model, the first is segmentor.more'):
        load_segmentor(cfg, tmp_path / 'broken.pth')


@pytest.mark.parametrize('ours, theirs', [('segmentor', 'model'), ('teacher.averaged.segmentor', 'ema_model')])
def test_an_official_block_by_hand(official, ours, theirs):
    """The second stage's second block, computed from the official names, and MMSeg's with the converted weights."""
    model = our_model().eval()
    model.load_state_dict(convert(official).state_dict, strict=False)
    size, dim, heads = (8, 4), DIMS[1], 2
    tokens = torch.randn(1, 32, dim)

    def weights(name):
        return [official[f'{theirs}.backbone.block2.1.{name}.{part}'] for part in ('weight', 'bias')]

    def norm(x, name):
        return F.layer_norm(x, (dim,), *weights(name), eps=1e-6)

    def split(x):
        return x.unflatten(2, (heads, -1)).transpose(1, 2)

    x = norm(tokens, 'norm1')
    reduced = F.conv2d(x.transpose(1, 2).unflatten(2, size), *weights('attn.sr'), stride=4).flatten(2).transpose(1, 2)
    keys, values = F.linear(norm(reduced, 'attn.norm'), *weights('attn.kv')).chunk(2, dim=2)
    queries = F.linear(x, *weights('attn.q'))
    attended = F.scaled_dot_product_attention(split(queries), split(keys), split(values)).transpose(1, 2).flatten(2)
    x = tokens + F.linear(attended, *weights('attn.proj'))
    hidden = F.linear(norm(x, 'norm2'), *weights('mlp.fc1')).transpose(1, 2).unflatten(2, size)
    hidden = F.conv2d(hidden, *weights('mlp.dwconv.dwconv'), padding=1, groups=4 * dim).flatten(2).transpose(1, 2)
    x = x + F.linear(F.gelu(hidden), *weights('mlp.fc2'))

    block = model.get_submodule(ours).backbone.layers[1][1][1]
    torch.testing.assert_close(block(tokens, size), x, rtol=1e-4, atol=1e-4)


def test_a_source_only_file_is_the_bare_student(official):
    bare = {name.removeprefix('model.'): value for name, value in official.items() if name.startswith('model.')}
    expected = {name: value for name, value in convert(official).state_dict.items() if name.startswith('segmentor.')}
    assert convert(bare).state_dict.keys() == expected.keys()


def test_what_is_missing_is_named(official):
    gone = ['model.backbone.block3.0.attn.kv.bias', 'ema_model.decode_head.fuse_layer.bottleneck.bn.running_var']
    for name in gone:
        del official[name]
    report = convert(official)
    assert report.missing == gone
    assert 'model.backbone.block3.0.attn.q.bias' in report.unused  # half of our one tensor is not enough


@pytest.mark.parametrize('change, message', [
    (lambda weights: {'layers.0.weight': torch.zeros(1)}, 'no model.backbone.norm1.weight'),
    (lambda weights: {name.replace('decode_head.', 'decode_head.head.'): value for name, value in weights.items()},
     'of HRDA.*scale_attention'),
    (lambda weights: {name: value for name, value in weights.items() if 'embed_layers' not in name},
     'no decode_head.embed_layers.0.proj.weight, as the DAFormerHead'),
    (lambda weights: weights | {'model.backbone.norm2.weight': torch.zeros(3)}, 'not those of a MiT'),
])
def test_something_else_is_refused(official, change, message):
    with pytest.raises(CheckpointError, match=message):
        convert(change(official))


@pytest.mark.parametrize('family', ['daformer', 'mic'])
def test_verb(official, tmp_path, capsys, family):
    classes = [f'class {index}' for index in range(CLASSES)]
    torch.save(dict(meta=dict(CLASSES=classes), state_dict=official), tmp_path / 'latest.pth')
    assert main(['--from', family, str(tmp_path / 'latest.pth'), str(tmp_path / 'ours.pth')]) == 0
    assert '0 keys missing' in capsys.readouterr().out
    assert load_checkpoint_file(tmp_path / 'ours.pth')['meta']['dataset_meta'] == dict(classes=classes)

    command = ['--from', family, '--to', 'mmseg', '--role', 'teacher', str(tmp_path / 'latest.pth')]
    assert main([*command, str(tmp_path / 'plain.pth')]) == 0
    plain = load_checkpoint_file(tmp_path / 'plain.pth')['state_dict']
    assert torch.equal(plain['backbone.layers.0.2.weight'], official['ema_model.backbone.norm1.weight'])
    assert plain.keys() == our_model().segmentor.state_dict().keys()
