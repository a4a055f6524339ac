"""The hooks on a single reverse step: gradients, trust region, random classes."""

import pytest
import torch
from tiny_translator import GUIDES, make_images, make_segmentor

from mmdass.models import Guide
from mmdass.registry import HOOKS
from mmdass.structures import LabelRegions, ReverseStep

IMAGES, LABELS, _ = make_images(3)
X, NOISE, VARIANCE = torch.rand(3, *IMAGES.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
REGIONS = LabelRegions.of_classes(LABELS)
GUIDE = Guide(make_segmentor()).double()


def make_hook(type_: str, **options):
    return HOOKS.build(dict(type=f'mmdass.{type_}', every=1, phase=0) | options)


def make_step(remaining: int = 0, **options) -> ReverseStep:
    return ReverseStep(**dict(
        timestep=50, previous=40, remaining=remaining, noise=NOISE, alpha_cumprod=torch.tensor(0.4), guide=GUIDE,
        to_image=lambda x: x, classes=REGIONS, scenes=LabelRegions.of_scenes(LABELS),
        generators=[torch.Generator().manual_seed(i) for i in range(3)]) | options)


def move(hook, x=X, variance=VARIANCE, label=LABELS, step=None) -> torch.Tensor:
    return hook.adjust_mean(torch.zeros_like(x), variance, x, step or make_step(), label)


def loss(hook, x) -> torch.Tensor:
    step = make_step()
    move(hook, x, step=step)
    return step.losses[hook.name]


@pytest.mark.parametrize('type_', GUIDES)
@pytest.mark.parametrize('guide_on', ['xk', 'x0_detached'])
def test_a_small_step_lowers_the_loss_by_the_squared_gradient(type_, guide_on):
    hook = make_hook(type_, scale=1.0, guide_on=guide_on)
    descent = move(hook, variance=torch.ones(()).double())
    squared = descent.square().sum((1, 2, 3))
    length = 1e-6
    change = loss(hook, X + length * descent) - loss(hook, X)
    torch.testing.assert_close(change / (-length * squared), torch.ones(3).double(), rtol=1e-3, atol=0)


def test_the_mean_moves_by_the_variance():
    for type_ in GUIDES:
        gradient = -move(make_hook(type_, scale=1.0), variance=torch.ones(()).double())
        torch.testing.assert_close(move(make_hook(type_, scale=7.0)), -7 * VARIANCE * gradient)


def test_losses_are_means_over_pixels_summed_over_regions():
    with torch.no_grad():
        of_scene = torch.nn.functional.cross_entropy(GUIDE(X), LABELS, ignore_index=255, reduction='none')
        of_class = []
        for i, mask in zip(REGIONS.images, REGIONS.masks, strict=True):
            pixels = torch.nn.functional.cross_entropy(
                GUIDE(X[i:i + 1] * mask), LABELS[i:i + 1], ignore_index=255, reduction='none')
            of_class.append(pixels[0, mask].mean())
    expected = torch.stack([of_scene[i][LABELS[i] != 255].mean() for i in range(3)])
    torch.testing.assert_close(loss(make_hook(GUIDES[1]), X), expected)
    expected = torch.zeros(3).double().index_add_(0, REGIONS.images, torch.stack(of_class))
    torch.testing.assert_close(loss(make_hook(GUIDES[0]), X), expected)


def test_void_pixels_feel_the_scene_but_no_class():
    void = (LABELS == 255)[:, None].expand_as(X)
    lcg, gsg = (move(make_hook(type_)) for type_ in GUIDES)
    assert (lcg[void] == 0).all()
    assert (lcg[~void] != 0).any()
    assert (gsg[void] != 0).any()


@pytest.mark.parametrize('type_', GUIDES)
def test_the_loss_is_a_sum_over_images(type_):
    together = move(make_hook(type_))
    label = LABELS[1:2]
    step = make_step(classes=LabelRegions.of_classes(label), scenes=LabelRegions.of_scenes(label), noise=NOISE[1:2])
    alone = move(make_hook(type_), X[1:2], VARIANCE[1:2], label, step)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('guide_on', ['xk', 'x0_detached'])
def test_the_clean_image_is_guided_through_the_signals_scale(guide_on):
    """With 'x0_detached' the segmentor sees x0, and the state's gradient is that of x0 by 1/sqrt(alpha-bar)."""
    abar = torch.tensor(0.4)
    x0 = (X - (1 - abar).sqrt() * NOISE) / abar.sqrt()
    expected = move(make_hook(GUIDES[1]), x0 if guide_on == 'x0_detached' else X)
    if guide_on == 'x0_detached':
        expected = expected / abar.sqrt()
    torch.testing.assert_close(move(make_hook(GUIDES[1], guide_on=guide_on)), expected)


@pytest.mark.parametrize('type_', GUIDES)
@pytest.mark.parametrize('chunk', [1, 3])
def test_chunks_do_not_matter(type_, chunk):
    torch.testing.assert_close(
        move(make_hook(type_, chunk=chunk)), move(make_hook(type_, chunk=1000)), rtol=1e-12, atol=1e-12)


def test_only_present_classes_pass_through_the_segmentor():
    seen = []

    def counting(images):
        seen.append(len(images))
        return GUIDE(images)

    label = LABELS.clone()
    label[1] = 255
    step = make_step(
        guide=counting, classes=LabelRegions.of_classes(label), scenes=LabelRegions.of_scenes(label))
    move(make_hook(GUIDES[0], chunk=100), label=label, step=step)
    move(make_hook(GUIDES[1], chunk=100), label=label, step=step)
    assert seen == [sum(len(label[i].unique()) - 1 for i in (0, 2)), 2]


def lengths(delta: torch.Tensor, areas: list) -> torch.Tensor:
    units = (delta / VARIANCE.sqrt()).square().mean(1)
    return torch.stack([units[i][area].mean().sqrt() for i, area in areas])


@pytest.mark.parametrize('type_', GUIDES)
def test_a_trust_region_shortens_each_region_and_nothing_else(type_):
    areas = list(enumerate(torch.ones_like(LABELS, dtype=torch.bool)))
    if type_ == GUIDES[0]:
        areas = list(zip(REGIONS.images.tolist(), REGIONS.masks, strict=True))
    free = move(make_hook(type_))
    free_lengths = lengths(free, areas)
    radius = free_lengths.median().item()
    limited = move(make_hook(type_, trust_region=radius))
    torch.testing.assert_close(lengths(limited, areas), free_lengths.clamp(max=radius))
    for (i, area), length in zip(areas, free_lengths, strict=True):
        ours, theirs = limited[i][:, area], free[i][:, area]
        if length < radius:
            assert torch.equal(ours, theirs)
        else:
            torch.testing.assert_close(ours, theirs * radius / length)
    assert torch.equal(move(make_hook(type_, trust_region=1e9)), free)


def test_latents_are_limited_image_by_image():
    latents = torch.rand(3, 4, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    step = make_step(
        noise=torch.zeros_like(latents),
        to_image=lambda x: torch.nn.functional.interpolate(x[:, :3], scale_factor=2).tanh())
    variance = torch.full((), 0.01).double()
    free = move(make_hook(GUIDES[0]), latents, variance, step=step)
    limited = move(make_hook(GUIDES[0], trust_region=1e-5), latents, variance, step=step)
    size = limited.div(0.1).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(size, torch.full_like(size, 1e-5))
    factor = 1e-5 / free.div(0.1).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(limited, free * factor[:, None, None, None])


def test_gradients_add_up_in_the_chains_precision():
    seen = []

    def guide(images):
        seen.append(images.dtype)
        return GUIDE(images)

    for type_ in GUIDES:
        moved = move(make_hook(type_), step=make_step(guide=guide, to_image=lambda x: x.bfloat16()))
        assert moved.dtype == X.dtype and moved.any()
    assert set(seen) == {X.dtype}


def test_random_classes_are_right_on_average():
    exact = move(make_hook(GUIDES[0]))
    hook = make_hook(GUIDES[0], num_classes=2)
    total, weights = torch.zeros(len(REGIONS.images)).double(), []
    generators = [torch.Generator().manual_seed(i) for i in range(3)]
    for _ in range(4000):
        rows, weight = hook.choose(make_step(generators=generators))
        total.index_add_(0, rows, weight)
        weights.append(weight)
    torch.testing.assert_close(total / 4000, torch.ones_like(total), rtol=0.05, atol=0)
    counts = [min(len(rows), 2) for rows in REGIONS.rows]
    assert all(len(weight) == sum(counts) for weight in weights)
    moved = move(hook)
    for image, rows in enumerate(REGIONS.rows):
        shares = set()
        for mask in REGIONS.masks[rows]:
            ours, theirs = moved[image][:, mask], exact[image][:, mask]
            shares.add(round((ours.norm() / theirs.norm()).item(), 6))
            torch.testing.assert_close(ours, theirs * ours.norm() / theirs.norm())
        assert shares == {0, len(rows) / 2}


def test_as_many_random_classes_as_there_are_is_all():
    assert torch.equal(move(make_hook(GUIDES[0], num_classes=5)), move(make_hook(GUIDES[0])))


@pytest.mark.parametrize('type_, options', [(GUIDES[0], {}), (GUIDES[0], dict(num_classes=2)), (GUIDES[1], {})])
def test_nothing_to_guide_leaves_the_mean_alone(type_, options):
    void = torch.full_like(LABELS, 255)
    step = make_step(
        guide=None, classes=LabelRegions.of_classes(void), scenes=LabelRegions.of_scenes(void))
    mean = torch.rand_like(X)
    assert make_hook(type_, **options).adjust_mean(mean, VARIANCE, X, step, void) is mean


def test_acts_at_its_phase_counted_from_the_end():
    for type_, default in zip(GUIDES, (1, 0), strict=True):
        acts = [remaining for remaining in range(6)
                if move(HOOKS.build(dict(type=f'mmdass.{type_}')), step=make_step(remaining)).any()]
        assert acts == [default, default + 2, default + 4]
    assert [remaining for remaining in range(9)
            if move(make_hook(GUIDES[0], every=4, phase=3), step=make_step(remaining)).any()] == [3, 7]


def test_refuses_what_would_do_nothing():
    with pytest.raises(ValueError, match='phase=2'):
        make_hook(GUIDES[0], every=2, phase=2)
    with pytest.raises(ValueError, match='num_classes=0'):
        make_hook(GUIDES[0], num_classes=0)
    with pytest.raises(ValueError, match="'x0_full'"):
        make_hook(GUIDES[0], guide_on='x0_full')
    with pytest.raises(TypeError, match='sgg_hooks'):
        make_hook(GUIDES[0]).before_run(runner=None)
