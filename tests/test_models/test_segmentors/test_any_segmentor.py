"""MMSeg's own models, as its configs have them but narrow, in one training step of SelfTraining each."""

import pytest
import torch
from mmengine.config import ConfigDict
from tiny_madm import build_armed, make_batch, tiny_backbone, total_loss

from mmdass.models.segmentors.self_training import label_samples
from mmdass.models.utils.class_logits import MASK_CLASSIFIERS, class_logits
from mmdass.models.utils.decode_features import decode_features
from mmdass.models.utils.pixel_weights import heads_without_weights, segmentor_heads

NORM = dict(type='BN', requires_grad=True)
CROSS_ENTROPY = dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)
RESNET = dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, norm_cfg=NORM)
OHEM = dict(type='OhemCrossEntropy', thres=0.9, min_kept=100)


def head(kind: str = 'FCNHead', **options) -> dict:
    return dict(type=kind, num_classes=9, channels=8, norm_cfg=NORM, align_corners=False,
                loss_decode=CROSS_ENTROPY) | options


def fcn(channels: int, index: int, **options) -> dict:
    return head(in_channels=channels, in_index=index, num_convs=1, concat_input=False, **options)


def segmentor(backbone: dict, decode_head: dict | list, **options) -> dict:
    return dict(type='EncoderDecoder', backbone=backbone, decode_head=decode_head, train_cfg=dict(),
                test_cfg=dict(mode='whole')) | options


def uper(channels: list[int]) -> dict:
    return head('UPerHead', in_channels=channels, in_index=[0, 1, 2, 3], pool_scales=(1, 2))


BISENET_CHANNELS = dict(detail_channels=(4, 4, 8), semantic_channels=(4, 8, 8, 8), bga_channels=8)
WEIGHING = dict(
    segformer=segmentor(
        dict(type='MixVisionTransformer', embed_dims=8, num_heads=[1, 2, 5, 8], num_layers=[1] * 4),
        head('SegformerHead', in_channels=[8, 16, 40, 64], in_index=[0, 1, 2, 3])),
    deeplabv2=segmentor(
        RESNET | dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)),
        dict(type='DeepLabV2Head', in_channels=64, in_index=3, num_classes=9, loss_decode=CROSS_ENTROPY)),
    deeplabv3plus=segmentor(
        RESNET,
        head('DepthwiseSeparableASPPHead', in_channels=64, in_index=3, dilations=(1, 2), c1_in_channels=8,
             c1_channels=4),
        auxiliary_head=fcn(32, 2)),
    swin_upernet=segmentor(
        dict(type='SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 2), window_size=4),
        uper([8, 16, 32, 64])),
    vit_upernet=segmentor(
        dict(type='VisionTransformer', img_size=(64, 64), patch_size=16, embed_dims=8, num_layers=4, num_heads=2,
             out_indices=(0, 1, 2, 3)),
        uper([8] * 4),
        neck=dict(type='MultiLevelNeck', in_channels=[8] * 4, out_channels=8, scales=[4, 2, 1, 0.5])),
    bisenetv1=segmentor(
        dict(type='BiSeNetV1', backbone_cfg=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8,
                                                 norm_cfg=NORM),
             context_channels=(16, 32, 64), spatial_channels=(8, 8, 8, 16), out_channels=16, norm_cfg=NORM),
        fcn(16, 0), auxiliary_head=[fcn(16, 1), fcn(16, 2)]),
    bisenetv2=segmentor(
        dict(type='BiSeNetV2', norm_cfg=NORM, **BISENET_CHANNELS),
        fcn(8, 0), auxiliary_head=[fcn(4, 1), fcn(8, 4)]),
    stable_diffusion_upernet=segmentor(
        tiny_backbone(taps=('up_blocks.3.attentions.2', 'up_blocks.3.attentions.1', 'up_blocks.2.attentions.2',
                            'up_blocks.1.attentions.2'), decode_output=False),
        uper([8, 8, 16, 24])),
    convnext_upernet=segmentor(
        dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1] * 4, channels=[8, 16, 32, 64]),
             out_indices=[0, 1, 2, 3], gap_before_final_norm=False),
        uper([8, 16, 32, 64])),
)


def costs(scope: str) -> list[dict]:
    return [
        dict(type=f'{scope}ClassificationCost', weight=2.0),
        dict(type=f'{scope}CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
        dict(type=f'{scope}DiceCost', weight=5.0, pred_act=True, eps=1.0)]


MATCHING = dict(num_points=64, oversample_ratio=3.0, importance_sample_ratio=0.75)
ATTENTION = dict(embed_dims=8, num_heads=2, batch_first=True)
TRANSFORMER = dict(return_intermediate=True, num_layers=1, layer_cfg=dict(
    self_attn_cfg=ATTENTION, cross_attn_cfg=ATTENTION, ffn_cfg=dict(embed_dims=8, feedforward_channels=8)))
CLASS_LOSS = dict(
    type='mmdet.CrossEntropyLoss', use_sigmoid=False, reduction='mean', class_weight=[1.0] * 9 + [0.1])
MASK_DICE = dict(type='mmdet.DiceLoss', use_sigmoid=True, activate=True, reduction='mean', naive_dice=True, eps=1.0)
QUERIES = dict(
    in_channels=[8, 16, 32, 64], feat_channels=8, out_channels=8, num_classes=9, num_queries=12, align_corners=False,
    enforce_decoder_input_project=False, positional_encoding=dict(num_feats=4, normalize=True))
WITH_A_LOSS_OF_THEIR_OWN = dict(
    pidnet=segmentor(
        dict(type='PIDNet', channels=8, ppm_channels=8, norm_cfg=NORM),
        dict(type='PIDHead', in_channels=32, channels=8, num_classes=9, norm_cfg=NORM, align_corners=True,
             loss_decode=[CROSS_ENTROPY, OHEM, dict(type='BoundaryLoss', loss_weight=20.0), OHEM])),
    ddrnet=segmentor(
        dict(type='DDRNet', channels=8, ppm_channels=8, norm_cfg=NORM),
        dict(type='DDRHead', in_channels=32, channels=8, num_classes=9, norm_cfg=NORM, align_corners=False,
             dropout_ratio=0., loss_decode=[OHEM, OHEM])),
    pointrend=segmentor(
        RESNET,
        [head('FPNHead', in_channels=[8] * 4, in_index=[0, 1, 2, 3], feature_strides=[4, 8, 16, 32]),
         dict(type='PointHead', in_channels=[8], in_index=[0], channels=8, num_fcs=1, coarse_pred_each_layer=True,
              dropout_ratio=-1, num_classes=9, align_corners=False, loss_decode=CROSS_ENTROPY)],
        type='CascadeEncoderDecoder', num_stages=2,
        neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=8, num_outs=4),
        train_cfg=dict(num_points=64, oversample_ratio=3, importance_sample_ratio=0.75),
        test_cfg=dict(mode='whole', subdivision_steps=2, subdivision_num_points=64, scale_factor=2)),
    knet=segmentor(
        RESNET,
        dict(type='IterativeDecodeHead', num_stages=1, kernel_generate_head=fcn(64, 3), kernel_update_head=[dict(
            type='KernelUpdateHead', num_classes=9, num_ffn_fcs=2, num_heads=2, num_mask_fcs=1, feedforward_channels=8,
            in_channels=8, out_channels=8, conv_kernel_size=1, ffn_act_cfg=dict(type='ReLU'), with_ffn=True,
            feat_transform_cfg=dict(conv_cfg=dict(type='Conv2d'), act_cfg=None),
            kernel_updator_cfg=dict(type='KernelUpdator', in_channels=8, feat_channels=8, out_channels=8,
                                    act_cfg=dict(type='ReLU'), norm_cfg=dict(type='LN')))])),
    san=dict(
        type='MultimodalEncoderDecoder', encoder_resolution=0.5, train_cfg=dict(), test_cfg=dict(mode='whole'),
        decode_head=dict(
            type='SideAdapterCLIPHead', num_classes=9, deep_supervision_idxs=[1], align_corners=False,
            san_cfg=dict(
                in_channels=3, clip_channels=16, embed_dims=8, patch_size=16, patch_bias=True, num_queries=12,
                fusion_index=[0, 1, 2], norm_cfg=dict(type='LN'),
                cfg_encoder=dict(num_encode_layer=2, num_heads=2, mlp_ratio=2),
                cfg_decoder=dict(num_heads=2, num_layers=1, embed_channels=8, mlp_channels=8, num_mlp=2, rescale=True)),
            maskgen_cfg=dict(
                sos_token_format='cls_token', sos_token_num=12, cross_attn=False, num_layers=1, embed_dims=16,
                num_heads=2, mlp_ratio=2, qkv_bias=True, out_dims=8, final_norm=True),
            train_cfg=MATCHING | dict(assigner=dict(type='HungarianAssigner', match_costs=costs(''))),
            loss_decode=[
                dict(type='CrossEntropyLoss', loss_name='loss_cls_ce', loss_weight=2.0, class_weight=[1.0] * 9 + [0.1]),
                dict(type='CrossEntropyLoss', use_sigmoid=True, loss_name='loss_mask_ce', loss_weight=5.0),
                dict(type='DiceLoss', ignore_index=None, naive_dice=True, eps=1, loss_name='loss_mask_dice')]),
        image_encoder=dict(
            type='VisionTransformer', img_size=(32, 32), patch_size=16, patch_pad=0, embed_dims=16, num_layers=2,
            num_heads=2, out_origin=True, out_indices=(0, 1), output_cls_token=True, patch_bias=False, pre_norm=True),
        text_encoder=dict(
            type='CLIPTextEncoder', vocabulary=[f'class {index}' for index in range(9)], templates=['{}'],
            embed_dims=8, num_layers=1, num_heads=2, output_dims=8)),
    maskformer=segmentor(RESNET, dict(
        type='MaskFormerHead', pixel_decoder=dict(type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=2)),
        transformer_decoder=TRANSFORMER,
        loss_cls=CLASS_LOSS, loss_dice=MASK_DICE,
        loss_mask=dict(type='mmdet.FocalLoss', use_sigmoid=True, reduction='mean', loss_weight=20.0),
        train_cfg=dict(assigner=dict(type='mmdet.HungarianAssigner', match_costs=[
            dict(type='mmdet.ClassificationCost', weight=1.0),
            dict(type='mmdet.FocalLossCost', weight=20.0, binary_input=True),
            dict(type='mmdet.DiceCost', weight=1.0, pred_act=True)]), sampler=dict(type='mmdet.MaskPseudoSampler')),
        **QUERIES)),
    mask2former=segmentor(RESNET, dict(
        type='Mask2FormerHead', strides=[4, 8, 16, 32], num_transformer_feat_level=3, transformer_decoder=TRANSFORMER,
        pixel_decoder=dict(
            type='mmdet.MSDeformAttnPixelDecoder', num_outs=3, norm_cfg=dict(type='GN', num_groups=2),
            encoder=dict(num_layers=1, layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=8, num_heads=2, num_levels=3, num_points=2, batch_first=True),
                ffn_cfg=dict(embed_dims=8, feedforward_channels=8))),
            positional_encoding=dict(num_feats=4, normalize=True)),
        loss_cls=CLASS_LOSS, loss_dice=MASK_DICE,
        loss_mask=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True, reduction='mean', loss_weight=5.0),
        train_cfg=MATCHING | dict(
            assigner=dict(type='mmdet.HungarianAssigner', match_costs=costs('mmdet.')),
            sampler=dict(type='mmdet.MaskPseudoSampler')),
        **QUERIES)),
    encnet=segmentor(RESNET, head(
        'EncHead', in_channels=[16, 32, 64], in_index=[1, 2, 3], num_codes=4, use_se_loss=True, add_lateral=False,
        loss_se_decode=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.2))),
    dice=segmentor(RESNET, fcn(64, 3, loss_decode=[CROSS_ENTROPY, dict(type='DiceLoss', use_sigmoid=False)])),
)


def build(cfg: dict, **options):
    labeler = dict(type='ConfidencePseudoLabeler', threshold=0.15)
    model = build_armed(ConfigDict(type='SelfTraining', segmentor=cfg, pseudo_labeler=labeler, **options))
    model.panels_wanted = True
    return model


def train(model) -> dict[str, torch.Tensor]:
    """One iteration; returns its losses."""
    inputs, samples = make_batch()
    samples['source'] = label_samples(torch.cat([one.gt_sem_seg.data for one in samples['source']]), model.needs_edges)
    losses = model.loss(inputs, samples)
    total_loss(losses).backward()
    return losses


@pytest.mark.parametrize('name', WEIGHING)
def test_pixels_are_weighed(name):
    if name.startswith('convnext'):  # as `custom_imports` of MMSeg's configs does
        pytest.importorskip('mmpretrain.models', reason='MMSeg takes ConvNeXt from MMPretrain, which is not installed')
    model = build(WEIGHING[name])
    losses = train(model)
    assert model.weighs_pixels and heads_without_weights(model.segmentor) == []
    heads = len(segmentor_heads(model.segmentor))
    for branch in ('source', 'mix'):
        named = {key for key in losses if key.startswith(branch) and 'loss' in key}
        assert len(named) == heads and all(losses[key].isfinite() for key in named)
    assert sum(p.grad.abs().sum() for p in model.segmentor.decode_head.parameters() if p.grad is not None) > 0
    assert (model.panels['mix/label'][model.panels['mix/weight'] < 1] != 255).all()


@pytest.mark.parametrize('name', WITH_A_LOSS_OF_THEIR_OWN)
def test_pixels_are_ignored_where_the_head_cannot_weigh(name, monkeypatch):
    said = []
    monkeypatch.setattr('mmdass.models.segmentors.self_training.print_log', lambda text, **_: said.append(text))
    if name.startswith('mask'):  # as MMSeg's heads do
        pytest.importorskip('mmdet.models', reason='MMSeg takes it from MMDetection, which is not installed')
    model = build(WITH_A_LOSS_OF_THEIR_OWN[name])
    assert not model.weighs_pixels and len(said) == 1 and 'ignored (255) instead' in said[0]
    assert type(segmentor_heads(model.segmentor)[-1]).__name__ in said[0]
    assert (name == 'dice') == ('FCNHead (DiceLoss)' in said[0])
    if name == 'san':  # without CLIP's weights it begins from whatever the memory holds
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    train(model)
    model.pseudo_labeler.threshold = model.panels['target/confidence'].median().item()
    learned = []
    loss = model.segmentor.loss
    monkeypatch.setattr(model.segmentor, 'loss', lambda images, labels: learned.append(labels) or loss(images, labels))
    losses = train(model)
    assert all(value.isfinite().all() for key, value in losses.items() if 'loss' in key)
    weight, label = model.panels['mix/weight'], model.panels['mix/label']
    assert set(weight.unique().tolist()) == {0, 1}  # each pixel is judged alone
    seen = torch.cat([one.gt_sem_seg.data for one in learned[1]])
    assert torch.equal(seen, torch.where(weight == 1, label, 255))


def test_the_edges_that_pidnet_learns_are_those_of_the_mixed_label():
    label = torch.zeros(1, 16, 16, dtype=torch.long)
    label[:, :, 8:] = 3
    sample, = label_samples(label, with_edges=True)
    edges = sample.gt_edge_map.data
    assert edges.shape == (1, 16, 16) and edges[0, :, 7].all() and not edges[0, :, :4].any()


def test_a_head_with_one_output_is_refused():
    cfg = segmentor(RESNET, fcn(64, 3, num_classes=2, out_channels=1, threshold=0.3,
                                loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True)))
    with pytest.raises(ValueError, match='one output channel has no probability for each class: set out_channels=2'):
        build(cfg)


def test_a_misspelt_module_of_the_teacher_is_refused():
    with pytest.raises(ValueError, match="average 'decode_heads'.*did you mean 'decode_head'"):
        build(WEIGHING['deeplabv2'], teacher=dict(modules=['decode_heads']))


def test_scores_of_a_mask_classifier_are_made_logits():
    """A softmax of the scores themselves would never be sure: of these it would be 0.54 at most."""
    scores = torch.tensor([0.9, 0.06, 0.0]).view(1, 3, 1, 1)
    head = MASK_CLASSIFIERS[-1].__new__(MASK_CLASSIFIERS[-1])
    torch.testing.assert_close(class_logits(head, scores).softmax(1), scores / 0.96, rtol=1e-5, atol=1e-5)
    assert class_logits(torch.nn.Identity(), scores) is scores


@pytest.mark.parametrize('cfg', [WEIGHING['segformer'], WITH_A_LOSS_OF_THEIR_OWN['pointrend']])
def test_decoding_features_is_decoding_images(cfg):
    """One head, and a cascade with a neck; DPLG's teacher begins with features."""
    model, images = build(cfg).segmentor.eval(), torch.randn(2, 3, 64, 64)
    metas = [dict(img_shape=(64, 64), ori_shape=(64, 64))] * 2
    with torch.no_grad():
        expected = model.encode_decode(images, metas)
        torch.testing.assert_close(decode_features(model, model.backbone(images), metas), expected)
