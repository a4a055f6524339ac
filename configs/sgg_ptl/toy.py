# SGG and PTL on the toy world, synthetic look to "real" look at 128 x 64: minutes on two CPU cores, ends in a table.
#   python tools/train.py configs/sgg_ptl/toy.py
# The denoiser is shipped; denoiser_toy.py trained it on other streets, without labels.

_base_ = ['../_base_/default_runtime.py']

label_space = 'madm11'
crop_size = (64, 128)  # height, width; whole images
resize = dict(type='Resize', scale=(128, 64))  # rendered at 256 x 128 first, so that thin things are antialiased

# 1. The source: what is translated, and what g_0 is trained on.
source_dataset = dict(
    type='ToyStreetDataset', look='synthetic', num_images=120, seed=0,
    pipeline=[dict(type='RenderToyScene'), resize, dict(type='PackSegInputs')])
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='KeyedSampler'),  # endless; the order comes from the runner's seed
    dataset=dict(
        type='KeyedDataset',
        dataset=dict(
            source_dataset,
            pipeline=[dict(type='RenderToyScene'), resize, dict(type='RandomFlip', prob=0.5),
                      dict(type='PackSegInputs')])))

# 2. The target's labelled images, for measuring alone.
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ToyStreetDataset', look='real', num_images=100, seed=1, split='val', test_mode=True,
        pipeline=[dict(type='RenderToyScene'), resize, dict(type='EvaluateAtCurrentSize'),
                  dict(type='PackSegInputs')]))
test_dataloader = val_dataloader
val_evaluator = dict(type='DomainIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

# 3. The translator.
translator = dict(
    type='DiffusionTranslator',
    start=100,  # the last of the stages below, for `mmdass translate`; they set their own
    profile='fast',  # 20 steps, guidance on the predicted clean image, within a trust region; ...
    dtype='float32',  # ... and CPUs without bf16 units are slower in bf16
    # Calibrated by benchmarks/toy_calibration.py: 120 to 480 do equally well.
    sgg_hooks=[dict(type='LocalClassGuidanceHook', scale=240), dict(type='GlobalSceneGuidanceHook', scale=240)],
    denoiser=dict(type='Denoiser', pretrained='toy'))

# 4. g: SegFormer at half the width of B0.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,
        size=crop_size, pad_val=0, seg_pad_val=255, test_cfg=dict(size_divisor=32)),
    backbone=dict(
        type='MixVisionTransformer', embed_dims=16, num_layers=[1, 1, 1, 1], num_heads=[1, 2, 4, 8],
        drop_path_rate=0.0),
    decode_head=dict(
        type='SegformerHead', in_channels=[16, 32, 64, 128], in_index=[0, 1, 2, 3], channels=64, num_classes=11,
        norm_cfg=dict(type='BN'), align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, avg_non_ignore=True)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))

# 5. The schedule.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05), clip_grad=dict(max_norm=1.0))
param_scheduler = [  # without `end`: for the length of a phase
    dict(type='LinearLR', start_factor=0.01, begin=0, end=30, by_epoch=False),
    dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=30, by_epoch=False),
]
train_cfg = dict(
    type='ProgressiveTranslationLoop',
    source_iters=300,  # g_0
    stages=[30, 60, 100],  # steps of noise; at 100 most of the distance to the target is gone
    images_per_stage=48,  # the last stage has all
    stage_iters=60,
    stage_lr_factor=0.25,
    replay=(0.7, 0.2, 0.1),  # this stage's images, the stage before's, the source
    robustness=dict(noise=0.5, region=0.25),  # what g will see when it guides
    guard=dict(num_images=16, tolerance=0.5),  # of mIoU on held-out translated images
    final_iters=300,  # a fresh network on the last stage's images
    translate_batch_size=8,
    translated_pipeline=[
        dict(type='LoadModalityImage'),
        dict(type='LoadMappedLabel'),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackSegInputs'),
    ])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

default_hooks = dict(checkpoint=dict(interval=200))
