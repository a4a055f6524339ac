# The U-Net for custom_vae.py, of the same images: an ordinary latent diffusion model, not conditioned on anything.
# What it writes is what `pretrained` of a StableDiffusionBackbone reads: backbone=dict(pretrained='.../denoiser').

_base_ = './custom_vae.py'

model = dict(
    _delete_=True,
    type='LatentDenoiser',
    vae='work_dirs/custom_vae/vae',
    random_init='tiny',  # 2.8 M parameters; 'sd1' has 860 M
    lora=None,  # all of it is trained
    data_preprocessor=_base_.model.data_preprocessor)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1000, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1000, end=100000, T_max=99000, by_epoch=False),
]
train_cfg = dict(max_iters=100000)
custom_hooks = [
    dict(type='EMAHook', momentum=0.001),
    dict(type='ExportDenoiserHook'),  # WORK_DIR/denoiser
]
