"""Sizes of Stable Diffusion models, for building them with random weights (benchmarks, tests, training from nothing).

Each entry holds the arguments of diffusers' ``UNet2DConditionModel`` and ``AutoencoderKL`` that differ from their
defaults. ``sd1`` is CompVis/stable-diffusion-v1-4 (859 520 964 + 83 653 863 parameters), ``sd2`` is
stabilityai/stable-diffusion-2-1-base, ``tiny`` has the same layout at a size that trains on a CPU.
"""

_VAE_BLOCKS = dict(down_block_types=('DownEncoderBlock2D',) * 4, up_block_types=('UpDecoderBlock2D',) * 4)

STABLE_DIFFUSION_SIZES: dict[str, dict] = {
    'sd1': dict(
        unet=dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8),
        vae=dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512, **_VAE_BLOCKS),
    ),
    'sd2': dict(
        unet=dict(
            sample_size=64, cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True
        ),
        vae=dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512, **_VAE_BLOCKS),
    ),
    'tiny': dict(
        unet=dict(
            sample_size=16,
            cross_attention_dim=32,
            attention_head_dim=4,
            block_out_channels=(32, 48, 64, 64),
            norm_num_groups=8,
        ),
        vae=dict(
            block_out_channels=(8, 8, 16, 16),
            layers_per_block=1,
            norm_num_groups=4,
            sample_size=128,
            scaling_factor=5.5,  # gives the random encoder's latents unit variance, as 0.18215 does the trained one's
            **_VAE_BLOCKS,
        ),
    ),
}
