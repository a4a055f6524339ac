import torch

from mmdass.models import LearnableConditioning


def test_prompt_and_time_residual_by_hand():
    conditioning = LearnableConditioning((77, 8), 32)
    empty = torch.randn(1, 77, 8)
    parameters = dict(conditioning.named_parameters())
    torch.nn.init.normal_(parameters['alpha_cond_time'])
    prompt, residual = conditioning(empty)
    own = torch.tanh(parameters['alpha_cond_prompt']) * parameters['prompt_embed']
    torch.testing.assert_close(prompt, torch.tanh(parameters['alpha_uncond_prompt']) * empty + own)
    assert residual.shape == (1, 32)
    torch.testing.assert_close(
        residual[0], torch.tanh(parameters['alpha_cond_time']) * parameters['time_embed'].flatten())


def test_start():
    torch.manual_seed(0)
    conditioning = LearnableConditioning((77, 768), 1280)
    prompt, residual = conditioning(torch.zeros(1, 77, 768))
    assert not residual.any()  # the UNet starts with its own time embedding
    for name in ('alpha_cond_prompt', 'alpha_uncond_prompt'):  # uniform in (0, 1)
        alpha = getattr(conditioning, name)
        assert 0 <= alpha.min() < 0.01 and 0.99 < alpha.max() < 1 and abs(alpha.mean() - 0.5) < 0.01
    for name in ('prompt_embed', 'time_embed'):
        assert abs(getattr(conditioning, name).std() - 0.02) < 0.002
    assert sum(p.numel() for p in conditioning.parameters()) == 179_968
