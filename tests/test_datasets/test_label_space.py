import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdass.datasets import LabelSpace, lookup_table, mapping_table
from mmdass.datasets.label_space import OUTSIDE

# The integer tables of the released code (mappings of MADM's data configs), in the order of the file ids.
CITYSCAPES_TO_11 = [5, 6, 1, 9, 2, 4, 10, 10, 7, 7, 0, 3, 3, 8, 8, 8, 8, 8, 8]
CITYSCAPES_TO_9 = [4, 5, 1, 255, 255, 3, 8, 8, 6, 6, 0, 2, 2, 7, 7, 7, 7, 7, 7]
DELIVER_TO_11 = [255, 1, 2, 255, 3, 4, 5, 5, 6, 7, 8, 9, 10, 0, 255, 255, 255, 255, 10, 255, 255, 255, 7, 8, 8, 8]
FMB_TO_9 = [255, 4, 5, 1, 8, 8, 6, 0, 2, 7, 7, 7, 7, 7, 3]
CAMVID_TO_STREET7 = [0, 1, 255, 2, 3, 4, 255, 255, 5, 6, 6, 255]
CAMVID_TO_11 = [0, 1, 4, 5, 6, 7, 10, 2, 8, 3, 3, 255]


@pytest.mark.parametrize('raw, target, mapping, official', [
    ('cityscapes19', 'madm11', 'cityscapes_to_madm11', CITYSCAPES_TO_11),
    ('cityscapes19', 'madm9', 'cityscapes_to_madm9', CITYSCAPES_TO_9),
    ('deliver25', 'madm11', 'deliver_to_madm11', DELIVER_TO_11),
    ('fmb14', 'madm9', 'fmb_to_madm9', FMB_TO_9),
    ('camvid11', 'street7', 'camvid_to_street7', CAMVID_TO_STREET7),
    ('camvid11', 'madm11', 'camvid_to_madm11', CAMVID_TO_11),
    ('madm11', 'madm11', None, list(range(11))),
])
def test_tables_equal_the_official_integers(raw, target, mapping, official):
    table = lookup_table(LabelSpace.get(raw), LabelSpace.get(target), mapping)
    assert table.dtype == np.uint8
    assert table[:len(official)].tolist() == official
    assert set(table[len(official):255]) == {OUTSIDE}
    assert table[255] == 255


def test_palette_of_madm_paints_as_the_official_one():
    assert LabelSpace.get('madm9').palette == (
        (70, 130, 180), (70, 70, 70), (220, 20, 60), (153, 153, 153), (128, 64, 128), (244, 35, 232), (107, 142, 35),
        (0, 0, 142), (250, 170, 30))
    eleven = LabelSpace.get('madm11')
    assert eleven.palette[eleven.classes.index('fence')] == (190, 153, 153)
    assert eleven.palette[eleven.classes.index('wall')] == (102, 102, 156)


def test_same_names_map_to_themselves_and_none_ignores():
    raw = LabelSpace(('road', 'cat', 'lamp'))
    target = LabelSpace(('lamp', 'road'))
    assert lookup_table(raw, target)[:3].tolist() == [1, 255, 0]
    assert lookup_table(raw, target, dict(road=None, cat='lamp'))[:3].tolist() == [255, 0, 0]


@pytest.mark.parametrize('mapping, message', [
    ({'pedestrain': 'person'}, "Unknown source class 'pedestrain'. Did you mean 'pedestrian'"),
    ({'pedestrian': 'persn'}, "Unknown target class 'persn'. Did you mean 'person'"),
    ('camvid_to_stret7', "Unknown class mapping 'camvid_to_stret7'. Did you mean 'camvid_to_street7'"),
])
def test_unknown_names_are_refused_with_the_nearest_spelling(mapping, message):
    with pytest.raises(ValueError, match=message):
        lookup_table(LabelSpace.get('camvid11'), LabelSpace.get('street7'), mapping)


def test_unknown_preset_is_refused_with_the_nearest_spelling():
    with pytest.raises(ValueError, match="Unknown label space 'madm12'. Did you mean 'madm11'"):
        LabelSpace.get('madm12')


def test_space_from_a_config_dict_gets_distinct_colours():
    space = LabelSpace.get(dict(classes=['hot', 'cold', 'warm'], void_ids=[7]))
    assert space.classes == ('hot', 'cold', 'warm')
    assert len(set(space.palette)) == 3
    assert lookup_table(space, space)[7] == 255


@pytest.mark.parametrize('arguments, message', [
    (dict(classes=('a', 'a')), 'twice'),
    (dict(classes=('a', 'b'), palette=((0, 0, 0),)), '2 classes but 1'),
    (dict(classes=tuple(map(str, range(255)))), '8 bits'),
])
def test_impossible_spaces_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LabelSpace(**arguments)


def test_mapping_table_is_readable():
    table = mapping_table(LabelSpace.get('camvid11'), LabelSpace.get('street7'), 'camvid_to_street7')
    assert '  8 car         ->   5 vehicle' in table
    assert '  7 fence       -> 255 (ignored)' in table


NAMES = st.lists(st.text('abcdefgh', min_size=1, max_size=4), min_size=1, max_size=12, unique=True)


@given(st.data(), NAMES, NAMES, st.integers(0, 100))
def test_mapping_by_names_is_what_the_table_does(data, raw_names, names, first_id):
    raw, target = LabelSpace(raw_names, first_id=first_id), LabelSpace(names)
    mapping = data.draw(st.dictionaries(st.sampled_from(raw_names), st.sampled_from([*names, None])))
    table = lookup_table(raw, target, mapping)
    for file_id, name in zip(raw.file_ids, raw_names, strict=True):
        to = mapping.get(name, name if name in names else None)
        assert table[file_id] == (255 if to is None else names.index(to))
    outside = set(range(255)) - set(raw.file_ids)
    assert (table[sorted(outside)] == OUTSIDE).all() and table[255] == 255


@given(NAMES.flatmap(lambda names: st.tuples(st.just(names), st.permutations(names))), st.integers(0, 100))
def test_a_permutation_of_the_classes_and_back_is_the_identity(names, first_id):
    one, other = LabelSpace(names[0], first_id=first_id), LabelSpace(names[1])
    there, back = lookup_table(one, other), lookup_table(other, LabelSpace(names[0]))
    ids = np.array([*one.file_ids, 255])
    assert back[there[ids]].tolist() == [*range(len(names[0])), 255]


def test_nyu_presets_and_synthia_subsets():
    nyu40, nyu13 = LabelSpace.get('nyu40'), LabelSpace.get('nyu13')
    table = lookup_table(nyu40, nyu13, 'nyu40_to_nyu13')
    # the map that comes with the data samples (ankurhanda/nyuv2-meta-data), ids 1 to 40
    assert table[1:41].tolist() == [11, 4, 5, 0, 3, 8, 9, 11, 12, 5, 7, 5, 12, 9, 5, 12, 5, 6, 6, 4,
                                    6, 2, 1, 5, 10, 6, 6, 6, 6, 6, 6, 5, 6, 6, 6, 6, 6, 6, 5, 6]
    assert table[0] == 255
    assert [len(LabelSpace.get(f'synthia{n}').classes) for n in (16, 13)] == [16, 13]
    assert set(LabelSpace.get('synthia16').classes) - set(LabelSpace.get('synthia13').classes) == {
        'wall', 'fence', 'pole'}


def test_an_id_is_a_class_or_none():
    with pytest.raises(ValueError, match="Id 1 cannot mean 'car' and no class: set `first_id` or `void_ids`"):
        LabelSpace(('road', 'car'), void_ids=(1,))
