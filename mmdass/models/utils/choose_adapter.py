"""Which adapter a segmentor sees through, where it is used for one modality."""

from torch import nn


def choose_adapter(segmentor: nn.Module, modality: str | None, option: str) -> None:
    """Let a segmentor see through the adapter of a modality.

    Args:
        segmentor: Any; nothing is done to one without several adapters, if no modality is named.
        modality: Name of the adapter.
        option: What messages call ``modality``.

    Raises:
        ValueError: It has no adapter of that name, or several and none is named.
    """
    backbone = getattr(segmentor, 'backbone', None)
    adapters = getattr(backbone, 'adapters', ())
    if modality is None and len(adapters) > 1:
        raise ValueError(f'the model has adapters for {", ".join(adapters)}: set `{option}` to what the images show')
    if modality is not None:
        if modality not in adapters:
            raise ValueError(f'the model has no adapter for {option}={modality!r}; it has: '
                             f'{", ".join(adapters) or "none"}')
        backbone.use_adapter(modality)
