# An adapter (LoRA) of Stable Diffusion for the look of unlabelled images: infrared here; events or depth are a folder too.
#   python tools/train.py configs/sgg_ptl/latent_lora.py    # writes work_dirs/latent_lora/denoiser, a few MB
# Another folder: --cfg-options target_root=my_images/ train_dataloader.dataset.dataset.images='**/*.png'
# Not the paper's method: its prior has seen the target alone. All values are choices.

_base_ = ['../_base_/models/latent_denoiser.py', '../_base_/default_runtime.py']

target_root = '{{$TARGET_ROOT:data/FMB/}}'

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='KeyedSampler'),
    dataset=dict(
        type='KeyedDataset',
        dataset=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='train/Infrared/*.png',
            label_space='madm9',  # not used: there are no labels here
            modality='infrared',
            pipeline=[
                dict(type='LoadModalityImage'),  # grey images are repeated to 3 channels
                dict(type='Resize', scale=(683, 512), keep_ratio=True),
                dict(type='RandomCrop', crop_size=(512, 512)),  # sides must be multiples of 64
                dict(type='RandomFlip', prob=0.5),
                dict(type='PackSegInputs'),
            ])))

model = dict(
    _base_.latent_denoiser,
    lora=dict(rank=16, alpha=16),  # of the attention layers; None trains the whole U-Net
    with_cp=False,  # True: less memory, a third more time
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,
        size=(512, 512)))

optim_wrapper = dict(
    type='AutocastOptimWrapper',  # bf16
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-2),  # those of diffusers' own LoRA training
    clip_grad=dict(max_norm=1.0))
param_scheduler = [dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=5000)

default_hooks = dict(checkpoint=dict(interval=1000))
custom_hooks = [dict(type='ExportDenoiserHook')]  # WORK_DIR/denoiser, for `LatentDenoiser(lora=...)` and diffusers
