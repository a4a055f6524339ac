"""Training of the parts that a Stable Diffusion backbone is made of."""

from .autoencoder_trainer import AutoencoderTrainer

__all__ = ['AutoencoderTrainer']
