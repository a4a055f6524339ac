import pytest
from tiny_translator import UNET

from mmdass.models import DiffusionTranslator
from mmdass.models.translators import PROFILES
from mmdass.models.translators.profiles import set_profile

DENOISER = dict(type='Denoiser', unet=UNET)


@pytest.fixture(autouse=True)
def scope(default_scope):
    """Names without a prefix."""


@pytest.mark.parametrize('profile', PROFILES)
def test_profiles_build(profile):
    translator = DiffusionTranslator(DENOISER, profile=profile)
    assert [hook.name for hook in translator.sgg_hooks] == ['lcg', 'gsg']
    assert translator.start == 600
    assert len(translator.timesteps(600)) == (PROFILES[profile]['num_steps'] or 600)


def test_the_paper_profile_is_the_default_but_for_the_hooks():
    plain, paper = DiffusionTranslator(DENOISER), DiffusionTranslator(DENOISER, profile='paper')
    assert plain.timesteps(plain.start) == paper.timesteps(paper.start) == list(range(599, -1, -1))
    assert not plain.sgg_hooks
    for hook in paper.sgg_hooks:
        assert (hook.scale, hook.trust_region, hook.guide_on, hook.every) == (60, None, 'xk', 2)


def test_a_full_chain_is_as_long_as_its_start():
    for translator in (DiffusionTranslator(DENOISER, start=800), DiffusionTranslator(DENOISER, profile='paper')):
        assert translator.timesteps(800) == list(range(799, -1, -1))


def test_explicit_arguments_win():
    translator = DiffusionTranslator(
        DENOISER, [dict(type='GlobalSceneGuidanceHook', scale=7.0, guide_on='xk')], start=200, num_steps=200,
        profile='fast')
    (hook,) = translator.sgg_hooks
    assert (hook.name, hook.scale, hook.guide_on) == ('gsg', 7.0, 'xk')
    assert hook.trust_region == 0.3  # the profile's
    assert len(translator.timesteps(200)) == 200
    assert not DiffusionTranslator(DENOISER, [], profile='fast').sgg_hooks


def test_a_profile_over_a_config_leaves_what_is_calibrated():
    translator = dict(start=100, num_steps=7, sgg_hooks=[dict(type='GlobalSceneGuidanceHook', scale=7.0)])
    set_profile(translator, 'fast')
    assert (translator['start'], translator['num_steps'], translator['profile']) == (100, 20, 'fast')
    assert [hook.get('scale') for hook in translator['sgg_hooks']] == [None, 7.0]
    del translator['start']
    set_profile(translator, 'paper')
    assert translator['start'] == 600


def test_refuses_a_single_hook_of_a_profile_changed():
    with pytest.raises(ValueError, match='is no list'):
        DiffusionTranslator(DENOISER, {'0': dict(scale=7.0)}, profile='fast')


def test_refuses_to_show_noisy_latents_to_the_guide():
    latent = dict(type='LatentDenoiser', random_init='tiny', vae='toy')
    with pytest.raises(ValueError, match="noisy latents.*'x0_detached'"):
        DiffusionTranslator(latent, profile='paper')
    assert DiffusionTranslator(latent, profile='fast').sgg_hooks


def test_refuses_unknown_names():
    with pytest.raises(ValueError, match='quick.*fast'):
        DiffusionTranslator(DENOISER, profile='quick')
    with pytest.raises(ValueError, match='float8'):
        DiffusionTranslator(DENOISER, dtype='float8')
