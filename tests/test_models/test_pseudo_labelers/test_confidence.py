import pytest
import torch

from mmdass.models import ConfidencePseudoLabeler


@pytest.fixture
def logits() -> torch.Tensor:
    """(2, 3, 2, 2): of 8 pixels, three have a probability of at least 0.9."""
    probability = torch.full((2, 2, 2), 0.5)
    probability[0, 0] = 0.95
    probability[1, 1, 0] = 0.90001
    rest = (1 - probability) / 2
    return torch.stack([rest, probability, rest], dim=1).log()


def test_weight_is_the_batch_s_share_of_confident_pixels(logits):
    pseudo = ConfidencePseudoLabeler(threshold=0.9)(logits)
    assert (pseudo.label == 1).all() and pseudo.label.dtype == torch.int64
    assert pseudo.weight.shape == pseudo.confidence.shape == (2, 2, 2)
    assert (pseudo.weight == 3 / 8).all()
    torch.testing.assert_close(pseudo.confidence[0], torch.tensor([[0.95, 0.95], [0.5, 0.5]]))


def test_the_share_may_be_that_of_all_ranks(logits, monkeypatch):
    monkeypatch.setattr('mmdass.models.pseudo_labelers.confidence.all_reduce',
                        lambda share, op: share.add_(5 / 8).div_(2) if op == 'mean' else None)
    assert (ConfidencePseudoLabeler(threshold=0.9, weight='all_ranks')(logits).weight == 4 / 8).all()


def test_the_threshold_itself_counts():
    pseudo = ConfidencePseudoLabeler(threshold=0.5)(torch.zeros(1, 2, 4, 4))
    assert (pseudo.weight == 1).all()


def test_half_precision_logits(logits):
    """Probabilities are taken in float32: bf16 has steps of 0.004 next to 1, too coarse for 0.968."""
    pseudo = ConfidencePseudoLabeler(threshold=0.9)(logits.bfloat16())
    torch.testing.assert_close(pseudo.confidence, logits.bfloat16().float().softmax(1).amax(1), rtol=0, atol=0)


def test_the_target_is_seen_clean():
    assert ConfidencePseudoLabeler().threshold == 0.968
    assert ConfidencePseudoLabeler().timestep(0, torch.Generator()) == 0


def test_weight_of_each_pixel_alone(logits):
    pseudo = ConfidencePseudoLabeler(threshold=0.9, weight='pixel')(logits)
    assert pseudo.weight.tolist() == [[[1, 1], [0, 0]], [[0, 0], [1, 0]]]
    with pytest.raises(ValueError, match="'all_ranks' or 'pixel', not 'image'"):
        ConfidencePseudoLabeler(weight='image')


@pytest.mark.parametrize('weight', ['global', 'pixel'])
def test_margins_weigh_nothing_and_the_share_is_of_all_pixels(weight):
    """DAFormer takes the share first and cuts the margins off afterwards."""
    logits = torch.zeros(1, 2, 200, 3)
    logits[:, 0, :100] = 9
    pseudo = ConfidencePseudoLabeler(weight=weight, ignore_top=15, ignore_bottom=120)(logits)
    inside = pseudo.weight[:, 15:80]
    assert (inside == (0.5 if weight == 'global' else 1)).all()
    assert pseudo.weight.sum() == inside.sum() > 0
