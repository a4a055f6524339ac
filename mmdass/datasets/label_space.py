"""Label spaces (ordered class names, palette, ids in files) and mapping one onto another by names."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from .label_presets import CLASS_MAPPINGS, COLOURS, FILE_IDS

IGNORED = 255
"""Pixels without a class: in the model, as in MMSeg, and in all label files."""
OUTSIDE = 254
"""What a lookup table gives for an id that the label space does not have."""

ClassMapping = str | Mapping[str, str | None] | None


@dataclass(frozen=True)
class LabelSpace:
    """Ordered class names with their colours, and how label files write them.

    Args:
        classes: Class names; the position is the class index, at most 254 of them.
        palette: One RGB colour (0 to 255) a class. Empty: evenly spread hues.
        first_id: Id in the label *files* of the first class (1 for DELIVER and FMB).
        void_ids: Ids in the files, beside 255, that mean 'no class'.

    Raises:
        ValueError: For duplicate names, too many classes, a palette of another length, or void ids that are a class's.
    """

    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...] = ()
    first_id: int = 0
    void_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, 'classes', tuple(self.classes))
        object.__setattr__(self, 'palette', tuple(map(tuple, self.palette)) or _spread_hues(len(self.classes)))
        object.__setattr__(self, 'void_ids', tuple(self.void_ids))
        if not self.classes:
            raise ValueError('A label space has at least one class.')
        for label_id in (self.first_id, *self.void_ids):
            if not (isinstance(label_id, int) and 0 <= label_id < 256):
                raise ValueError(f'{label_id!r} is no id of a label file; they are from 0 to 255.')
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f'A class name occurs twice in the label space {self.classes}.')
        if len(self.palette) != len(self.classes):
            raise ValueError(f'{len(self.classes)} classes but {len(self.palette)} palette colours.')
        if self.first_id + len(self.classes) > OUTSIDE:
            raise ValueError(f'{len(self.classes)} classes from id {self.first_id} do not fit in 8 bits.')
        for label_id in set(self.void_ids) & set(self.file_ids):
            name = self.classes[label_id - self.first_id]
            raise ValueError(f'Id {label_id} cannot mean {name!r} and no class: set `first_id` or `void_ids`.')

    @classmethod
    def get(cls, space: 'str | Mapping | LabelSpace') -> 'LabelSpace':
        """A preset by name, a space from a config dict of the constructor's arguments, or the space itself."""
        if isinstance(space, LabelSpace):
            return space
        if isinstance(space, Mapping):
            try:
                return cls(**space)
            except TypeError as error:
                raise ValueError(f'{dict(space)} is no label space: {error}.') from error
        _require_known([space], COLOURS, 'label space')
        colours = COLOURS[space]
        return cls(tuple(colours), tuple(colours.values()), **FILE_IDS.get(space, {}))

    @property
    def file_ids(self) -> range:
        """The ids that stand for the classes in label files."""
        return range(self.first_id, self.first_id + len(self.classes))

    @property
    def metainfo(self) -> dict:
        """``classes`` and ``palette`` as MMSeg's data sets carry them."""
        return dict(classes=self.classes, palette=[list(colour) for colour in self.palette])

    def describe_ids(self) -> str:
        """The ids that label files of this space may hold, in words."""
        voids = ', '.join(map(str, sorted({*self.void_ids, IGNORED})))
        return f'{self.file_ids[0]} to {self.file_ids[-1]}, and {voids} for no class'


def resolve_mapping(raw: LabelSpace, target: LabelSpace, mapping: ClassMapping = None) -> dict[str, str | None]:
    """Where each class of ``raw`` goes: the name of a class of ``target``, or None for 'ignored'.

    Args:
        raw: Label space of the files.
        target: Label space that the model predicts.
        mapping: Raw name to target name, many-to-one, None to ignore; or the name of a preset such as
            'cityscapes_to_madm11'. A class that it does not name maps to the class of the same name, or to None.

    Raises:
        ValueError: For a name that the label spaces (or the presets) do not have, with the nearest spelling.
    """
    if isinstance(mapping, str):
        _require_known([mapping], CLASS_MAPPINGS, 'class mapping')
        mapping = CLASS_MAPPINGS[mapping]
    mapping = dict(mapping or {})
    _require_known(mapping, raw.classes, 'source class')
    _require_known([name for name in mapping.values() if name is not None], target.classes, 'target class')
    return {name: mapping.get(name, name if name in target.classes else None) for name in raw.classes}


def lookup_table(raw: LabelSpace, target: LabelSpace, mapping: ClassMapping = None) -> np.ndarray:
    """Table from the ids in label files of ``raw`` to the class indices of ``target``.

    Returns:
        (256,) uint8: class index, 255 for no class, :data:`OUTSIDE` for ids that ``raw`` does not
        have.
    """
    table = np.full(256, OUTSIDE, np.uint8)
    table[[*raw.void_ids, IGNORED]] = IGNORED
    for file_id, name in zip(raw.file_ids, resolve_mapping(raw, target, mapping).values(), strict=True):
        table[file_id] = IGNORED if name is None else target.classes.index(name)
    return table


def mapping_table(raw: LabelSpace, target: LabelSpace, mapping: ClassMapping = None) -> str:
    """The mapping in lines of 'id name -> index name', for the log."""
    width = max(map(len, raw.classes))
    lines = []
    for file_id, (name, to) in zip(raw.file_ids, resolve_mapping(raw, target, mapping).items(), strict=True):
        goal = f'{IGNORED:3d} (ignored)' if to is None else f'{target.classes.index(to):3d} {to}'
        lines.append(f'{file_id:3d} {name:{width}s} -> {goal}')
    return '\n'.join(lines)


def _require_known(names: Sequence[str] | Mapping, known: Sequence[str] | Mapping, what: str) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), known, n=1, cutoff=0.4)
            hint = f' Did you mean {near[0]!r}?' if near else ''
            raise ValueError(f'Unknown {what} {name!r}.{hint} Known: {", ".join(known)}.')


def _spread_hues(count: int) -> tuple[tuple[int, int, int], ...]:
    return tuple(tuple(round(255 * part) for part in colorsys.hsv_to_rgb(i / count, 0.7, 0.9)) for i in range(count))
