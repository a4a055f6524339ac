# The diffusion model of the toy world's "real" look, at 128 x 64, for configs/sgg_ptl/toy.py. Shipped in the package.
#   python tools/train.py configs/sgg_ptl/denoiser_toy.py    # writes work_dirs/denoiser_toy/denoiser

_base_ = ['../_base_/default_runtime.py']

train_dataloader = dict(
    batch_size=8, num_workers=1, persistent_workers=True,
    sampler=dict(type='KeyedSampler'),
    dataset=dict(
        type='KeyedDataset',
        dataset=dict(
            # Streets that neither toy.py translates (seed 0) nor its segmentor is tested on (split 'val').
            type='ToyStreetDataset', look='real', num_images=20000, seed=11, with_label=False,
            pipeline=[
                dict(type='RenderToyScene'),
                dict(type='Resize', scale=(128, 64), keep_ratio=True),
                dict(type='RandomFlip', prob=0.5),
                dict(type='PackSegInputs'),
            ])))

model = dict(
    type='Denoiser',
    unet='toy',  # 2.7 M parameters, attention at 16 x 8
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,
        size=(64, 128)))

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=6e-4, weight_decay=0.0), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=100, end=3000, T_max=2900, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3000)

default_hooks = dict(checkpoint=dict(interval=500))
custom_hooks = [
    dict(type='EMAHook', momentum=0.005),  # guided-diffusion's 1e-4 averages over more steps than there are here
    dict(type='ExportDenoiserHook'),  # WORK_DIR/denoiser, for `Denoiser(pretrained=...)`
]
