"""Trains the VAE of a Stable Diffusion model."""

import copy
from collections.abc import Iterable

import torch
from diffusers import AutoencoderKL
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn import functional as F

from mmdass.registry import MODELS

from ..backbones.stable_diffusion_parts import load_vae
from ..utils.padding import check_whole


@MODELS.register_module()
class AutoencoderTrainer(BaseModel):
    """Reconstruction and a little KL divergence on unlabelled images.

    Source: "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022), section 3.1, without the
    perceptual and adversarial terms.

    Args:
        vae: Arguments of diffusers' ``AutoencoderKL`` for a new one; or the one to train further: a folder or hub id in
            diffusers' layout, or 'toy', that of the shipped model.
        kl_weight: Weight of the KL divergence per latent element.
        data_preprocessor: Config of one that gives RGB in [-1, 1].

    Raises:
        FileNotFoundError: The VAE to train further is not there.
    """

    def __init__(self, vae: dict | str, kl_weight: float = 1e-4, data_preprocessor: dict | None = None) -> None:
        super().__init__(data_preprocessor)
        self.vae = load_vae(vae) if isinstance(vae, str) else AutoencoderKL(**vae)
        self.kl_weight = kl_weight

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor') -> Tensor | dict:
        """Reconstruct images (N, 3, H, W), RGB in [-1, 1]; with ``mode='loss'`` the losses.

        Raises:
            ValueError: An image to learn from is padded, and the margin would be learned too.
        """
        if mode == 'loss':
            check_whole(data_samples or [])
        posterior = self.vae.encode(inputs).latent_dist
        if mode != 'loss':
            return self.vae.decode(posterior.mean).sample
        reconstruction = self.vae.decode(posterior.sample()).sample
        kl = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
        return dict(loss_reconstruction=F.l1_loss(reconstruction, inputs), loss_kl=self.kl_weight * kl)

    @torch.no_grad()
    def export(self, batches: Iterable[Tensor], folder: str) -> None:
        """Write the VAE in half precision, scaled so that the latents of the images in batches have unit variance."""
        latents = torch.cat([self.vae.encode(images).latent_dist.mean for images in batches])
        vae = copy.deepcopy(self.vae).half()
        vae.register_to_config(scaling_factor=round(1 / latents.std().item(), 5))
        vae.save_pretrained(folder)
