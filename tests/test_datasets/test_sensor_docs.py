"""The snippets of docs/data.md are configs that build."""

import re
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

import mmdass.datasets  # noqa: F401
from mmdass.registry import DATASETS, TRANSFORMS

PAGE = Path(__file__).parents[2] / 'docs/data.md'
SECTION = re.search(r'^## Sensors\n(.*?)(?=^## |\Z)', PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
SNIPPETS = re.findall(r'```python\n(.*?)```', SECTION, re.DOTALL)


def test_there_are_snippets_of_every_loader():
    for name in ('LoadDepth', 'DepthToHHA', 'LoadInfrared', 'LoadEvents', 'EventDataset'):
        assert any(name in snippet for snippet in SNIPPETS)


@pytest.mark.parametrize('snippet', SNIPPETS)
def test_snippet(snippet, tmp_path):
    DefaultScope.get_instance('snippets', scope_name='mmdass')
    if snippet.startswith('from'):
        exec(snippet, {})
        return
    config = eval(snippet.strip())
    if isinstance(config, list):
        for step in config:
            TRANSFORMS.build(step)
    elif 'data_root' not in config:
        TRANSFORMS.build(config)
    else:
        with pytest.raises(FileNotFoundError, match='data root'):
            DATASETS.build(dict(config, data_root=str(tmp_path / 'nowhere')))
        for step in config['pipeline']:
            TRANSFORMS.build(step)
