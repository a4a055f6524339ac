"""For what learns to make images: a padded one would teach it margins."""

from collections.abc import Sequence

from mmengine.structures import BaseDataElement


def check_whole(data_samples: Sequence[BaseDataElement]) -> None:
    """Refuse a batch in which an image was padded.

    Raises:
        ValueError: One was; the message names it.
    """
    for sample in data_samples:
        if any(sample.get('padding_size', ())):
            height, width = sample.img_shape[:2]
            raise ValueError(
                f'{sample.get("img_path", "an image")} enters the batch as {width} x {height}, smaller than others, '
                'and its grey margin would be learned: let RandomResize make each image as large as the crop at least '
                '(`scale`, keep_ratio=False), or choose a smaller crop and `size` of the data preprocessor')
