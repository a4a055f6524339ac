"""What a guide will meet: noisy images, and single regions on grey.

SGG hands its segmentor the noisy state of the diffusion, in LCG cut down to one class region. These transforms show it
both in training. They take packed samples ({'inputs': (3, H, W) in [0, 255], 'data_samples'}), since 'inputs' becomes
float32 and leaves [0, 255] by noise; ``SegDataPreProcessor`` takes that as it is. The paper trains on clean images.
"""

import numpy as np
import torch
from diffusers import DDPMScheduler
from mmcv.transforms import BaseTransform

from mmdass.registry import TRANSFORMS

GREY = 127.5  # 0 in [-1, 1], where the mask of LCG multiplies
IGNORED = 255


@TRANSFORMS.register_module()
class ForwardNoise(BaseTransform):
    """Add the noise of k forward diffusion steps, k uniform in 0 to ``max_steps``.

    Args:
        prob: Share of the samples that get any.
        max_steps: Largest k.
        scheduler: Config of the denoiser's diffusers ``DDPMScheduler``; its defaults where it says nothing.
    """

    def __init__(self, prob: float, max_steps: int, scheduler: dict | None = None) -> None:
        self.prob = prob
        self.max_steps = max_steps
        self.alphas_cumprod = DDPMScheduler.from_config(scheduler or {}).alphas_cumprod

    def transform(self, results: dict) -> dict:
        steps = np.random.randint(self.max_steps + 1)
        if np.random.rand() >= self.prob or steps == 0:
            return results
        kept = self.alphas_cumprod[steps - 1]
        image = results['inputs'] / GREY - 1
        noisy = kept.sqrt() * image + (1 - kept).sqrt() * torch.randn(image.shape)
        return {**results, 'inputs': (noisy + 1) * GREY}


@TRANSFORMS.register_module()
class KeepOneRegion(BaseTransform):
    """Keep the pixels of one random class of the label; make the others grey, and their label 255.

    Args:
        prob: Share of the samples that this happens to.
    """

    def __init__(self, prob: float) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        label = results['data_samples'].gt_sem_seg.data
        classes = label[label != IGNORED].unique()
        if np.random.rand() >= self.prob or not len(classes):
            return results
        region = label == classes[np.random.randint(len(classes))]
        sample = results['data_samples'].clone()
        sample.gt_sem_seg.data = torch.where(region, label, IGNORED)
        return {**results, 'inputs': torch.where(region, results['inputs'].float(), GREY), 'data_samples': sample}
