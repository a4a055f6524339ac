"""Checkpoints without the frozen parts of a Stable Diffusion model: they name it instead."""

import json
import os
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .stable_diffusion_parts import weights_hash


class StableDiffusionRecipe:
    """Mixin of modules that leave frozen parts out of their checkpoints.

    Attributes:
        recipe: The model that has them: folder or hub id, revision, and a hash of each part; with adapters, also
            'lora_scales', their names to scales.
    """

    recipe: dict[str, Any]

    def record_recipe(
        self, pretrained: str | None, revision: str | None, vae: str | None, frozen: dict[str, nn.Module]
    ) -> None:
        """Set ``recipe``, before the parts are cast or changed: it does not depend on precision."""
        if pretrained and os.path.isdir(pretrained):  # the folder's name, not where it is on this machine
            pretrained = os.path.basename(os.path.abspath(pretrained))
        hashes = {f'{name}_sha256': weights_hash(part.state_dict()) for name, part in frozen.items()}
        self.recipe = dict(pretrained=pretrained, revision=revision, vae=vae, **hashes)

    def leave_out_of_checkpoints(self: nn.Module, names: Iterable[str]) -> None:
        """From now on ``state_dict`` lacks these entries, and ``load_state_dict`` keeps those that are there."""
        names = frozenset(names)
        self._register_state_dict_hook(partial(_leave_out, names=names))
        self._register_load_state_dict_pre_hook(partial(_keep_own, names=names), with_module=True)

    def get_extra_state(self) -> Tensor:
        """The recipe as the bytes of a JSON text, since MMEngine's checkpoints carry tensors."""
        return torch.tensor(list(json.dumps(self.recipe).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Compare a checkpoint's recipe with this model's.

        Raises:
            RuntimeError: The checkpoint was trained with other frozen parts, adapters or scales of them, so its weights
                would mean something else.
        """
        theirs, ours = json.loads(bytes(state.tolist())), self.recipe
        differ = (
            f"this checkpoint goes with the Stable Diffusion model {_describe(theirs)}, but the config's is "
            f'{_describe(ours)}'
        )
        if _hashes(theirs).keys() != _hashes(ours).keys():
            raise RuntimeError(f'{differ}: only one has adapters of a frozen U-Net. Set `lora` as it was in training.')
        if _hashes(theirs) != _hashes(ours):
            raise RuntimeError(f'{differ}. Set `pretrained` to the former.')
        scales, trained = ours.get('lora_scales', {}), theirs.get('lora_scales', {})
        if trained and scales and not scales.keys() & trained:
            raise RuntimeError(
                f"this checkpoint has adapters for {', '.join(trained)}, the config's for {', '.join(scales)}, so none "
                'would be used. Name the former in `lora.modalities`; there may be others beside them.')
        for name, scale in trained.items():
            if scales.get(name, scale) != scale:
                raise RuntimeError(
                    f'this checkpoint has trained the adapter {name!r} with a scale (alpha / rank) of {scale:g}, but '
                    f"the config's is {scales[name]:g}. Set `lora.alpha` to the former times `lora.rank`."
                )


def _hashes(recipe: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in recipe.items() if key.endswith('_sha256')}


def _describe(recipe: dict[str, Any]) -> str:
    parts = [f'revision {recipe["revision"]}']
    parts += [f'{key.removesuffix("_sha256")} {value[:12]}' for key, value in _hashes(recipe).items()]
    return f'{recipe["pretrained"]!r} ({", ".join(parts)})'


def _leave_out(module: nn.Module, state_dict: dict, prefix: str, local_metadata: dict, names: frozenset[str]) -> None:
    for name in names:
        state_dict.pop(prefix + name, None)


def _keep_own(module: nn.Module, state_dict: dict, prefix: str, *args, names: frozenset[str]) -> None:
    own = (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False))
    state_dict.update({prefix + name: value for name, value in own if name in names})
