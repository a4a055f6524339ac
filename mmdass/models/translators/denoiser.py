"""A diffusion model of one domain's images, in pixel space."""

from pathlib import Path

import torch
from diffusers import DDPMPipeline, DDPMScheduler, ModelMixin, UNet2DModel
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn import functional as F

from mmdass.registry import MODELS

from ..utils.padding import check_whole
from .denoiser_sizes import DENOISER_SIZES
from .variational_bound import variational_bound

_SHIPPED = Path(__file__).parents[1] / 'weights/toy_denoiser'


@MODELS.register_module()
class Denoiser(BaseModel):
    """Predicts the noise in an image; trained on unlabelled images alone.

    Source: "Denoising Diffusion Probabilistic Models", and guided-diffusion's learned-range variance where the U-Net
    has twice as many output as input channels. The state of the diffusion chain is the image, RGB in [-1, 1].

    Args:
        unet: A key of ``DENOISER_SIZES``, a dict with the arguments of diffusers' ``UNet2DModel``, the config, with
            ``type``, of another registered network, or a network.
        pretrained: Instead of ``unet``: folder in diffusers' layout (a ``DDPMPipeline`` or its U-Net alone), a hub id,
            or 'toy', the one shipped, which ``configs/sgg_ptl/denoiser_toy.py`` trained.
        scheduler: Arguments of diffusers' ``DDPMScheduler`` that differ from those in the folder of ``pretrained``, or
            from its defaults, which are guided-diffusion's 1000 linear steps. ``prediction_type`` says what the
            network predicts: 'epsilon', the noise, or 'v_prediction', Stable Diffusion 2's velocity.
        vlb_weight: Weight of the variational bound (bits per dimension), which trains a learned variance
            (guided-diffusion: 1 with 1000 steps).
        data_preprocessor: Config of one that gives RGB in [-1, 1].
        init_cfg: MMEngine's initialisation config; ``dict(type='Pretrained', checkpoint=FILE)`` reads a checkpoint of
            ``tools/train.py``.

    Raises:
        ValueError: Not exactly one of ``unet`` and ``pretrained``, an unknown size, or a network that predicts what it
            should not.
        FileNotFoundError: ``pretrained`` cannot be read.
    """

    def __init__(
        self,
        unet: str | dict | nn.Module | None = None,
        pretrained: str | None = None,
        scheduler: dict | None = None,
        vlb_weight: float = 1.0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if (unet is None) == (pretrained is None):
            raise ValueError(f'{type(self).__name__}: give one of `unet` (a size or a config) and `pretrained` '
                             '(weights to start from).')
        self.unet, schedule = _load(pretrained) if unet is None else (_build_unet(unet), {})
        schedule.setdefault('variance_type', 'learned_range' if self._learns_variance else 'fixed_small')
        self.scheduler = DDPMScheduler.from_config({**schedule, **(scheduler or {})})
        if self.scheduler.config.prediction_type not in ('epsilon', 'v_prediction'):
            raise ValueError(f"{type(self).__name__}: prediction_type must be 'epsilon' or 'v_prediction', not "
                             f'{self.scheduler.config.prediction_type!r}')
        self.vlb_weight = vlb_weight

    @property
    def stride(self) -> int:
        """The sides of an image must be multiples of it."""
        return 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def _learns_variance(self) -> bool:
        return self.unet.config.out_channels == 2 * self.unet.config.in_channels

    def encode(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W), RGB in [-1, 1], to states of the chain: the same."""
        return images

    def decode(self, x: Tensor) -> Tensor:
        """States to images (N, 3, H, W), RGB around [-1, 1], differentiable: the same."""
        return x

    def decode_for_guide(self, x: Tensor) -> Tensor:
        """States to images as a guide sees them, differentiable; as ``decode`` where that is cheap."""
        return self.decode(x)

    def run_unet(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The network's output for noisy states (N, C, H, W) at timesteps (N,)."""
        return self.unet(x, timesteps).sample

    def predict(self, x: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor | None]:
        """The noise in noisy states.

        Args:
            x: (N, C, H, W).
            timesteps: (N,) long, 0-based.

        Returns:
            The noise, and the logits of a learned variance (-1 the smallest, 1 the largest) or None; as ``x``.
        """
        output = self.run_unet(x, timesteps).to(x.dtype)
        output, variance_logits = output.chunk(2, dim=1) if self._learns_variance else (output, None)
        if self.scheduler.config.prediction_type == 'v_prediction':
            abar = self._signal(x, timesteps)
            output = abar.sqrt() * output + (1 - abar).sqrt() * x
        return output, variance_logits

    def _signal(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The share of the signal's variance (N, 1, 1, 1) in states (alpha-bar)."""
        return self.scheduler.alphas_cumprod.to(x)[timesteps].view(-1, 1, 1, 1)

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor') -> Tensor | dict:
        """Estimate images (N, 3, H, W) from their noisy states at random timesteps; with ``mode='loss'`` the losses.

        The draws are torch's, which ``KeyedRandomnessHook`` keys by the iteration.

        Raises:
            ValueError: An image to learn from is padded, and the margin would be learned too.
        """
        if mode == 'loss':
            check_whole(data_samples or [])
        x0 = self.encode(inputs)
        noise = torch.randn_like(x0)
        timesteps = torch.randint(self.scheduler.config.num_train_timesteps, x0.shape[:1], device=x0.device)
        x = self.scheduler.add_noise(x0, noise, timesteps)
        predicted, variance_logits = self.predict(x, timesteps)
        abar = self._signal(x, timesteps)
        if mode != 'loss':
            return self.decode((x - (1 - abar).sqrt() * predicted) / abar.sqrt())
        error = F.mse_loss(predicted, noise, reduction='none')
        if self.scheduler.config.prediction_type == 'v_prediction':
            error = error / abar  # the squared error of the velocity
        losses = dict(loss_noise=error.mean())
        if variance_logits is not None:
            bound = variational_bound(self.scheduler, x0, x, predicted.detach(), variance_logits, timesteps)
            losses['loss_vlb'] = self.vlb_weight * bound.mean()
        return losses

    def export(self, folder: str | Path) -> None:
        """Write a folder in half precision, which ``pretrained`` and diffusers' ``DDPMPipeline`` read.

        Raises:
            TypeError: The network is none of diffusers'.
        """
        unet = getattr(self.unet, 'model', self.unet)  # mmagic wraps diffusers' networks
        if not isinstance(unet, ModelMixin):
            raise TypeError(
                f"a {type(unet).__name__} cannot be written in diffusers' layout; remove ExportDenoiserHook, and read "
                "the training's checkpoint by the denoiser's `init_cfg`")
        DDPMPipeline(half_copy(unet), self.scheduler).save_pretrained(folder)


def half_copy(network: ModelMixin) -> ModelMixin:
    """A copy in half precision of one of diffusers' networks, which does not say where on this machine that was."""
    copy = type(network).from_config({key: value for key, value in network.config.items() if key != '_name_or_path'})
    copy.load_state_dict(network.state_dict())
    return copy.half()


def _build_unet(unet: str | dict | nn.Module) -> nn.Module:
    if isinstance(unet, nn.Module):
        return unet
    if isinstance(unet, str):
        if unet not in DENOISER_SIZES:
            raise ValueError(f'unknown denoiser size {unet!r}; choose one of {sorted(DENOISER_SIZES)}')
        return UNet2DModel(**DENOISER_SIZES[unet])
    return MODELS.build(unet) if 'type' in unet else UNet2DModel(**unet)


def _load(pretrained: str) -> tuple[UNet2DModel, dict]:
    """The U-Net, and the arguments of the scheduler if there is one beside it."""
    folder = _SHIPPED if pretrained == 'toy' else pretrained
    is_unet_alone = Path(folder).is_dir() and not Path(folder, 'unet').is_dir()
    try:
        if is_unet_alone:
            return UNet2DModel.from_pretrained(folder), {}
        unet = UNet2DModel.from_pretrained(folder, subfolder='unet')
        return unet, dict(DDPMScheduler.load_config(folder, subfolder='scheduler'))
    except OSError as error:
        raise FileNotFoundError(
            f"cannot read the denoiser {pretrained!r}: {error}\nSet `pretrained` to a folder in diffusers' layout, as "
            'the training of a denoiser writes (WORK_DIR/denoiser), or to a hub id that this machine can reach.'
        ) from error
