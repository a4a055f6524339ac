"""Work and memory of DAFormer's decoder in MADM, for one crop of 512 x 512, with and without `final_fuse`.

    python benchmarks/decoder_memory.py   # nothing is computed: shapes on the meta device
"""

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

import mmdass  # noqa: F401, first: its shims must run before mmseg is imported
from mmdass.models import DAFormerHead

CHANNELS = (128, 512, 512, 512)  # of s0 and the taps, projected
SIZES = (512, 64, 32, 16)


def main() -> None:
    for final_fuse in (False, True):
        work, memory = measure(final_fuse)
        print(f'final_fuse={final_fuse}: {work / 1e12:.2f} TFLOP forward, {memory / 2**30:.1f} GiB kept in float32')


def measure(final_fuse: bool) -> tuple[int, int]:
    """FLOP of a forward pass, and bytes of what it keeps for the backward pass, without parameters."""
    kept: dict[int, torch.Tensor] = {}  # with the tensors themselves, so that no id is given again

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[id(tensor)] = tensor
        return tensor

    with torch.device('meta'):
        head = DAFormerHead(
            in_channels=list(CHANNELS), in_index=[0, 1, 2, 3], channels=256, num_classes=11, norm_cfg=dict(type='BN'),
            align_corners=False, final_fuse=final_fuse)
        levels = [torch.empty(1, channels, size, size, requires_grad=True)
                  for channels, size in zip(CHANNELS, SIZES, strict=True)]
    with saved_tensors_hooks(keep, lambda tensor: tensor), FlopCounterMode(display=False) as counter:
        head(levels)
    return counter.get_total_flops(), sum(tensor.nbytes for tensor in kept.values())


if __name__ == '__main__':
    main()
