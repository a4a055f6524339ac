"""Guidance by a segmentor: the hooks that a translator calls at each reverse step.

Source: "Diffusion-based Image Translation with Label Guidance for Domain Adaptive Semantic Segmentation" (ICCV 2023),
section on Semantic Gradient Guidance. How the points that its text leaves open are settled is in
``configs/sgg_ptl/README.md``.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F

from mmdass.registry import HOOKS
from mmdass.structures import VOID, LabelRegions, ReverseStep


class SGGHook(Hook):
    """Moves the mean of a reverse step so that a segmentor agrees better with the label.

    ``mean - scale * variance * gradient``, the gradient being that of the cross-entropy summed over the regions of an
    image and averaged over the pixels of a region. It belongs into a translator's ``sgg_hooks``.

    Args:
        scale: Weight of the gradient (lambda); what it means depends on the size of image and regions.
        trust_region: Largest root mean square of the mean's move within a region, in standard deviations of the step;
            ``scale`` then is an upper bound. None, the paper's, for no limit.
        guide_on: What the segmentor sees: 'xk', the noisy state (the paper's formula), or 'x0_detached', the clean
            image predicted from it, not clipped, which would stop gradients. The predicted noise has none, so that the
            state's gradient is 1/sqrt(alpha-bar) times the image's.
        every: The hook acts at one step of so many, counted from the end of the chain,
        phase: at those where the number of steps that follow has this remainder.
        chunk: Regions that pass through the segmentor at a time; memory, not results, depends on it.

    Raises:
        ValueError: Unknown ``guide_on``, or a ``phase`` at which the hook would never act.
    """

    name: str  # in the losses that are reported

    def __init__(
        self,
        scale: float = 60.0,
        trust_region: float | None = None,
        guide_on: str = 'xk',
        every: int = 2,
        phase: int = 0,
        chunk: int = 16,
    ) -> None:
        if guide_on not in ('xk', 'x0_detached'):
            raise ValueError(f"{type(self).__name__}: guide_on={guide_on!r}; choose 'xk' or 'x0_detached'")
        if not 0 <= phase < every:
            raise ValueError(f'{type(self).__name__}: phase={phase} must be at least 0 and less than every={every}')
        self.scale = scale
        self.trust_region = trust_region
        self.guide_on = guide_on
        self.every = every
        self.phase = phase
        self.chunk = chunk

    def before_run(self, runner: Runner) -> None:
        """Refuse: a runner would never call ``adjust_mean``.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"{type(self).__name__} guides a translator and does nothing in a runner's `custom_hooks`; move it to "
            '`translator.sgg_hooks` of the config')

    def adjust_mean(self, mean: Tensor, variance: Tensor, x: Tensor, step: ReverseStep, label: Tensor) -> Tensor:
        """Guide one reverse step.

        Args:
            mean: (N, C, h, w), of the next state.
            variance: Broadcastable to it.
            x: (N, C, h, w), the state.
            step: What else is known.
            label: (N, H, W) int64, 255 is void.

        Returns:
            The mean, moved.
        """
        if step.remaining % self.every != self.phase:
            return mean
        rows, weights = self.choose(step)
        if not len(rows):
            return mean
        with torch.enable_grad():
            state = x.detach().requires_grad_()
            image = step.to_image(self.seen(state, step)).to(x.dtype)  # a decoder may run in bfloat16
        image_gradient = self._image_gradient(image.detach(), step, label, rows, weights)
        (gradient,) = torch.autograd.grad(image, state, image_gradient)
        delta = -self.scale * variance * gradient
        return mean + (delta if self.trust_region is None else self._limited(delta, variance, step))

    @abstractmethod
    def regions(self, step: ReverseStep) -> LabelRegions:
        """The regions whose losses are summed."""

    @abstractmethod
    def cut_out(self, images: Tensor, masks: Tensor) -> Tensor:
        """What of images (R, 3, H, W) the regions with masks (R, H, W) see; linear and its own adjoint."""

    def choose(self, step: ReverseStep) -> tuple[Tensor, Tensor]:
        """Which regions count at this step (P,), and the weights (P,) of their losses: all, 1."""
        images = self.regions(step).images
        return torch.arange(len(images), device=images.device), step.noise.new_ones(len(images))

    def seen(self, x: Tensor, step: ReverseStep) -> Tensor:
        """The states that the segmentor is shown for states (N, C, h, w)."""
        return x if self.guide_on == 'xk' else step.clean(x)

    def _image_gradient(self, image: Tensor, step: ReverseStep, label: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        """Gradient (N, 3, H, W) of the losses of the chosen regions; each has one owner, so chunks add up exactly."""
        regions = self.regions(step)
        gradient, losses = torch.zeros_like(image), image.new_zeros(len(image))
        for part, weight in zip(rows.split(self.chunk), weights.split(self.chunk), strict=True):
            owners, masks = regions.images[part], regions.masks[part]
            copies = self.cut_out(image[owners], masks)
            loss, copies_gradient = _loss_gradient(step.guide, copies, label[owners], masks)
            losses.index_add_(0, owners, weight * loss)
            gradient.index_add_(0, owners, weight[:, None, None, None] * self.cut_out(copies_gradient, masks))
        step.losses[self.name] = losses
        return gradient

    def _limited(self, delta: Tensor, variance: Tensor, step: ReverseStep) -> Tensor:
        """The move of each region, no longer than the trust region; latents have no class regions, only scenes."""
        regions = self.regions(step)
        index = regions.index
        if index.shape[1:] != delta.shape[2:]:
            regions = step.scenes
            index = regions.index[:, :1, :1].expand(-1, *delta.shape[2:])
        numbers = torch.arange(len(regions.images), device=delta.device)
        areas = index[regions.images] == numbers[:, None, None]
        squares = (delta / variance.sqrt()).square().mean(1)
        length = ((squares[regions.images] * areas).sum((1, 2)) / areas.sum((1, 2))).sqrt()
        factor = (self.trust_region / length).clamp(max=1)
        return delta * F.pad(factor, (0, 1), value=1)[index][:, None]


@HOOKS.register_module()
class GlobalSceneGuidanceHook(SGGHook):
    """GSG: the gradient of the whole image's loss, averaged over its labelled pixels.

    Args:
        phase: See ``SGGHook``; 0 is the last step of the chain and each second one before it.
        **kwargs: Arguments of ``SGGHook``.
    """

    name = 'gsg'

    def __init__(self, phase: int = 0, **kwargs) -> None:
        super().__init__(phase=phase, **kwargs)

    def regions(self, step: ReverseStep) -> LabelRegions:
        """The images that have a label."""
        return step.scenes

    def cut_out(self, images: Tensor, masks: Tensor) -> Tensor:
        """All of it, also where the label is void."""
        return images


@HOOKS.register_module()
class LocalClassGuidanceHook(SGGHook):
    """LCG: the gradients of the classes' regions, each seen alone, the rest of the image being mid-grey.

    The paper guides a mean for each class and merges the samples by the regions. As the regions are disjoint and a
    class's gradient is zero outside its own, that is one mean, moved by the gradient of the summed losses.

    Args:
        phase: See ``SGGHook``; 1 is the last step but one and each second one before it.
        num_classes: Guide by so many classes, drawn at each step from those that an image shows, their losses weighted
            so that the gradient is right on average; None, the paper's, for all.
        **kwargs: Arguments of ``SGGHook``.

    Raises:
        ValueError: ``num_classes`` less than 1.
    """

    name = 'lcg'

    def __init__(self, phase: int = 1, num_classes: int | None = None, **kwargs) -> None:
        super().__init__(phase=phase, **kwargs)
        if num_classes is not None and num_classes < 1:
            raise ValueError(f'LocalClassGuidanceHook: num_classes={num_classes}; choose at least 1, or None for all')
        self.num_classes = num_classes

    def regions(self, step: ReverseStep) -> LabelRegions:
        """The regions of the classes that an image shows."""
        return step.classes

    def cut_out(self, images: Tensor, masks: Tensor) -> Tensor:
        """The region; 0 elsewhere."""
        return images * masks[:, None]

    def choose(self, step: ReverseStep) -> tuple[Tensor, Tensor]:
        """All classes, or ``num_classes`` random ones of each image."""
        if self.num_classes is None:
            return super().choose(step)
        chosen, weights = [], []
        for rows, generator in zip(step.classes.rows, step.generators, strict=True):
            order = torch.randperm(len(rows), generator=generator)[:self.num_classes].tolist()
            chosen += [rows[place] for place in sorted(order)]
            weights += [max(len(rows) / self.num_classes, 1.0)] * len(order)
        return torch.tensor(chosen, dtype=torch.long, device=step.noise.device), step.noise.new_tensor(weights)


def _loss_gradient(
    guide: Callable[[Tensor], Tensor], images: Tensor, label: Tensor, masks: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy (R,) averaged over the masks (R, H, W), and its sum's gradient with respect to the images."""
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        pixels = F.cross_entropy(guide(images), label, ignore_index=VOID, reduction='none')
        losses = (pixels * masks).sum((1, 2)) / masks.sum((1, 2))
        (gradient,) = torch.autograd.grad(losses.sum(), images)
    return losses.detach(), gradient
