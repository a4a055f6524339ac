"""MMSeg's packing, with the modality of the image."""

from mmseg.datasets.transforms import PackSegInputs

from mmdass.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackModalityInputs(PackSegInputs):
    """``PackSegInputs`` whose data samples also say ``modality``, by which MADM chooses among several adapters.

    Args:
        kwargs: Of ``PackSegInputs``.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.meta_keys = (*self.meta_keys, 'modality')
