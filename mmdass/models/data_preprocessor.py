"""One MMSeg preprocessor per domain."""

from typing import Any

from mmengine.model import BaseDataPreprocessor
from torch import nn

from mmdass.registry import MODELS


@MODELS.register_module()
class DomainPairDataPreprocessor(BaseDataPreprocessor):
    """Normalises each domain's images by a preprocessor of its own.

    Training batches ``{'source': {'inputs', 'data_samples'}, 'target': {...}}`` become
    ``{'inputs': {'source': (N, 3, H, W), 'target': ...}, 'data_samples': {'source': [...], 'target': [...]}}``; batches
    of one domain, as in validation, go through the target's preprocessor.

    Args:
        source: Config of the source's preprocessor, usually MMSeg's ``SegDataPreProcessor``.
        target: Config of the target's; None for the same as the source's.
    """

    def __init__(self, source: dict, target: dict | None = None) -> None:
        super().__init__()
        self.domains = nn.ModuleDict(
            dict(source=MODELS.build(source), target=MODELS.build(source if target is None else target))
        )

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Move a batch to the device and normalise it."""
        if 'source' not in data:
            return self.domains['target'](data, training)
        batches = {name: preprocess(data[name], training) for name, preprocess in self.domains.items()}
        return {key: {name: batch[key] for name, batch in batches.items()} for key in ('inputs', 'data_samples')}
