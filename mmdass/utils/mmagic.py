"""mmagic's diffusion networks for our configs: ``custom_imports = dict(imports=['mmdass', 'mmdass.utils.mmagic'])``.

Importing this module makes ``dict(type='DenoisingUnet', _scope_='mmagic', ...)`` and mmagic's wrappers of diffusers'
networks, ``dict(type='UNet2DModel', _scope_='mmagic', from_pretrained=...)``, fit wherever we take a diffusers model.

mmagic 1.2.0 (2023) no longer imports whole with today's diffusers and numpy. These networks need nothing of what fails
nor of what mmagic requires, so install it by ``pip install --no-deps mmagic==1.2.0``. In an environment where
``mmagic.models`` does import, import it before this module, and all of it stays usable.
"""

import importlib
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import mmcv

_NETWORKS = ('AutoencoderKL', 'UNet2DConditionModel', 'UNet2DModel')


def _import_mmagic() -> types.ModuleType:
    version = mmcv.__version__
    mmcv.__version__ = '2.1.0'  # mmagic asserts that it is below 2.2
    try:
        import mmagic
    except ModuleNotFoundError as error:
        if error.name != 'mmagic':
            raise
        raise ModuleNotFoundError(
            'mmagic is not installed: pip install --no-deps mmagic==1.2.0', name='mmagic') from error
    finally:
        mmcv.__version__ = version
    return mmagic


def _skip_init(package: str, root: Path) -> None:
    """Let modules of a package be imported without its ``__init__``, which imports all of them."""
    if package not in sys.modules:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(Path(root, *package.split('.')[1:]))]


mmagic = _import_mmagic()
for _package in ('mmagic.models', 'mmagic.models.archs', 'mmagic.models.editors'):
    _skip_init(_package, Path(mmagic.__file__).parent)
MODELS = importlib.import_module('mmagic.registry').MODELS
_DenoisingUnet = importlib.import_module('mmagic.models.editors.ddpm').DenoisingUnet
DiffusersWrapper = importlib.import_module('mmagic.models.archs.wrapper').DiffusersWrapper


class _Output(dict):
    """What mmagic returns, read as diffusers' output is."""

    @property
    def sample(self) -> Any:
        return self['sample']


@MODELS.register_module(name='DenoisingUnet', force=True)
class DenoisingUnet(_DenoisingUnet):
    """mmagic's ADM network with the config and the output of a diffusers model, in mmagic's place in its registry.

    ``GN32`` norms compute in float32, so use ``GN`` for float64; ``use_fp16`` stands aside for autocast.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Else `init_weights` of the model around it would set layers to zero that `pretrained` has filled.
        self.is_init = True

    @property
    def config(self) -> SimpleNamespace:
        """The part of a diffusers model's config that a ``Denoiser`` reads."""
        return SimpleNamespace(
            in_channels=self.in_channels,
            out_channels=self.out_channels,
            block_out_channels=[int(self.base_channels * factor) for factor in self.channel_factor_list])

    def forward(self, *args: Any, **kwargs: Any) -> _Output:
        """As mmagic's; the output has the attribute ``sample``."""
        return _Output(super().forward(*args, **kwargs))


for _name in _NETWORKS:
    if _name not in MODELS.module_dict:  # as mmagic.models.archs does it for all of diffusers
        _attributes = dict(_module_cls=getattr(diffusers, _name), _module_name=_name)
        MODELS.register_module(name=_name, module=type(_name, (DiffusersWrapper, ), _attributes))
