# The independent segmentor that measures label consistency in the toy world: trained with labels on both looks, of
# another architecture than toy.py's segmentor, and never used for guidance. It sees streets that nothing else does.
#   python tools/train.py configs/sgg_ptl/toy_judge.py

_base_ = ['../_base_/default_runtime.py']

pipeline = [
    dict(type='RenderToyScene'),
    dict(type='Resize', scale=(128, 64), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='RenderToyScene'),
    dict(type='Resize', scale=(128, 64), keep_ratio=True),
    dict(type='EvaluateAtCurrentSize'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8, num_workers=1, persistent_workers=True,
    sampler=dict(type='KeyedSampler'),
    dataset=dict(
        type='KeyedDataset',
        dataset=dict(type='ConcatDataset', datasets=[
            dict(type='ToyStreetDataset', look=look, num_images=5000, seed=23, pipeline=pipeline)
            for look in ('synthetic', 'real')])))
val_dataloader = dict(
    batch_size=8, num_workers=1, persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ToyStreetDataset', look='real', num_images=100, seed=23, split='val', test_mode=True,
                 pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='DomainIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

norm_cfg = dict(type='BN')
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True,
        size=(64, 128), pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='UNet', base_channels=12, num_stages=4, strides=(1, 1, 1, 1), enc_num_convs=(1, 2, 2, 2),
        dec_num_convs=(1, 1, 1), downsamples=(True, True, True), enc_dilations=(1, 1, 1, 1), dec_dilations=(1, 1, 1),
        norm_cfg=norm_cfg),
    decode_head=dict(
        type='FCNHead', in_channels=12, in_index=-1, channels=24, num_convs=1, concat_input=False, dropout_ratio=0.0,
        num_classes=11, norm_cfg=norm_cfg, align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=50, end=1200, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1200, val_interval=600)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=600))
