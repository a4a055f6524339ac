# The diffusion model of the target that SGG translates with: full Cityscapes frames at 512 x 256, no labels.
#   python tools/train.py configs/sgg_ptl/denoiser_cityscapes.py    # writes work_dirs/denoiser_cityscapes/denoiser
# Another unlabelled folder: --cfg-options target_root=my_images/ train_dataloader.dataset.dataset.images='**/*.jpg'
# All values are choices: the paper's training details could not be read (README.md lists what is known).

_base_ = ['../_base_/default_runtime.py']

target_root = '{{$TARGET_ROOT:data/cityscapes/}}'

train_dataloader = dict(
    batch_size=4,  # per GPU; 32 in total on 8
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='KeyedSampler'),
    dataset=dict(
        type='KeyedDataset',
        dataset=dict(
            type='ModalityDataset',
            data_root=target_root,
            images='leftImg8bit/train/*/*_leftImg8bit.png',  # 2975 images
            label_space='cityscapes19',  # not used: there are no labels here
            pipeline=[
                dict(type='LoadModalityImage'),
                # Whole frames, not squares: labels are of whole frames. Sides must be multiples of 32.
                dict(type='RandomResize', scale=(512, 256), ratio_range=(1.0, 1.1), keep_ratio=True),
                dict(type='RandomCrop', crop_size=(256, 512)),
                dict(type='RandomFlip', prob=0.5),
                dict(type='PackSegInputs'),
            ])))

model = dict(
    type='Denoiser',
    # 552.8 M parameters, six output channels: noise and a learned variance. From OpenAI's ImageNet weights instead:
    # `mmdass convert --from adm 256x256_diffusion_uncond.pt FOLDER`, then --cfg-options model.unet=None
    # model.pretrained=FOLDER. 'adm_lite' has 93.6 M and is six times cheaper.
    unet='adm256',
    vlb_weight=1.0,  # guided-diffusion's
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True,
        size=(256, 512)))

optim_wrapper = dict(
    type='AutocastOptimWrapper',  # bf16
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.0),  # guided-diffusion's; 2e-5 when starting from weights
    clip_grad=dict(max_norm=1.0))
param_scheduler = [dict(type='LinearLR', start_factor=0.01, begin=0, end=1000, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100000)

default_hooks = dict(checkpoint=dict(interval=5000))
custom_hooks = [
    dict(type='EMAHook', momentum=1e-4),  # guided-diffusion's rate 0.9999
    dict(type='ExportDenoiserHook'),  # WORK_DIR/denoiser, for `Denoiser(pretrained=...)`
]
