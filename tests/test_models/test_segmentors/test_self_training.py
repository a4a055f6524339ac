import copy

import pytest
import torch
import torch.distributed as dist
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from tiny_madm import build_armed, make_batch, tiny_backbone, total_loss

from mmdass.models import SelfTraining
from mmdass.registry import MODELS
from mmdass.utils.random import draw_key

NORM = dict(type='BN')
CROSS_ENTROPY = dict(type='CrossEntropyLoss')
FCN = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, size=(64, 64)),
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, norm_cfg=NORM),
    decode_head=dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, concat_input=False,
                     num_classes=9, norm_cfg=NORM, loss_decode=CROSS_ENTROPY, dropout_ratio=0),
    auxiliary_head=dict(type='FCNHead', in_channels=32, in_index=2, channels=8, num_convs=1, concat_input=False,
                        num_classes=9, norm_cfg=NORM, loss_decode=CROSS_ENTROPY, dropout_ratio=0),
    test_cfg=dict(mode='whole'))
SEGFORMER = dict(
    type='EncoderDecoder',
    backbone=dict(type='MixVisionTransformer', embed_dims=8, num_heads=[1, 2, 5, 8], num_layers=[1, 1, 1, 1]),
    decode_head=dict(type='SegformerHead', in_channels=[8, 16, 40, 64], in_index=[0, 1, 2, 3], channels=8,
                     num_classes=9, norm_cfg=NORM, loss_decode=CROSS_ENTROPY),
    test_cfg=dict(mode='whole'))
DIFFUSION = dict(
    type='EncoderDecoder', backbone=tiny_backbone(decode_output=False),
    decode_head=dict(type='FCNHead', in_channels=8, in_index=0, channels=8, num_convs=1, num_classes=9,
                     norm_cfg=NORM, loss_decode=CROSS_ENTROPY),
    test_cfg=dict(mode='whole'))


def self_training(segmentor: dict = FCN, **options) -> SelfTraining:
    cfg = dict(type='SelfTraining', segmentor=segmentor,
               pseudo_labeler=dict(type='ConfidencePseudoLabeler', threshold=0.195))
    return build_armed(ConfigDict(cfg | options))


@pytest.mark.parametrize('segmentor', [FCN, SEGFORMER, DIFFUSION])
def test_any_segmentor_learns_from_two_domains(segmentor):
    model = self_training(segmentor)
    result = model.loss(*make_batch())
    expected = {'source.decode.loss_ce', 'source.decode.acc_seg', 'mix.decode.loss_ce', 'mix.decode.acc_seg',
                'pseudo/confident', 'pseudo/timestep'}
    if segmentor is FCN:
        expected |= {'source.aux.loss_ce', 'source.aux.acc_seg', 'mix.aux.loss_ce', 'mix.aux.acc_seg'}
    assert set(result) == expected and model.iteration == 1
    total_loss(result).backward()
    assert all(p.grad is not None for p in model.segmentor.parameters() if p.requires_grad)
    assert all(p.grad is None for p in model.teacher.parameters())


def test_checkpointing_in_stock_backbones_works_under_ddp_and_changes_nothing(tmp_path):
    """A step passes the backbone twice."""
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    try:
        gradients = []
        for with_cp in (False, True):
            backbone = dict(SEGFORMER['backbone'], with_cp=with_cp, drop_path_rate=0)
            head = dict(SEGFORMER['decode_head'], dropout_ratio=0)
            model = self_training(dict(SEGFORMER, backbone=backbone, decode_head=head))
            wrapped = MMDistributedDataParallel(model)
            total_loss(wrapped(*make_batch(), mode='loss')).backward()
            gradients.append({name: p.grad for name, p in model.segmentor.named_parameters()})
    finally:
        dist.destroy_process_group()
    torch.testing.assert_close(*gradients)


def test_the_shipped_shape_of_a_batch_trains():
    """MMEngine's train_step from a collated batch; the segmentor brings its own preprocessor."""
    model = self_training()
    inputs, samples = make_batch()
    batch = {name: dict(inputs=[((image + 1) * 127.5).round().byte() for image in inputs[name]],
                        data_samples=samples[name]) for name in inputs}
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    before = model.segmentor.decode_head.conv_seg.weight.clone()
    logged = model.train_step(batch, optimizer)
    assert {'loss', 'source.decode.loss_ce', 'mix.aux.loss_ce', 'pseudo/confident'} <= set(logged)
    torch.testing.assert_close(logged['loss'], sum(v for k, v in logged.items() if '.loss' in k))
    assert not torch.equal(model.segmentor.decode_head.conv_seg.weight, before)


def test_the_share_of_confident_pixels_is_logged_whatever_the_margins():
    labeler = dict(type='ConfidencePseudoLabeler', threshold=0.195, ignore_top=20, ignore_bottom=20)
    plain, cut = self_training(), self_training(pseudo_labeler=labeler)
    shares = [model.loss(*make_batch())['pseudo/confident'] for model in (plain, cut)]
    assert shares[0] == shares[1] > 0


def test_branches_by_hand():
    model = self_training()
    model.panels_wanted = True
    result = model.loss(*make_batch())
    panels, student = model.panels, model.segmentor
    share = result['pseudo/confident']
    assert 0 < share < 1
    assert share == (panels['target/confidence'] >= 0.195).float().mean()
    pasted = panels['mix/weight'] == 1
    label = panels['source/label']
    assert torch.equal(panels['mix/label'], torch.where(pasted, label, panels['target/pseudo_label']))
    torch.testing.assert_close(panels['mix/weight'], torch.where(pasted, 1.0, share))
    logits = student.decode_head(student.backbone(panels['mix/image']))
    logits = torch.nn.functional.interpolate(logits, (64, 64), mode='bilinear')
    loss = torch.nn.functional.cross_entropy(logits, panels['mix/label'], ignore_index=255, reduction='none')
    torch.testing.assert_close(result['mix.decode.loss_ce'], (loss * panels['mix/weight']).mean())


def test_a_diffusion_teacher_sees_noise():
    model = self_training(DIFFUSION, pseudo_labeler=dict(
        type='DiffusionPseudoLabeler', start_timestep=(500, 500), end_iteration=10))
    model.panels_wanted = True
    inputs, samples = make_batch()
    teacher = model.teacher.segmentor
    logits = teacher.decode_head(teacher.backbone(inputs['target'], timestep=500))
    confidence = torch.nn.functional.interpolate(logits, (64, 64), mode='bilinear').softmax(1).amax(1)
    assert model.loss(inputs, samples)['pseudo/timestep'] == 500
    torch.testing.assert_close(model.panels['target/confidence'], confidence)


def test_refuses_to_train_with_a_teacher_that_nobody_updates():
    model = self_training()
    model.teacher.armed = False
    with pytest.raises(RuntimeError, match='teacher of SelfTraining would never be updated.*TeacherUpdateHook'):
        model.loss(*make_batch())


def test_domains_of_different_shape_are_refused():
    inputs, samples = make_batch()
    inputs['target'] = inputs['target'][..., :32]
    with pytest.raises(ValueError, match=r'\(2, 3, 64, 64\) and \(2, 3, 64, 32\). Give both pipelines'):
        self_training().loss(inputs, samples)


def test_dplg_needs_a_diffusion_backbone():
    with pytest.raises(TypeError, match="needs a diffusion backbone, not ResNetV1c; use type='ConfidencePseudoLabele"):
        self_training(pseudo_labeler=dict(type='DiffusionPseudoLabeler'))


def losses_of(seed: int, iteration: int, global_seed: int) -> dict:
    model = self_training()
    model.seed, model.iterations.value = seed, iteration
    torch.manual_seed(global_seed)
    return model.loss(*make_batch())


def test_draws_depend_on_seed_and_iteration_alone():
    first = losses_of(7, 20, 0)
    assert all(torch.equal(value, first[name]) for name, value in losses_of(7, 20, 1).items())
    for seed, iteration in ((8, 20), (7, 21)):
        other = losses_of(seed, iteration, 0)
        assert torch.equal(other['source.decode.loss_ce'], first['source.decode.loss_ce'])
        assert not torch.equal(other['mix.decode.loss_ce'], first['mix.decode.loss_ce'])


def test_ranks_draw_differently(monkeypatch):
    first = losses_of(7, 20, 0)
    monkeypatch.setattr('mmdass.utils.random.get_rank', lambda: 1)
    assert not torch.equal(losses_of(7, 20, 0)['mix.decode.loss_ce'], first['mix.decode.loss_ce'])


def test_the_iteration_is_in_the_checkpoint():
    model = self_training()
    model.loss(*make_batch())
    model.loss(*make_batch())
    other = self_training()
    other.load_state_dict(model.state_dict())
    assert other.iteration == 2 and model.seed == 0


def test_a_resumed_step_is_the_same_step():
    """Two steps at once, and one, a checkpoint into a new model, and another: bit for bit."""

    def step(model, optimizer):
        torch.manual_seed(draw_key(model.seed, model.iteration, 'model'))  # as KeyedRandomnessHook
        result = model.loss(*make_batch())
        optimizer.zero_grad()
        total_loss(result).backward()
        optimizer.step()
        model.teacher.update()
        return result

    def fresh():
        model = self_training(SEGFORMER, teacher=dict(alpha=0.9))
        return model, torch.optim.AdamW(model.segmentor.parameters(), lr=1e-3)

    model, optimizer = fresh()
    step(model, optimizer)
    state, steps = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    expected = step(model, optimizer)

    resumed, optimizer = fresh()
    resumed.load_state_dict(state)
    optimizer.load_state_dict(steps)
    resumed.teacher.arm()
    result = step(resumed, optimizer)
    assert all(torch.equal(result[name], value) for name, value in expected.items())
    final = model.state_dict()
    differing = [name for name, value in resumed.state_dict().items() if not torch.equal(value, final[name])]
    assert not differing


def test_without_augmentation_the_mix_is_made_of_the_images():
    model = self_training(augmentation=None)
    model.panels_wanted = True
    inputs, samples = make_batch()
    model.loss(inputs, samples)
    pasted = (model.panels['mix/weight'] == 1)[:, None]
    assert torch.equal(model.panels['mix/image'], torch.where(pasted, inputs['source'], inputs['target']))


def test_student_and_teacher_predict():
    model = self_training().eval()
    image = make_batch()[0]['target']

    def logits(segmentor):
        return torch.stack([one.seg_logits.data for one in segmentor.predict(image)])

    student, teacher = logits(model.segmentor), logits(model.teacher.segmentor)
    assert not torch.equal(student, teacher)
    assert torch.equal(logits(model), student)
    model.predict_role = 'teacher'
    assert torch.equal(logits(model), teacher)
    assert torch.equal(model.encode_decode(image, [dict(img_shape=(64, 64))] * 2), teacher)
    assert torch.equal(model(image), model.teacher.segmentor(image))


def test_the_role_is_an_option():
    assert self_training(predict_role='teacher').predict_role == 'teacher'
    with pytest.raises(ValueError, match="'student' or 'teacher', not 'both'"):
        self_training(predict_role='both')


def test_looks_like_its_segmentor():
    model = self_training()
    assert (model.num_classes, model.out_channels, model.align_corners) == (9, 9, False)
    assert model.decode_head is model.segmentor.decode_head
    assert len(model.extract_feat(torch.zeros(1, 3, 64, 64))) == 4


def test_weights_initialised_by_a_runner_reach_the_teacher():
    """The Runner initialises after construction; a teacher of before would be a stranger."""
    model = MODELS.build(ConfigDict(type='SelfTraining', segmentor=FCN | dict(init_cfg=dict(
        type='Constant', layer='Conv2d', val=0.25))))
    model.init_weights()
    model.teacher.arm()
    torch.testing.assert_close(model.teacher.segmentor.state_dict(), model.segmentor.state_dict())
