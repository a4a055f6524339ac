"""Random crop that keeps enough of the class that the image was drawn for."""

from mmseg.datasets.transforms import RandomCrop

from mmdass.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RareClassCrop(RandomCrop):
    """MMSeg's ``RandomCrop`` that is drawn again until it holds enough of the sample's rare class.

    A sample drawn by rare-class sampling carries 'rare_class'; its crop must keep more than the stated pixels of that
    class, counted in the ids of the label file. After ``max_redraws`` further tries the last crop is taken. Other
    samples get an ordinary random crop. (MADM does the same; DAFormer redraws the whole pipeline, equal in effect.)

    Args:
        crop_size: (height, width) of the crop, or one number for both.
        max_redraws: Crops tried after the first one.
        **kwargs: Further arguments of ``RandomCrop``.
    """

    def __init__(self, crop_size: int | tuple[int, int], max_redraws: int = 10, **kwargs) -> None:
        super().__init__(crop_size, **kwargs)
        self.max_redraws = max_redraws

    def crop_bbox(self, results: dict) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of the crop in pixels."""
        bbox = super().crop_bbox(results)
        rare = results.get('rare_class')
        for _ in range(self.max_redraws if rare else 0):
            if rare.fills(self.crop(results['raw_seg_map'], bbox)):
                break
            bbox = super().crop_bbox(results)
        return bbox
