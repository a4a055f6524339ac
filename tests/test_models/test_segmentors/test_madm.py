import pytest
import torch
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample
from tiny_madm import LEVELS, build_armed, madm_cfg, make_batch, sample, tiny_backbone, total_loss

from mmdass.models import MADM, SelfTraining
from mmdass.models.utils import NonFiniteError
from mmdass.registry import MODELS

LOGGED = {'source.decode.loss_ce', 'source.decode.acc_seg', 'mix.decode.loss_ce', 'mix.decode.acc_seg',
          'pseudo/confident', 'pseudo/timestep'}
PANELS = {'source/image', 'source/label', 'source/palette', 'target/image', 'target/pseudo_label',
          'target/confidence', 'target/palette', 'mix/image', 'mix/label', 'mix/weight', 'mix/palette'}


def losses(cfg: dict, **attributes) -> tuple[MADM, dict]:
    """One iteration with every panel kept."""
    model = build_armed(cfg)
    model.panels_wanted = True
    for name, value in attributes.items():
        setattr(model, name, value)
    return model, model.loss(*make_batch())


def trained(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(('task', 'regressed'), [
    ('event', {'source.loss_latent'}), ('depth', {'source.loss_latent', 'mix.loss_latent'}),
    ('infrared', {'source.loss_latent', 'mix.loss_latent'})])
def test_losses_of_the_shipped_configs(task, regressed):
    model, result = losses(madm_cfg(task))
    assert set(result) == LOGGED | regressed
    total_loss(result).backward()
    assert all(p.grad is not None for p in trained(model).values())
    assert not any(p.grad is not None for p in model.teacher.parameters())
    assert model.iteration == 1


@pytest.mark.parametrize('autocast', [False, True])
def test_gradient_reaches_the_unet_beside_a_teacher_s_pass(tiny_madm_cfg, autocast):
    """Also from each branch alone: a pass without gradient must not leave casts without a graph in autocast's cache."""
    for branch in ('source', 'mix'):
        model = build_armed(tiny_madm_cfg)
        with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            result = model.loss(*make_batch(height=128))  # at 64 x 64 the middle attends to one token
        total_loss({name: value for name, value in result.items() if name.startswith(branch)}).backward()
        dead = [name for name, p in trained(model.segmentor.backbone.unet).items() if not p.grad.any()]
        assert not dead
        assert all(value.isfinite().all() for value in result.values())


def test_classification_does_not_reach_the_unet_s_output(tiny_madm_cfg):
    """No gradient flows through s0: with the tail free, only LPLR trains it."""
    tiny_madm_cfg.segmentor.backbone.freeze_tail = False
    model, result = losses(tiny_madm_cfg)
    classification = {name: value for name, value in result.items() if 'loss_ce' in name}
    total_loss(classification).backward(retain_graph=True)
    tail = model.segmentor.backbone.unet.conv_out.weight
    assert tail.grad is None
    result['source.loss_latent'].backward()
    assert tail.grad.any()


def test_the_teacher_averages_all_but_the_unet(tiny_madm_cfg):
    model = build_armed(tiny_madm_cfg)
    averaged = {name.split('.')[2] for name in model.state_dict() if name.startswith('teacher.averaged')}
    assert averaged == {'neck', 'decode_head', 'backbone_conditioning'}
    teacher = model.teacher.segmentor
    assert teacher.backbone.unet is model.segmentor.backbone.unet
    assert teacher.backbone.conditioning is not model.segmentor.backbone.conditioning


def test_pseudo_labels_are_the_noisy_teacher_s(tiny_madm_cfg):
    tiny_madm_cfg.pseudo_labeler.update(threshold=0.3, start_timestep=(700, 700), end_iteration=100)
    model = build_armed(tiny_madm_cfg)
    model.iterations.value = 50
    model.panels_wanted = True
    inputs, samples = make_batch()
    teacher = model.teacher.segmentor
    latents = teacher.backbone.encode(inputs['target'])
    features = teacher.neck(teacher.backbone.forward_latents(latents, 350).features)
    confidence, label = teacher.decode_head(features).softmax(1).max(1)
    result = model.loss(inputs, samples)
    assert result['pseudo/timestep'] == 350
    torch.testing.assert_close(model.panels['target/confidence'], confidence)
    assert torch.equal(model.panels['target/pseudo_label'], label)
    share = (confidence >= 0.3).sum() / confidence.numel()
    assert 0 < share < 1
    torch.testing.assert_close(result['pseudo/confident'], share)


def test_branches_by_hand():
    """Each loss from the panels and the student's parts: what is mixed, weighted, painted and masked."""
    cfg = madm_cfg('infrared')
    cfg.pseudo_labeler.threshold = 0.2
    model, result = losses(cfg)
    panels, student = model.panels, model.segmentor
    inputs, samples = make_batch()
    label = torch.cat([one.gt_sem_seg.data for one in samples['source']])
    share = result['pseudo/confident']
    assert 0 < share < 1
    assert torch.equal(panels['source/label'], label)

    pasted = panels['mix/weight'] == 1
    assert pasted.any() and not pasted.all()
    torch.testing.assert_close(panels['mix/weight'][~pasted], share.expand((~pasted).sum()))
    assert torch.equal(panels['mix/label'], torch.where(pasted, label, panels['target/pseudo_label']))

    def regression(branch, weight):
        latents = student.backbone.forward_latents(student.backbone.encode(panels[f'{branch}/image'])).latents
        labels = panels[f'{branch}/label']
        painted = student.backbone.encode(model.latent_palette_head.paint(labels))
        mask = ((labels != 255) * weight)[:, None, ::8, ::8]
        return ((latents - painted).abs() * mask).sum() / latents.numel()

    # the pasted source pixels are weighed by the teacher's share as well, as in the released code
    torch.testing.assert_close(result['source.loss_latent'], regression('source', 1.0))
    torch.testing.assert_close(result['mix.loss_latent'], regression('mix', share))

    def classification(branch, weight):
        latents = student.backbone.encode(panels[f'{branch}/image'])
        logits = student.decode_head(student.neck(student.backbone.forward_latents(latents).features))
        loss = torch.nn.functional.cross_entropy(
            logits, panels[f'{branch}/label'], ignore_index=255, reduction='none')
        return (loss * weight).mean()

    torch.testing.assert_close(result['source.decode.loss_ce'], classification('source', 1.0))
    torch.testing.assert_close(result['mix.decode.loss_ce'], classification('mix', panels['mix/weight']))


def test_pasted_pixels_can_weigh_1_in_the_regression():
    cfg = madm_cfg('depth')
    cfg.pseudo_labeler.threshold = 1.0  # a share of 0
    assert losses(cfg)[1]['mix.loss_latent'] == 0
    cfg.latent_palette_head.weigh_pasted = False
    assert losses(cfg)[1]['mix.loss_latent'] > 0


@pytest.mark.parametrize(('task', 'expected'), [('event', [8]), ('depth', [8, 2])])
def test_images_that_do_not_depend_on_each_other_are_encoded_in_one_call(task, expected, monkeypatch):
    model, batches = build_armed(madm_cfg(task)), []
    vae = model.segmentor.backbone.vae
    encode = vae.encode
    monkeypatch.setattr(vae, 'encode', lambda images: batches.append(len(images)) or encode(images))
    model.loss(*make_batch())
    assert batches == expected  # source, target, mix and painted label of two samples each; the painted mixed label


def test_panels_are_kept_when_wanted(tiny_madm_cfg):
    model, _ = losses(tiny_madm_cfg)
    assert set(model.panels) == PANELS
    for name, panel in model.panels.items():
        assert not panel.requires_grad
        assert panel.shape == ((2, 3, 64, 64) if name.endswith(('image', 'palette')) else (2, 64, 64))
        assert panel.is_floating_point() != name.endswith('label')
    model.panels_wanted = False
    model.loss(*make_batch())
    assert model.panels == {}


@pytest.mark.parametrize('autocast', [False, True])
def test_panels_are_float32_under_autocast(tiny_madm_cfg, autocast):
    model = build_armed(tiny_madm_cfg)
    model.panels_wanted = True
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        model.loss(*make_batch())
    assert {panel.dtype for panel in model.panels.values()} == {torch.float32, torch.int64}


def test_without_dplg(tiny_madm_cfg):
    tiny_madm_cfg.pseudo_labeler = dict(type='ConfidencePseudoLabeler', threshold=0.0)
    assert losses(tiny_madm_cfg)[1]['pseudo/timestep'] == 0


@pytest.mark.parametrize('head', [None, dict(type='LatentPaletteHead', label_space='madm11', source_weight=0,
                                             mix_weight=0)])
def test_without_lplr(tiny_madm_cfg, head):
    tiny_madm_cfg.latent_palette_head = head
    model, result = losses(tiny_madm_cfg)
    assert set(result) == LOGGED
    total_loss(result).backward()
    assert all(p.grad is not None for p in trained(model).values())  # or DDP would complain


def test_without_augmentation_or_neck(tiny_madm_cfg):
    tiny_madm_cfg.augmentation = None
    del tiny_madm_cfg.segmentor.neck
    tiny_madm_cfg.segmentor.decode_head.in_channels = LEVELS
    tiny_madm_cfg.teacher.modules = ['decode_head', 'backbone.conditioning']
    assert set(losses(tiny_madm_cfg)[1]) == LOGGED | {'source.loss_latent'}


def test_an_auxiliary_head_trains_on_both_branches(tiny_madm_cfg):
    tiny_madm_cfg.segmentor.auxiliary_head = dict(
        type='FCNHead', in_channels=8, in_index=1, channels=4, num_convs=1, num_classes=11,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4))
    assert {'source.aux.loss_ce', 'mix.aux.loss_ce'} < set(losses(tiny_madm_cfg)[1])


def test_a_backbone_without_stable_diffusion_is_refused(tiny_madm_cfg):
    tiny_madm_cfg.segmentor = dict(
        type='EncoderDecoder', backbone=dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8),
        decode_head=dict(type='FCNHead', in_channels=64, channels=8, num_classes=11))
    tiny_madm_cfg.teacher.modules = None
    tiny_madm_cfg.pseudo_labeler = dict(type='ConfidencePseudoLabeler')
    with pytest.raises(TypeError, match='needs a StableDiffusionBackbone, not ResNetV1c; SelfTraining adapts'):
        MODELS.build(tiny_madm_cfg)


def test_an_overflow_names_branch_and_file(tiny_madm_cfg):
    model = build_armed(tiny_madm_cfg)
    for domain, named in dict(source='source of source/1.png', target='target of target/1.png').items():
        inputs, samples = make_batch()
        inputs[domain][1, 0, 40, 2:60] = float('nan')
        with pytest.raises(NonFiniteError, match=named) as caught:
            model.loss(inputs, samples)
        assert '/0.png' not in str(caught.value)
    assert model.iteration == 0
    with pytest.raises(NonFiniteError, match='values for target/1.png'):
        model.eval().predict(inputs['target'], [as_tested(f'target/{i}.png') for i in range(2)])
    with pytest.raises(NonFiniteError, match='image 1 of the batch'):
        model.predict(inputs['target'])


def as_tested(path: str) -> SegDataSample:
    """What a test pipeline gives."""
    result = sample(path)
    result.set_metainfo(dict(img_shape=(64, 64), ori_shape=(64, 64)))
    return result


def test_an_overflow_of_a_step_before_keeps_its_names(tiny_madm_cfg):
    """On a GPU the flags of a training step may arrive in a later evaluation, of other images."""
    model = build_armed(tiny_madm_cfg).eval()
    model.segmentor.backbone._check_finite._pending.append(
        (torch.tensor([True, True, False]), ['a', 'b', 'mix of c.png and d.png'], None))
    with pytest.raises(NonFiniteError, match='mix of c.png and d.png'):
        model.predict(make_batch()[0]['target'], [as_tested('other.png')] * 2)


@pytest.mark.parametrize('scope', ['mmdass', 'mmseg', None])
def test_inner_defaults_resolve_in_every_scope(scope):
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(dict(
            type='mmdass.MADM',
            data_preprocessor=dict(type='mmdass.DomainPairDataPreprocessor', source=dict(
                type='mmseg.SegDataPreProcessor')) if scope else None,
            segmentor=dict(
                type='mmseg.EncoderDecoder',
                backbone=tiny_backbone(conditioning=dict(type='mmdass.LearnableConditioning')),
                neck=dict(type='mmdass.BottleneckProjection', in_channels=LEVELS, out_channels=[8] * 4,
                          norm_cfg=dict(type='GN', num_groups=4)),
                decode_head=dict(type='mmdass.DAFormerHead', in_channels=[8] * 4, in_index=[0, 1, 2, 3], channels=8,
                                 embed_dims=4, num_classes=11)),
            pseudo_labeler=dict(type='mmdass.DiffusionPseudoLabeler'),
            latent_palette_head=dict(type='mmdass.LatentPaletteHead', label_space='madm11')))
    assert isinstance(model, SelfTraining)
    model.teacher.arm()
    assert len(model.train().loss(*make_batch())) == 8


def test_a_palette_of_other_classes_is_refused():
    """Or classes beyond it would be painted black, as ignored pixels are."""
    cfg = madm_cfg('event')
    cfg.latent_palette_head.label_space = 'madm9'
    with pytest.raises(ValueError, match='predicts 11 classes, and `latent_palette_head` has colours for 9'):
        build_armed(cfg)
