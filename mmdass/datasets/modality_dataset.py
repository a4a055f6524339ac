"""Images of any modality, with or without labels, described by a config alone."""

import re
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from mmdass.registry import DATASETS

from .label_space import ClassMapping, LabelSpace, lookup_table, mapping_table


@DATASETS.register_module()
class ModalityDataset(BaseSegDataset):
    """A folder of images, and of labels if there are any.

    Example:
        >>> dict(type='ModalityDataset', data_root='data/FMB/', images='test/Infrared/*.png',
        ...      labels=('Infrared', 'Label'), raw_labels='fmb14', class_mapping='fmb_to_madm9',
        ...      label_space='madm9', modality='infrared', pipeline=[...])

    Args:
        data_root: Folder that every other path is relative to.
        images: A glob ('train/*/*.png', '**' for any depth), a list of globs, or a '.txt' file of paths. All are
            relative to ``data_root``. Items are sorted by path; a list file keeps its order.
        list_entry: How a line of the list file becomes a path: 'images/{}.png' for a list of bare names.
        label_space: What the model predicts: name of a preset, dict of :class:`LabelSpace`'s arguments, or an instance.
        labels: None for unlabelled images, or ``(pattern, replacement)`` as in ``re.sub``, applied to an image's path:
            ``('Infrared', 'Label')``, ``(r'image/(.*)\\.jpg', r'label/\\1.png')``.
        raw_labels: Label space of the label files. ``label_space`` if None.
        class_mapping: Names of ``raw_labels`` to names of ``label_space``, or a preset's name; see
            :func:`resolve_mapping`.
        label_channel: Channel of multi-channel label files that holds the ids. None refuses such files.
        exclude: Glob or globs of images to leave out, each matched from the right ('000000.png').
        modality: 'rgb', 'depth', 'infrared', 'event', ...; passed on with each sample.
        require_labels: False also lists images whose label is missing, for code that reports them (``mmdass check``).
        **kwargs: Arguments of MMSeg's ``BaseSegDataset``: ``pipeline``, ``indices``, ``test_mode``, ...

    Raises:
        FileNotFoundError: ``data_root`` or the list file is missing, a glob matches nothing, or an image that should
            have a label has none.
        ValueError: ``labels`` does not change an image's path, or a class name is unknown.
    """

    def __init__(
        self,
        data_root: str,
        images: str | Sequence[str],
        label_space: str | dict | LabelSpace,
        labels: tuple[str, str] | None = None,
        raw_labels: str | dict | LabelSpace | None = None,
        class_mapping: ClassMapping = None,
        label_channel: int | None = None,
        exclude: str | Sequence[str] = (),
        list_entry: str = '{}',
        modality: str = 'rgb',
        require_labels: bool = True,
        **kwargs,
    ) -> None:
        self.images = [images] if isinstance(images, str) else list(images)
        self.labels = labels
        self.exclude = [exclude] if isinstance(exclude, str) else list(exclude)
        self.list_entry = list_entry
        self.modality = modality
        self.require_labels = require_labels
        self.label_channel = label_channel
        self.label_space = LabelSpace.get(label_space)
        self.raw_labels = LabelSpace.get(label_space if raw_labels is None else raw_labels)
        self.class_lut = lookup_table(self.raw_labels, self.label_space, class_mapping)
        if labels and self.raw_labels.classes != self.label_space.classes:
            table = mapping_table(self.raw_labels, self.label_space, class_mapping)
            print_log(f'Classes of {data_root} ({modality}):\n{table}', logger='current')
        # A broken image is an error, not a reason to take another one silently.
        kwargs.setdefault('max_refetch', 0)
        super().__init__(data_root=str(data_root), metainfo=self.label_space.metainfo, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One dict an image with ``img_path`` and, if labelled, ``seg_map_path``."""
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(
                f'The data root {root.absolute()} does not exist. Set `data_root` in the config (the shipped ones '
                'take it from the environment: SOURCE_ROOT=... TARGET_ROOT=...).'
            )
        infos = self._items(root)
        if self.labels is not None:
            for info in infos:
                info['seg_map_path'] = self._label_path(root, info)
            if self.require_labels:
                _require_labels(infos)
        return infos

    def get_data_info(self, idx: int) -> dict:
        """What the pipeline starts from: the paths, and how to read the labels."""
        info = super().get_data_info(idx)
        info.update(
            modality=self.modality,
            class_lut=self.class_lut,
            label_ids=self.raw_labels.describe_ids(),
            label_channel=self.label_channel,
            # what MMSeg's own LoadAnnotations asks for
            label_map=None,
            reduce_zero_label=False,
            seg_fields=[],
        )
        return info

    def _items(self, root: Path) -> list[dict]:
        return [dict(img_path=str(root / name)) for name in self._image_names(root)]

    def _is_excluded(self, path: Path) -> bool:
        return any(map(path.match, self.exclude))

    def _image_names(self, root: Path) -> list[str]:
        if len(self.images) == 1 and self.images[0].endswith('.txt') and '*' not in self.images[0]:
            file = root / self.images[0]
            lines = _read_lines(file)
            names = [self.list_entry.format(line.strip()) for line in lines if line.strip()]
            names = [name for name in names if not self._is_excluded(Path(name))]
            if not names:
                raise FileNotFoundError(f'The list file {file} names no image, or none that is not excluded.')
            return names
        names = set()
        for pattern in self.images:
            found = [path for path in root.glob(pattern) if not self._is_excluded(path)]
            if not found:
                raise FileNotFoundError(
                    f'No image matches {pattern!r} in {root.absolute()}. Look at the folder, and set `images` of the '
                    'data set to a glob relative to `data_root`.'
                )
            names.update(path.relative_to(root).as_posix() for path in found)
        return sorted(names)

    def _label_path(self, root: Path, info: dict) -> str:
        return companion_path(root, info['img_path'], self.labels, 'labels')


def companion_path(root: Path, image_path: str, rule: tuple[str, str], option: str) -> str:
    """Path of a file that belongs to an image.

    Args:
        root: Folder that both are in.
        image_path: The image.
        rule: ``(pattern, replacement)`` as in ``re.sub``, applied to the image's path relative to ``root``.
        option: Name of the argument that ``rule`` is, for the message.

    Raises:
        ValueError: The pattern does not occur.
    """
    name = Path(image_path).relative_to(root).as_posix()
    companion, changes = re.subn(*rule, name)
    if not changes:
        raise ValueError(f'The pattern {rule[0]!r} of `{option}` does not occur in the image path {name!r}.')
    return str(root / companion)


def _read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'The list file {file} is no text in UTF-8: {error}.') from error


def _require_labels(infos: list[dict]) -> None:
    missing = [info for info in infos if not Path(info['seg_map_path']).is_file()]
    if missing:
        names = tuple(Path(info['img_path']).name for info in missing[:5])
        raise FileNotFoundError(
            f'{len(missing)} of {len(infos)} images have no label file. The first: {missing[0]["img_path"]} should '
            f'have {missing[0]["seg_map_path"]}. Check `labels` of the data set, prepare the labels (`mmdass '
            f'prepare`), or leave such images out by its `exclude`: {names}.'
        )
