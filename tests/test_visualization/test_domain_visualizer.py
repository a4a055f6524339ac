import numpy as np
import pytest
import torch

from mmdass.visualization import DomainVisualizer

CLASSES = ('road', 'sky', 'car')
PALETTE = [[128, 64, 128], [70, 130, 180], [0, 0, 142]]
MARGIN, LINE = 12, 26


@pytest.fixture
def visualizer():
    visualizer = DomainVisualizer()
    visualizer.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    return visualizer


def _cells(grid, side, columns, rows=1):
    """The square cells of a grid, without their outlines."""
    top, step = MARGIN + LINE, side + MARGIN
    return [
        [
            grid[top + r * (step + LINE) :, MARGIN + c * step :][: side][:, : side][1:-1, 1:-1]
            for c in range(columns)
        ]
        for r in range(rows)
    ]


def test_kinds_of_panels_are_ordered_and_coloured(visualizer):
    label = torch.zeros(320, 320, dtype=torch.long)
    label[:, 160:] = 2
    label[300:] = 255
    panels = {
        'source/palette': torch.full((3, 320, 320), -1.0),
        'target/confidence': torch.ones(320, 320),
        'source/label': label,
        'source/image': torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1).expand(3, 320, 320),
        'target/image': torch.full((3, 320, 320), 2.0),
    }
    grid = visualizer.draw_panels(panels)
    assert grid.dtype == np.uint8 and grid.ndim == 3 and grid.shape[2] == 3
    (image, label, palette), (target, confidence, blank) = _cells(grid, 320, columns=3, rows=2)
    assert (image == [255, 128, 0]).all()
    assert (label[:290, :150] == PALETTE[0]).all() and (label[:290, 170:] == PALETTE[2]).all()
    assert len(np.unique(label[305:].reshape(-1, 3), axis=0)) == 1
    assert label[310, 5].tolist() not in PALETTE
    assert (palette == 0).all()
    assert (target == 255).all(), 'values beyond the range are clipped'
    assert np.abs(confidence - [253.0, 231.0, 37.0]).max() < 5, 'one is the bright end of viridis'
    assert (blank == 255).all()


def test_labels_are_not_blended_at_their_borders(visualizer):
    label = torch.randint(0, 3, (17, 17))
    ((cell,),) = _cells(visualizer.draw_panels({'val/student': label}), 320, columns=1)
    assert {tuple(colour) for colour in cell.reshape(-1, 3).tolist()} == set(map(tuple, PALETTE))


@pytest.mark.parametrize(
    ('shape', 'cell'), [((64, 128), (160, 320)), ((512, 1024), (224, 448)), ((400, 400), (400, 400))]
)
def test_cells_have_a_legible_size_and_the_shape_of_the_image(visualizer, shape, cell):
    grid = visualizer.draw_panels({'val/image': torch.zeros(3, *shape), 'val/student': torch.zeros(shape).long()})
    assert grid.shape[1] == 2 * cell[1] + 3 * MARGIN
    assert grid.shape[0] == MARGIN + LINE + cell[0] + MARGIN + LINE + MARGIN


def test_legend_shows_every_class_and_wraps(visualizer):
    panels = {'val/student': torch.zeros(32, 32).long()}
    short = visualizer.draw_panels(panels)
    for colour in PALETTE:
        assert (short[-LINE - MARGIN :] == colour).all(-1).any()
    classes = [f'class number {i}' for i in range(20)]
    palette = [[10 * i, 255 - 10 * i, 77] for i in range(20)]
    long = visualizer.draw_panels(panels, classes, palette)
    assert long.shape[1] == short.shape[1] and long.shape[0] > short.shape[0]
    for colour in palette:
        assert (long == colour).all(-1).any()


def test_titles_name_the_panels(visualizer):
    def title(name):
        return visualizer.draw_panels({name: torch.zeros(3, 320, 320)})[: MARGIN + LINE - 2]

    assert (title('source/image') < 100).any(), 'dark text on white'
    assert not np.array_equal(title('source/image'), title('target/image'))


def test_classes_without_a_colour_are_refused(visualizer):
    with pytest.raises(ValueError, match='zip'):
        visualizer.draw_panels({'val/student': torch.zeros(8, 8).long()}, CLASSES, PALETTE[:2])
