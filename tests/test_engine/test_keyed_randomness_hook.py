import torch

from mmdass.models.utils import Counter

HOOK = dict(type='KeyedRandomnessHook')


def test_hands_the_seed_to_the_model(make_runner, uda_segmentor):
    make_runner(uda_segmentor, hooks=[HOOK]).train()
    assert uda_segmentor.seed == 7


def test_the_models_iterations_are_the_runners(make_runner, uda_segmentor):
    """`load_from` brings the count of a finished run along; a new training begins at 0 all the same."""
    uda_segmentor.iterations = Counter()
    uda_segmentor.iterations.value = 10000
    make_runner(uda_segmentor, hooks=[HOOK]).train()
    assert uda_segmentor.iterations.value == 0  # this test's model does not count


def test_draws_depend_on_iteration_and_seed_only(make_runner, uda_segmentor):
    make_runner(uda_segmentor, hooks=[HOOK]).train()
    first = list(uda_segmentor.draws)
    uda_segmentor.draws.clear()

    # The second training starts at iteration 2, as a resumed one does.
    runner = make_runner(uda_segmentor, hooks=[HOOK])
    runner.train_loop._iter = 2
    runner.train()
    assert all(map(torch.equal, first[2:], uda_segmentor.draws))
    assert not torch.equal(first[0], first[1])

    uda_segmentor.draws.clear()
    make_runner(uda_segmentor, hooks=[HOOK], randomness=dict(seed=8)).train()
    assert not torch.equal(first[0], uda_segmentor.draws[0])


def test_a_model_without_seed_is_keyed_too(make_runner, segmentor):
    make_runner(segmentor, hooks=[HOOK]).train()
    first = list(segmentor.draws)
    segmentor.draws.clear()
    make_runner(segmentor, hooks=[HOOK]).train()
    assert all(map(torch.equal, first, segmentor.draws))
    assert not hasattr(segmentor, 'seed')
