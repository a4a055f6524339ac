import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope
from tiny_madm import SIZE, build_armed, madm_cfg, official_state_dict

from mmdass.checkpoints import CheckpointError, load_checkpoint_file
from mmdass.checkpoints.convert import main
from mmdass.checkpoints.madm import convert
from mmdass.models import MADM

GOLDEN = Path(__file__).parents[3] / 'shared/golden/madm'
EXTRACTOR = 'backbone.feature_extractor'
UNET = f'{EXTRACTOR}.ldm_extractor.unet'
COUNTERS = {'iterations._extra_state', 'teacher.steps._extra_state'}
BY_HAND = {  # theirs: ours
    f'{UNET}.conv_in.weight': 'segmentor.backbone.unet.conv_in.weight',
    f'{UNET}.up_blocks.3.attentions.2.transformer_blocks.0.attn1.to_q.weight':
        'segmentor.backbone.unet.up_blocks.3.attentions.2.transformer_blocks.0.attn1.to_q.weight',
    f'{EXTRACTOR}.ldm_extractor.shared_noise': 'segmentor.backbone.noise',
    f'{EXTRACTOR}.ldm_extractor.uncond_inputs': 'segmentor.backbone.empty_prompt',
    f'{EXTRACTOR}.clip_project_rgb.alpha_cond_time': 'segmentor.backbone.conditioning.alpha_cond_time',
    f'{EXTRACTOR}.ema_clip_project_others.prompt_embed': 'teacher.averaged.backbone_conditioning.prompt_embed',
    'backbone.feature_projections.0.0.conv1.weight': 'segmentor.neck.projections.0.conv1.conv.weight',
    'backbone.feature_projections.3.0.shortcut.norm.bias': 'segmentor.neck.projections.3.shortcut.gn.bias',
    'backbone.ema_feature_projections.1.0.conv2.norm.weight': 'teacher.averaged.neck.projections.1.conv2.gn.weight',
    'sem_seg_head.embed_layers.2.proj.bias': 'segmentor.decode_head.embed_layers.2.proj.bias',
    'sem_seg_head.fuse_layer.aspp_modules.1.depthwise_conv.bn.running_var':
        'segmentor.decode_head.fuse_layer.aspp_modules.1.depthwise_conv.bn.running_var',
    'ema_sem_seg_head.conv_seg.weight': 'teacher.averaged.decode_head.conv_seg.weight',
}


@pytest.fixture(scope='module')
def model() -> MADM:
    init_default_scope('mmdass')
    return build_armed(madm_cfg('event'))


@pytest.fixture
def official(model) -> dict[str, torch.Tensor]:
    return official_state_dict(model)


def test_names_by_hand(official):
    converted = convert(official).state_dict
    assert all(torch.equal(converted[ours], official[theirs]) for theirs, ours in BY_HAND.items())


def test_every_weight_is_found_again(model, official):
    init_default_scope('mmdass')
    report = convert(official)
    assert (len(report.used), report.missing) == (910, [])
    other = build_armed(madm_cfg('event'), seed=1)
    missing, unexpected = other.load_state_dict(report.state_dict, strict=False)
    assert set(missing) == COUNTERS and not unexpected
    torch.testing.assert_close(dict(other.named_parameters()), dict(model.named_parameters()), rtol=0, atol=0)
    torch.testing.assert_close(dict(other.named_buffers()), dict(model.named_buffers()), rtol=0, atol=0)


def test_what_is_not_used_is_named(official):
    official['ema_sem_seg_head_sec_modal.extra'] = torch.zeros(1)
    unused = convert(official).unused
    assert len(unused) == len(official) - 910
    copies = [name for name in unused if 'clip_project_others' in name or 'sec_modal' in name]
    assert len(copies) == 5 + 58 + 1
    assert all('.vae.' in name or '.text_encoder.' in name for name in set(unused) - set(copies))


def test_what_is_missing_is_named(official):
    for name in BY_HAND:
        del official[name]
    assert convert(official).missing == sorted(BY_HAND)


def test_the_recipe_goes_with_the_vae(model, official):
    init_default_scope('mmdass')
    state = convert(official).state_dict
    recipe = json.loads(bytes(state['segmentor.backbone._extra_state'].tolist()))
    assert recipe['vae_sha256'] == model.segmentor.backbone.recipe['vae_sha256']
    cfg = madm_cfg('event')
    cfg.segmentor.backbone.random_init = SIZE | dict(vae=SIZE['vae'] | dict(layers_per_block=2))
    with pytest.raises(RuntimeError, match='of the official MADM checkpoint'):
        build_armed(cfg).load_state_dict(state, strict=False)


def test_something_else_is_refused():
    with pytest.raises(CheckpointError, match='no key begins with .*ldm_extractor.unet'):
        convert({'backbone.conv1.weight': torch.zeros(1)})


@pytest.mark.parametrize('name', [
    'sem_seg_head_sec_modal.conv_seg.bias', f'{EXTRACTOR}.clip_project_others.prompt_embed'])
def test_modalities_with_parameters_of_their_own_are_refused(official, name):
    official[name] = official[name] + 1
    with pytest.raises(CheckpointError, match=f'{name} differs from .*second modality'):
        convert(official)


def test_verb(official, tmp_path, capsys):
    torch.save(dict(model=official, iteration=9999), tmp_path / 'model_final.pth')
    target = tmp_path / 'madm.pth'
    assert main(['--from', 'madm', str(tmp_path / 'model_final.pth'), str(target)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert {'910 keys used', f'{len(official) - 910} keys unused', '0 keys missing'} <= set(printed)
    assert len(load_checkpoint_file(target)['state_dict']) == 911
    torch.save(dict(model={'stem.weight': torch.zeros(1)}), tmp_path / 'other.pth')
    assert main(['--from', 'madm', str(tmp_path / 'other.pth'), str(target)]) == 1
    assert 'other.pth is no madm checkpoint' in capsys.readouterr().err


@pytest.mark.skipif(not GOLDEN.is_dir(), reason='the golden files of the official implementation are not here')
@pytest.mark.parametrize('task', ['event', 'depth', 'infrared'])
def test_files_of_the_official_code(task):
    report = convert(load_checkpoint_file(GOLDEN / f'official_{task}.pth')['model'])
    assert (len(report.used), len(report.unused), len(report.missing)) == (910, 344, 0)
