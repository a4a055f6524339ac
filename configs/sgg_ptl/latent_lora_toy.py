# The denoiser of the toy world's infrared in the latent space of the toy VAE, on two CPU cores.
#   python tools/train.py configs/sgg_ptl/latent_lora_toy.py    # writes work_dirs/latent_lora_toy/denoiser
# All of the shipped toy model's U-Net is trained: it is too small for adapters to be of use.

_base_ = ['../_base_/default_runtime.py']

train_dataloader = dict(
    batch_size=8, num_workers=1, persistent_workers=True,
    sampler=dict(type='KeyedSampler'),
    dataset=dict(
        type='KeyedDataset',
        dataset=dict(
            type='ToyStreetDataset', modality='infrared', num_images=2000, seed=1, with_label=False,
            pipeline=[
                dict(type='RenderToyScene'),  # 256 x 128
                dict(type='RandomFlip', prob=0.5),
                dict(type='PackSegInputs'),
            ])))

model = dict(
    type='LatentDenoiser',
    pretrained='toy',  # shipped: 2.8 M parameters, the layout of Stable Diffusion; see configs/prior
    lora=None,
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,
        size=(128, 256)))

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.0), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=50, end=1000, T_max=950, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1000)  # 0.8 s each on one idle core

default_hooks = dict(checkpoint=dict(interval=250))
custom_hooks = [
    dict(type='EMAHook', momentum=0.005),
    dict(type='ExportDenoiserHook'),  # WORK_DIR/denoiser, for `LatentDenoiser(pretrained=...)`
]
