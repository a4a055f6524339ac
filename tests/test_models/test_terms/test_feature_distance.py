import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from torch import nn

from mmdass.models import FeatureDistance
from mmdass.models.pseudo_labelers import ConfidencePseudoLabeler
from mmdass.structures import SelfTrainingStep

SPACE = dict(classes=('road', 'sky', 'car', 'person'))


@MODELS.register_module()
class _Halves(nn.Module):
    """Two levels, of which the last is a quarter of the image's size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 4, 4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return x, self.drop(self.conv(x))


def segmentor(classes: int = 4) -> EncoderDecoder:
    return EncoderDecoder(
        backbone=dict(type='_Halves'),
        decode_head=dict(type='FCNHead', in_channels=5, in_index=1, channels=5, num_convs=0, concat_input=False,
                         num_classes=classes, loss_decode=dict(type='CrossEntropyLoss')),
        test_cfg=ConfigDict(mode='whole'))


def bound(student: EncoderDecoder, **options) -> FeatureDistance:
    term = FeatureDistance(SPACE, classes=('car', 'person'), **options)
    term.bind(student)
    return term


def step(images: torch.Tensor, label: torch.Tensor, features: tuple) -> SelfTrainingStep:
    return SelfTrainingStep(images, images, label, ConfidencePseudoLabeler()(torch.zeros(1, 4, 8, 8)), features)


@pytest.fixture
def label() -> torch.Tensor:
    """(1, 8, 8), places of 4 x 4: 12 of 16 pixels car, 11 person, 8 car and 8 person, all sky."""
    label = torch.full((1, 8, 8), 255)
    label[0, :4, :3] = 2
    label[0, :4, 4:] = torch.tensor([3] * 11 + [0] * 5).view(4, 4)
    label[0, 4:, :2], label[0, 4:, 2:4] = 2, 3
    label[0, 4:, 4:] = 1
    return label


def test_places_that_one_thing_fills(label):
    places = bound(segmentor()).places(label, (2, 2))
    assert places.tolist() == [[[True, False], [False, False]]]  # 0.75 counts, 0.69 does not, halves do not
    assert bound(segmentor(), min_ratio=0.6).places(label, (2, 2)).tolist() == [[[True, True], [False, False]]]
    everywhere = FeatureDistance(SPACE, classes=None)
    assert everywhere.places(label, (2, 2)).all()


def test_the_distance_by_hand(label):
    """Golden: loops over places and channels, float by float."""
    torch.manual_seed(0)
    student = segmentor()
    term = bound(student)
    reference = {name: value.clone() for name, value in student.backbone.state_dict().items()}
    nn.init.normal_(student.backbone.conv.weight)  # the student moves on
    images = torch.randn(1, 3, 8, 8)
    features = student.backbone.eval()(images)
    before = nn.functional.conv2d(images, reference['conv.weight'], reference['conv.bias'], stride=4)
    # At the only place that counts:
    difference = [float(features[1][0, c, 0, 0].detach() - before[0, c, 0, 0]) for c in range(5)]
    expected = 0.005 * sum(value * value for value in difference) ** 0.5
    losses = term(None, step(images, label, features))
    assert losses['source.loss_feature_distance'].item() == pytest.approx(expected, rel=1e-5)
    losses['source.loss_feature_distance'].backward()
    assert student.backbone.conv.weight.grad.abs().sum() > 0
    assert not any(p.requires_grad or p.grad is not None for p in term.reference.parameters())


def test_no_thing_in_sight_is_no_loss(label):
    student = segmentor()
    images = torch.randn(1, 3, 8, 8)
    loss = bound(student)(None, step(images, torch.ones_like(label), student.backbone(images)))
    assert loss['source.loss_feature_distance'] == 0
    loss['source.loss_feature_distance'].backward()  # finite: nothing divides by no places
    assert (student.backbone.conv.weight.grad == 0).all()


def test_the_reference_is_what_the_student_was_initialised_with_and_never_trains():
    student = segmentor()
    term = bound(student)
    nn.init.constant_(student.backbone.conv.weight, 0.5)  # as init_weights of a pretrained backbone
    term.init_weights()
    assert (term.reference.conv.weight == 0.5).all()
    nn.init.constant_(student.backbone.conv.weight, 0.25)
    assert (term.reference.conv.weight == 0.5).all()
    assert not any(module.training for module in term.train().reference.modules())
    assert {name.split('.')[0] for name in term.state_dict()} == {'reference'}  # the student's are not there twice


def test_official_values():
    term = FeatureDistance('cityscapes19')
    assert (term.loss_weight, term.min_ratio) == (0.005, 0.75)
    assert term.indices.tolist() == [6, 7, 11, 12, 13, 14, 15, 16, 17, 18]


def test_bad_input():
    with pytest.raises(ValueError, match="no class 'cars' in the label space. Did you mean 'car'?"):
        FeatureDistance(SPACE, classes=('cars',))
    with pytest.raises(ValueError, match='knows 4 classes and the segmentor predicts 7.*label_space'):
        bound(segmentor(7))
    with pytest.raises(ValueError, match='above 0.5'):
        FeatureDistance(SPACE, classes=None, min_ratio=0.5)
    student = segmentor()
    student.backbone.forward_latents = None
    with pytest.raises(TypeError, match='a diffusion backbone, .* has not learned from ImageNet'):
        bound(student)


def test_what_initialises_a_model_gives_the_reference_the_student_s_weights():
    """As the Runner does, with a backbone that draws its weights anew then, or reads ImageNet's."""
    backbone = dict(type='MixVisionTransformer', embed_dims=8, num_layers=[1] * 4)
    head = dict(
        type='SegformerHead', in_channels=[8, 16, 40, 64], in_index=[0, 1, 2, 3], channels=8, num_classes=19,
        align_corners=False)
    segmentor_cfg = dict(type='EncoderDecoder', backbone=backbone, decode_head=head, test_cfg=dict(mode='whole'))
    model = MODELS.build(ConfigDict(
        type='mmdass.SelfTraining', segmentor=segmentor_cfg,
        terms=dict(feature_distance=dict(type='mmdass.FeatureDistance', label_space='cityscapes19'))))
    before = model.segmentor.backbone.layers[0][0].projection.weight.clone()
    model.init_weights()
    student, reference = model.segmentor.backbone.state_dict(), model.terms['feature_distance'].reference.state_dict()
    assert not before.equal(student['layers.0.0.projection.weight'])
    torch.testing.assert_close(reference, student, rtol=0, atol=0)
