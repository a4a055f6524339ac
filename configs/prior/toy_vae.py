# The VAE of the toy models: reconstructs toy RGB in two looks and many colours, and painted labels.
# Never trained on another modality; no random look imitates one (none is grey, inverted or made of edges).
#   python tools/train.py configs/prior/toy_vae.py
# README.md says how the shipped weights came from it.

_base_ = ['../_base_/default_runtime.py']

pipeline = [
    dict(type='RenderToyScene'),
    dict(type='PhotoMetricDistortion'),  # brightness, contrast, saturation, hue
    dict(type='PaintLabel', label_space='madm11', prob=0.3),
    dict(type='RandomCrop', crop_size=(128, 128)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
looks = [
    dict(type='ToyStreetDataset', look=look, num_images=2000, seed=7, pipeline=pipeline)
    for look in ('synthetic', 'real')
]
train_dataloader = dict(
    batch_size=4, num_workers=1, persistent_workers=True,
    sampler=dict(type='KeyedSampler'),
    dataset=dict(type='KeyedDataset', dataset=dict(type='ConcatDataset', datasets=looks)))

model = dict(
    type='AutoencoderTrainer',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,
        size=(128, 128)),
    vae=dict(
        block_out_channels=(8, 16, 32, 32), layers_per_block=1, norm_num_groups=4, sample_size=128,
        mid_block_add_attention=False,
        down_block_types=('DownEncoderBlock2D',) * 4, up_block_types=('UpDecoderBlock2D',) * 4),
    kl_weight=1e-4)

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.0, fused=True),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=2e-5, begin=50, end=4000, T_max=3950, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4000)
default_hooks = dict(checkpoint=dict(interval=500))
custom_hooks = [dict(type='ExportVAEHook')]  # WORK_DIR/vae, for the backbone's `vae` option
