"""The published label spaces and the merges between them, as plain tables.

``first_id`` is the id that the label files give to the first class, ``void_ids`` the further ids (beside 255) that mean
'no class'. Names are in lower case; the order is that of the data sets' own lists.
"""

import colorsys

_CITYSCAPES = {
    'road': (128, 64, 128),
    'sidewalk': (244, 35, 232),
    'building': (70, 70, 70),
    'wall': (102, 102, 156),
    'fence': (190, 153, 153),
    'pole': (153, 153, 153),
    'traffic light': (250, 170, 30),
    'traffic sign': (220, 220, 0),
    'vegetation': (107, 142, 35),
    'terrain': (152, 251, 152),
    'sky': (70, 130, 180),
    'person': (220, 20, 60),
    'rider': (255, 0, 0),
    'car': (0, 0, 142),
    'truck': (0, 0, 70),
    'bus': (0, 60, 100),
    'train': (0, 80, 100),
    'motorcycle': (0, 0, 230),
    'bicycle': (119, 11, 32),
}
# MADM paints 'traffic sign' in the colour that Cityscapes gives to traffic lights; LPLR sees these colours.
_MADM = {**_CITYSCAPES, 'traffic sign': (250, 170, 30)}


# The classes of Cityscapes that SYNTHIA has too (it has terrain, trucks and trains in name, in hardly any image)
_SYNTHIA_LACKS = ('terrain', 'truck', 'train')
_NYU40 = (
    'wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture', 'counter',
    'blinds', 'desk', 'shelves', 'curtain', 'dresser', 'pillow', 'mirror', 'floor mat', 'clothes', 'ceiling', 'books',
    'refrigerator', 'television', 'paper', 'towel', 'shower curtain', 'box', 'whiteboard', 'person', 'night stand',
    'toilet', 'sink', 'lamp', 'bathtub', 'bag', 'otherstructure', 'otherfurniture', 'otherprop')
_MFNET = {
    'unlabelled': (0, 0, 0),  # a class of its own in the published scores of nine classes
    'car': (64, 0, 128),
    'person': (64, 64, 0),
    'bike': (0, 128, 192),
    'curve': (0, 0, 192),
    'car stop': (128, 128, 0),
    'guardrail': (64, 64, 128),
    'color cone': (192, 128, 128),
    'bump': (192, 64, 0),
}


def _spread(names: tuple[str, ...]) -> dict:
    """Evenly spread hues in three shades, neighbours far apart, for data sets that publish no colours."""
    shades = (1.0, 0.75, 0.5)
    hues = (colorsys.hsv_to_rgb(i * 0.618 % 1, 0.65, shades[i % 3]) for i in range(len(names)))
    return {name: tuple(round(255 * part) for part in hue) for name, hue in zip(names, hues, strict=True)}


def _pick(colours: dict, *names: str) -> dict:
    return {name: colours[name] for name in names}


COLOURS = dict(
    cityscapes19=_CITYSCAPES,
    # MADM's depth and event tasks; DSEC-Semantic's 11 classes are these, in this order
    madm11=_pick(_MADM, 'sky', 'building', 'fence', 'person', 'pole', 'road', 'sidewalk', 'vegetation', 'car', 'wall',
                 'traffic sign'),
    # MADM's infrared task; 'car' stands for every vehicle
    madm9=_pick(_MADM, 'sky', 'building', 'person', 'pole', 'road', 'sidewalk', 'vegetation', 'car', 'traffic sign'),
    deliver25={
        'building': (70, 70, 70),
        'fence': (100, 40, 40),
        'other': (55, 90, 80),
        'pedestrian': (220, 20, 60),
        'pole': (153, 153, 153),
        'road line': (157, 234, 50),
        'road': (128, 64, 128),
        'sidewalk': (244, 35, 232),
        'vegetation': (107, 142, 35),
        'cars': (0, 0, 142),
        'wall': (102, 102, 156),
        'traffic sign': (220, 220, 0),
        'sky': (70, 130, 180),
        'ground': (81, 0, 81),
        'bridge': (150, 100, 100),
        'rail track': (230, 150, 140),
        'ground rail': (180, 165, 180),
        'traffic light': (250, 170, 30),
        'static': (110, 190, 160),
        'dynamic': (170, 120, 50),
        'water': (45, 60, 150),
        'terrain': (145, 170, 100),
        'two wheeler': (0, 0, 230),
        'bus': (0, 60, 100),
        'truck': (0, 0, 70),
    },
    fmb14={
        'road': (128, 64, 128),
        'sidewalk': (244, 35, 232),
        'building': (70, 70, 70),
        'lamp': (250, 170, 30),
        'sign': (220, 220, 0),
        'vegetation': (107, 142, 35),
        'sky': (70, 130, 180),
        'person': (220, 20, 60),
        'car': (0, 0, 142),
        'truck': (0, 0, 70),
        'bus': (0, 60, 100),
        'motorcycle': (0, 0, 230),
        'bicycle': (119, 11, 32),
        'pole': (153, 153, 153),
    },
    camvid11={
        'sky': (128, 128, 128),
        'building': (128, 0, 0),
        'pole': (192, 192, 128),
        'road': (128, 64, 128),
        'pavement': (60, 40, 222),
        'tree': (128, 128, 0),
        'sign symbol': (192, 128, 128),
        'fence': (64, 64, 128),
        'car': (64, 0, 128),
        'pedestrian': (64, 64, 0),
        'bicyclist': (0, 128, 192),
    },
    # what is measured after training on SYNTHIA; 'synthia13' leaves out its three smallest classes
    synthia16={name: colour for name, colour in _CITYSCAPES.items() if name not in _SYNTHIA_LACKS},
    synthia13={name: colour for name, colour in _CITYSCAPES.items()
               if name not in (*_SYNTHIA_LACKS, 'wall', 'fence', 'pole')},
    mfnet9=_MFNET,
    # what Cityscapes and MFNet (or MSRS) have in common; 'unlabelled' is the background
    mfnet4=_pick(_MFNET, 'unlabelled', 'car', 'person', 'bike'),
    msrs9=_MFNET,
    pst5={
        'background': (0, 0, 0),
        'fire extinguisher': (0, 0, 255),
        'backpack': (0, 255, 0),
        'hand drill': (255, 0, 0),
        'survivor': (255, 255, 255),
    },
    nyu40=_spread(_NYU40),
    nyu13=_spread((
        'bed', 'books', 'ceiling', 'chair', 'floor', 'furniture', 'objects', 'picture', 'sofa', 'table', 'tv', 'wall',
        'window')),
    street7={
        'sky': (70, 130, 180),
        'building': (70, 70, 70),
        'road': (128, 64, 128),
        'pavement': (244, 35, 232),
        'vegetation': (107, 142, 35),
        'vehicle': (0, 0, 142),
        'person': (220, 20, 60),
    },
)

FILE_IDS = dict(
    deliver25=dict(first_id=1, void_ids=(0,)),
    fmb14=dict(first_id=1, void_ids=(0,)),
    camvid11=dict(void_ids=(11,)),
    nyu40=dict(first_id=1, void_ids=(0,)),
    nyu13=dict(first_id=1, void_ids=(0,)),
)

_VEHICLES = dict.fromkeys(('truck', 'bus', 'train', 'motorcycle', 'bicycle'), 'car')
_CITYSCAPES_TO_MADM = {'traffic light': 'traffic sign', 'terrain': 'vegetation', 'rider': 'person', **_VEHICLES}

# Only what changes its name or is merged: a class of the same name maps to itself, any other to 'ignore'.
CLASS_MAPPINGS = dict(
    cityscapes_to_madm11=_CITYSCAPES_TO_MADM,
    cityscapes_to_madm9=_CITYSCAPES_TO_MADM,
    deliver_to_madm11={
        'pedestrian': 'person',
        'road line': 'road',
        'cars': 'car',
        'traffic light': 'traffic sign',
        'terrain': 'vegetation',
        'two wheeler': 'car',
        'bus': 'car',
        'truck': 'car',
    },
    fmb_to_madm9={
        'lamp': 'traffic sign',
        'sign': 'traffic sign',
        'truck': 'car',
        'bus': 'car',
        'motorcycle': 'car',
        'bicycle': 'car',
    },
    camvid_to_madm11={
        'pavement': 'sidewalk',
        'tree': 'vegetation',
        'sign symbol': 'traffic sign',
        'pedestrian': 'person',
        'bicyclist': 'person',
    },
    camvid_to_street7={'tree': 'vegetation', 'car': 'vehicle', 'pedestrian': 'person', 'bicyclist': 'person'},
    # A bus or a truck is neither MFNet's car nor its background.
    cityscapes_to_mfnet4={
        'rider': 'person',
        'bicycle': 'bike',
        'motorcycle': 'bike',
        **dict.fromkeys((
            'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign', 'vegetation',
            'terrain', 'sky'), 'unlabelled'),
    },
    # The thirteen classes of Couprie et al.; checked against the map that comes with ankurhanda/nyuv2-meta-data.
    nyu40_to_nyu13={
        'cabinet': 'furniture',
        'door': 'wall',
        'bookshelf': 'furniture',
        'counter': 'furniture',
        'blinds': 'window',
        'desk': 'table',
        'shelves': 'furniture',
        'curtain': 'window',
        'dresser': 'furniture',
        'floor mat': 'floor',
        'refrigerator': 'furniture',
        'television': 'tv',
        'night stand': 'furniture',
        'otherfurniture': 'furniture',
        **dict.fromkeys((
            'pillow', 'mirror', 'clothes', 'paper', 'towel', 'shower curtain', 'box', 'whiteboard', 'person', 'toilet',
            'sink', 'lamp', 'bathtub', 'bag', 'otherstructure', 'otherprop'), 'objects'),
    },
)
