"""What the UNet is told besides the image: MADM's learnable prompt and time residual."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdass.registry import MODELS


@MODELS.register_module()
class LearnableConditioning(BaseModule):
    """A learnable prompt mixed with the empty prompt, and a learnable residual of the time embedding.

    ``prompt = tanh(alpha_uncond_prompt) * empty_prompt + tanh(alpha_cond_prompt) * prompt_embed`` and
    ``time_residual = tanh(alpha_cond_time) * time_embed``, which starts at zero.

    Source: MADM's code, ``BasePromptTimeGenerator`` with ``same_cond_params`` (one set for both domains).

    Args:
        prompt_shape: (tokens, channels) of the text encoder's output, (77, 768) for Stable Diffusion 1.x.
        time_channels: Channels of the UNet's time embedding, 1280 for Stable Diffusion 1.x.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(self, prompt_shape: tuple[int, int], time_channels: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.prompt_embed = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, *prompt_shape), std=0.02))
        self.alpha_cond_prompt = nn.Parameter(torch.rand(1, *prompt_shape))
        self.alpha_uncond_prompt = nn.Parameter(torch.rand(1, *prompt_shape))
        self.time_embed = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, time_channels), std=0.02))
        self.alpha_cond_time = nn.Parameter(torch.zeros(time_channels))

    def forward(self, empty_prompt: Tensor) -> tuple[Tensor, Tensor]:
        """Condition on nothing but what was learnt.

        Args:
            empty_prompt: (1, tokens, channels), the text encoder's output for the empty string.

        Returns:
            The prompt (1, tokens, channels) and the time residual (1, time_channels).
        """
        prompt = self.alpha_uncond_prompt.tanh() * empty_prompt + self.alpha_cond_prompt.tanh() * self.prompt_embed
        return prompt, (self.alpha_cond_time.tanh() * self.time_embed).squeeze(1)
