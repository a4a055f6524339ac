# The U-Net of the toy models: an ordinary latent diffusion model of what toy_vae.py saw, in the latents of that VAE.
# Never trained on another modality either.
#   python tools/train.py configs/prior/toy_unet.py --cfg-options model.vae=work_dirs/toy_vae/vae
# It writes work_dirs/toy_unet/denoiser, a Stable Diffusion model.
# README.md says how the shipped weights came from it.

_base_ = './toy_vae.py'

train_dataloader = dict(batch_size=8)

model = dict(
    _delete_=True,
    type='LatentDenoiser',
    random_init='tiny',  # 2.8 M parameters, the layout of Stable Diffusion
    vae='toy',  # shipped; another must be named, for the U-Net learns its latents
    lora=None,  # all of it is trained
    data_preprocessor=_base_.model.data_preprocessor)

optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=100, end=5000, T_max=4900, by_epoch=False),
]
train_cfg = dict(max_iters=5000)
custom_hooks = [
    dict(type='EMAHook', momentum=0.002),
    dict(type='ExportDenoiserHook'),  # WORK_DIR/denoiser, for the backbone's `pretrained` option
]
