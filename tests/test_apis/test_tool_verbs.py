"""OpenMMLab's tools as verbs."""

import sys

import pytest

from mmdass.cli import main
from mmdass.utils.paths import shipped_folder


def test_train(tiny_config_file, tmp_path, capfd):
    arguments = list(sys.argv)
    assert main(['train', str(tiny_config_file), '--dry-run']) == 0
    assert 'peak memory: ' in capfd.readouterr().out
    assert sys.argv == arguments


def test_every_python_tool_is_a_verb(capsys):
    tools = [path.stem for path in shipped_folder('tools').glob('*.py')]
    assert sorted(tools) == ['test', 'train']
    for name in tools:
        with pytest.raises(SystemExit, match='0'):
            main([name, '--help'])
        assert f'usage: {name}.py ' in capsys.readouterr().out
