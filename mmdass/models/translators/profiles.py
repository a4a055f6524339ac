"""How thorough a translation is: arguments of ``DiffusionTranslator`` by the name of a profile.

``paper`` is the literal reading, ``exact_fast`` the same chain in bfloat16, ``fast`` a thirtieth of the steps, guided
on the predicted clean image by a random part of the classes within a trust region, ``debug`` a few in float64.
"""

import copy
from collections.abc import Sequence

_LITERAL = dict(guide_on='xk', trust_region=None)
_CONTROLLED = dict(guide_on='x0_detached', trust_region=0.3)


def _hooks(both: dict, **lcg) -> list[dict]:
    return [dict(type='mmdass.LocalClassGuidanceHook', **both, **lcg),
            dict(type='mmdass.GlobalSceneGuidanceHook', **both)]


PROFILES: dict[str, dict] = {  # num_steps=None: each of the chain's
    'paper': dict(start=600, num_steps=None, dtype='float32', sgg_hooks=_hooks(_LITERAL)),
    'exact_fast': dict(start=600, num_steps=None, dtype='bfloat16', sgg_hooks=_hooks(_LITERAL)),
    'fast': dict(start=600, num_steps=20, dtype='bfloat16', sgg_hooks=_hooks(_CONTROLLED, num_classes=6)),
    'debug': dict(start=600, num_steps=8, dtype='float64', sgg_hooks=_hooks(_LITERAL)),
}


def apply_profile(name: str | None, arguments: dict) -> dict:
    """Fill in the arguments that are None from a profile.

    A hook that is given keeps its own arguments and takes the others from the profile's hook of that type; only the
    hooks that are given are used.

    Args:
        name: A key of ``PROFILES``; None for 'paper' without hooks.
        arguments: ``start``, ``num_steps``, ``dtype`` and ``sgg_hooks``, as given to ``DiffusionTranslator``.

    Raises:
        ValueError: Unknown name, or hooks that are no list.
    """
    hooks = arguments['sgg_hooks']
    if hooks is not None and not isinstance(hooks, Sequence):
        raise ValueError(f'DiffusionTranslator: sgg_hooks={hooks} is no list. Where a config leaves the hooks to its '
                         'profile, one of them cannot be changed alone: list both in a config of your own.')
    if name is not None and name not in PROFILES:
        raise ValueError(f'unknown profile {name!r}; choose one of {sorted(PROFILES)}')
    profile = PROFILES['paper'] | dict(sgg_hooks=[]) if name is None else PROFILES[name]
    given = {key: value for key, value in arguments.items() if value is not None}
    if 'sgg_hooks' in given:
        defaults = {_base_name(hook): hook for hook in profile['sgg_hooks']}
        given['sgg_hooks'] = [{**defaults.get(_base_name(hook), {}), **hook} for hook in given['sgg_hooks']]
    return profile | given


def set_profile(translator: dict, name: str) -> None:
    """Change a config of ``DiffusionTranslator`` to a profile's settings, whatever it says itself.

    ``start`` and the scales of guidance stay where they are given, as they are calibrated to the data.
    """
    scales = {_base_name(hook): hook['scale'] for hook in translator.get('sgg_hooks') or () if 'scale' in hook}
    settings = copy.deepcopy(PROFILES[name])
    if translator.get('start') is not None:
        settings['start'] = translator['start']
    for hook in settings['sgg_hooks']:
        kind = _base_name(hook)
        hook.update({'scale': scales[kind]} if kind in scales else {})
    translator.update(settings, profile=name)


def _base_name(hook: dict) -> str:
    return hook['type'].split('.')[-1]
