# MADM with the same parts at a size that trains on two CPU cores. For the toy world.
_base_ = './madm.py'

levels = [16, 64, 64, 64]  # of the projected pyramid

model = dict(
    data_preprocessor=dict(source=dict(size=(128, 128))),
    segmentor=dict(
        backbone=dict(
            pretrained='toy', revision=None,  # shipped: 2.8 M parameters, Stable Diffusion's layout; see configs/prior
            noise_size=(16, 16), noise_resize='draw',  # latents are 16 x 16 in training, 16 x 32 in testing
            freeze_tail=False),  # released: True. So short a training learns to paint by the last layer first
        neck=dict(in_channels=[3, 32, 48, 64], out_channels=levels, channels=16,
                  norm_cfg=dict(type='GN', num_groups=8, requires_grad=True)),
        decode_head=dict(
            in_channels=levels, channels=64, embed_dims=16, num_classes=11,
            dilations=(1, 6), final_fuse=True)),  # a quarter of the work; the taps are 16 x 16
    teacher=dict(alpha=0.967),  # an average over 30 of 300 iterations, as 0.999 is over 1000 of 10 000
    latent_palette_head=dict(label_space='madm11'))

custom_hooks = [
    dict(type='TeacherUpdateHook'),
    dict(type='DomainVisualizationHook', interval=100),
]
