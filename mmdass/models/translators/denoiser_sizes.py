"""Sizes of denoisers in pixel space: the arguments of diffusers' ``UNet2DModel`` that differ from its defaults."""


def _size(channels: tuple[int, ...], **kwargs) -> dict:
    """A U-Net with attention at its coarsest level alone."""
    levels = len(channels) - 1
    return dict(
        block_out_channels=channels, layers_per_block=1, norm_num_groups=8, attention_head_dim=32,
        down_block_types=('DownBlock2D',) * levels + ('AttnDownBlock2D',),
        up_block_types=('AttnUpBlock2D',) + ('UpBlock2D',) * levels, **kwargs)


DENOISER_SIZES: dict[str, dict] = {
    'tiny': _size((8, 16), sample_size=16),
    'toy': _size((16, 32, 64, 128), sample_size=(64, 128)),
}
