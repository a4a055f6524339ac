"""Sizes of denoisers in pixel space: the arguments of diffusers' ``UNet2DModel`` that differ from its defaults."""


def _size(channels: tuple[int, ...], **kwargs) -> dict:
    """A U-Net with attention at its coarsest level alone."""
    levels = len(channels) - 1
    return dict(
        block_out_channels=channels, layers_per_block=1, norm_num_groups=8, attention_head_dim=channels[-1] // 4,
        down_block_types=('DownBlock2D',) * levels + ('AttnDownBlock2D',),
        up_block_types=('AttnUpBlock2D',) + ('UpBlock2D',) * levels, **kwargs)


def _adm(channels: tuple[int, ...], attention: set[int], layers: int = 2, **kwargs) -> dict:
    """OpenAI's guided-diffusion U-Net, with attention at the levels ``attention`` and a learned-range variance."""
    levels = range(len(channels))
    return dict(
        block_out_channels=channels, layers_per_block=layers, out_channels=6, attention_head_dim=64,
        norm_num_groups=32, attn_norm_num_groups=32, resnet_time_scale_shift='scale_shift',
        downsample_type='resnet', upsample_type='resnet',
        down_block_types=tuple('AttnDownBlock2D' if i in attention else 'ResnetDownsampleBlock2D' for i in levels),
        up_block_types=tuple('AttnUpBlock2D' if i in attention else 'ResnetUpsampleBlock2D' for i in levels[::-1]),
        **kwargs)


DENOISER_SIZES: dict[str, dict] = {
    'tiny': _size((8, 16), sample_size=16),
    'toy': _size((16, 32, 64, 128), sample_size=(64, 128)),
    # 93.6 M parameters; guided-diffusion's 256 model with half the channels, one layer and one level of attention.
    'adm_lite': _adm((128, 128, 256, 256, 512, 512), {4}, layers=1, sample_size=256),
    # 552.8 M; `mmdass convert --from adm` reads OpenAI's weights, see mmdass/checkpoints/adm.py.
    'adm256': _adm((256, 256, 512, 512, 1024, 1024), {3, 4, 5}, sample_size=256),
    # 558.0 M. OpenAI embeds timesteps in 256 channels, diffusers in as many as the first block has, 128; they span
    # fewer, so that a table of them holds OpenAI's weights without loss.
    'adm512': _adm(
        (128, 256, 256, 512, 512, 1024, 1024), {4, 5, 6}, time_embedding_dim=1024, time_embedding_type='learned',
        num_train_timesteps=1000, sample_size=512),
}
