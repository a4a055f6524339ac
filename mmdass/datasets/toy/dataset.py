"""The toy world as an MMSeg data set: ``RenderToyScene`` stands where other pipelines load an image and its label."""

from mmcv.transforms import BaseTransform
from mmseg.datasets import BaseSegDataset

from mmdass.registry import DATASETS, TRANSFORMS

from .appearance import LABEL_SPACE
from .scene import MODALITIES, ToyStreet

_SPLITS = dict(train=0, val=1_000_000)  # the first scene of each split, and so the most images that 'train' can have


@DATASETS.register_module()
class ToyStreetDataset(BaseSegDataset):
    """Street scenes of the toy world, seen by one sensor, in the eleven classes of 'madm11'; nothing is on disk.

    Give source and target different ``seed`` values: with the same one they show the same scenes, which is not the
    unpaired problem that domain adaptation solves.

    Example:
        >>> dict(type='ToyStreetDataset', modality='event', num_images=500, seed=1, with_label=False,
        ...      pipeline=[dict(type='RenderToyScene'), dict(type='PackSegInputs')])

    Args:
        modality: 'rgb', 'depth', 'infrared' or 'event'.
        num_images: Number of scenes.
        look: Of 'rgb': 'synthetic' (clean, game-like) or 'real' (haze, rich texture, lens and sensor); else None.
            'rgb' without a look is synthetic.
        size: Width and height of the images in pixels.
        seed: Seed of the scenes.
        split: 'train' or 'val'; they have no scene in common, whatever their numbers of images.
        with_label: Whether samples have 'gt_seg_map'.
        **kwargs: Arguments of MMSeg's ``BaseSegDataset``: ``pipeline``, ``indices``, ``test_mode``, ...

    Raises:
        ValueError: Unknown modality, split or look, a look of another modality than 'rgb', or a number of images
            outside 1 to 1,000,000.
    """

    def __init__(
        self,
        modality: str = 'rgb',
        num_images: int = 1000,
        look: str | None = None,
        size: tuple[int, int] = (256, 128),
        seed: int = 0,
        split: str = 'train',
        with_label: bool = True,
        **kwargs,
    ) -> None:
        _require_one_of('modality', modality, MODALITIES)
        _require_one_of('split', split, tuple(_SPLITS))
        _require_one_of('look', look, (None, 'synthetic', 'real') if modality == 'rgb' else (None,))
        if not 0 < num_images <= _SPLITS['val']:
            raise ValueError(f'ToyStreetDataset: num_images={num_images}; choose 1 to {_SPLITS["val"]}.')
        self.modality = modality
        self.look = look
        self.num_images = num_images
        self.split = split
        self.with_label = with_label
        self.street = ToyStreet(seed, size)
        super().__init__(metainfo=LABEL_SPACE.metainfo, **kwargs)
        self._metainfo['modality'] = modality  # MMEngine takes a string that it is handed for a file name

    def load_data_list(self) -> list[dict]:
        """One dict a scene: its number, and a name that stands for a path."""
        first = _SPLITS[self.split]
        name = f'toy://{self.modality}/{self.street.seed}'
        return [dict(toy_index=index, img_path=f'{name}/{index}') for index in range(first, first + self.num_images)]

    def get_data_info(self, idx: int) -> dict:
        """What ``RenderToyScene`` needs, and what MMSeg's transforms expect."""
        info = super().get_data_info(idx)
        info.update(toy_scene=self.street.scene(info['toy_index']), modality=self.modality, look=self.look,
                    with_label=self.with_label, reduce_zero_label=False, seg_fields=[])
        return info


@TRANSFORMS.register_module()
class RenderToyScene(BaseTransform):
    """Render the picture of a toy scene, and its label where the data set has labels.

    Required keys: toy_scene, modality, look, with_label, seg_fields (from :class:`ToyStreetDataset`). Added keys: img,
    (H, W, 3) uint8 BGR; img_shape; ori_shape; and gt_seg_map, (H, W) uint8 class indices of 'madm11'.
    """

    def transform(self, results: dict) -> dict:
        scene = results.pop('toy_scene')
        results['img'] = scene.picture(results['modality'], results['look'])
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        if results['with_label']:
            results['gt_seg_map'] = scene.label
            results['seg_fields'].append('gt_seg_map')
        return results


def _require_one_of(name: str, value: str | None, known: tuple) -> None:
    if value not in known:
        raise ValueError(f'ToyStreetDataset: {name}={value!r}; choose from {", ".join(map(repr, known))}.')
