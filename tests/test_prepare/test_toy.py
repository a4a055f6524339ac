"""The toy world as files."""

import numpy as np
import pytest
from PIL import Image

from mmdass.cli import main
from mmdass.datasets import ModalityDataset, ToyStreetDataset

OPTIONS = ('--num-train', '2', '--num-val', '1', '--size', '64', '32', '--workers', '1')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('toy') / 'new' / 'folder'
    assert main(['prepare', 'toy', str(root), *OPTIONS]) == 0
    return root


@pytest.mark.parametrize('modality', ['depth', 'infrared', 'event'])
def test_files_show_what_the_data_set_renders(root, modality):
    files = ModalityDataset(
        data_root=str(root), images=f'{modality}/val/image/*.png', labels=('image', 'label'), label_space='madm11',
        pipeline=[dict(type='LoadModalityImage'), dict(type='LoadMappedLabel')])
    world = ToyStreetDataset(modality=modality, num_images=1, size=(64, 32), seed=1, split='val',
                             pipeline=[dict(type='RenderToyScene')])
    for key in ('img', 'gt_seg_map'):
        np.testing.assert_array_equal(files[0][key], world[0][key])


def test_the_source_is_real_looking_and_labelled_and_targets_train_without(root):
    world = ToyStreetDataset(look='real', num_images=2, size=(64, 32), pipeline=[dict(type='RenderToyScene')])
    image = np.asarray(Image.open(root / 'source/train/image/000001.png'))
    np.testing.assert_array_equal(image[..., ::-1], world[1]['img'])
    assert (root / 'source/train/label/000001.png').is_file()
    labelled = {path.relative_to(root).as_posix() for path in root.glob('*/*/label')}
    assert labelled == {'source/train/label', 'depth/val/label', 'infrared/val/label', 'event/val/label'}


def test_more_images_continue(root, capsys):
    assert main(['prepare', 'toy', str(root), '--num-train', '3', *OPTIONS[2:]]) == 0
    # one image more of four modalities, one label more of the source
    assert 'toy: 5 done, 16 done before, 0 failed.' in capsys.readouterr().out


def test_fewer_images_say_which_folders_hold_more(tmp_path, capsys):
    assert main(['prepare', 'toy', str(tmp_path), *OPTIONS]) == 0
    assert 'more images' not in capsys.readouterr().out
    assert main(['prepare', 'toy', str(tmp_path), '--num-train', '1', *OPTIONS[2:]]) == 0
    remarks = [line for line in capsys.readouterr().out.splitlines() if 'holds 1 more images than asked for' in line]
    assert len(remarks) == 5  # images of four modalities, labels of the source
