"""Margins that a data preprocessor adds."""

import torch
from mmseg.structures import SegDataSample
from tiny_madm import build_armed, madm_cfg, make_batch

from mmdass.models.utils.padding import ignore_padding
from mmdass.structures import PseudoLabel

from ..test_segmentors.test_self_training import self_training


def test_padding_is_neither_labelled_nor_confident_nor_weighed():
    pseudo = PseudoLabel(torch.zeros(2, 6, 8).long(), torch.ones(2, 6, 8), torch.ones(2, 6, 8))
    ignore_padding(pseudo, [SegDataSample(metainfo=dict(padding_size=(1, 2, 0, 3))), SegDataSample()])
    inside = torch.zeros(6, 8, dtype=torch.bool)
    inside[:3, 1:6] = True
    for found in (pseudo.label == 0, pseudo.confidence == 1, pseudo.weight == 1):
        assert torch.equal(found[0], inside) and found[1].all()


def test_methods_learn_nothing_from_padding():
    madm = build_armed(madm_cfg())
    for model in (self_training(), madm):
        inputs, samples = make_batch()
        samples['target'][0].set_metainfo(dict(padding_size=(0, 24, 0, 0)))
        model.panels_wanted = True
        model.loss(inputs, samples)
        pasted = model.panels['mix/weight'][0, :, -24:] == 1
        assert (model.panels['mix/label'][0, :, -24:][~pasted] == 255).all()
        assert (model.panels['mix/weight'][0, :, -24:][~pasted] == 0).all()
        assert (model.panels['mix/weight'][:, :, :-24] > 0).all() and (model.panels['mix/weight'][1] > 0).all()
