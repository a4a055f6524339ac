"""What mim and MMEngine's hub read of the configs."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.name for path in (ROOT / 'configs').iterdir() if path.is_dir() and path.name != '_base_')


def metafile(folder: str) -> dict:
    return yaml.safe_load((ROOT / f'configs/{folder}/metafile.yml').read_text())


def test_the_index_imports_every_metafile():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert index == dict(Import=[f'configs/{folder}/metafile.yml' for folder in FOLDERS])


def test_names_are_unique():
    names = [model['Name'] for folder in FOLDERS for model in metafile(folder)['Models']]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize('folder', FOLDERS)
def test_every_config_is_a_model_of_a_collection(folder):
    meta = metafile(folder)
    configs = sorted(f'configs/{folder}/{path.name}' for path in (ROOT / 'configs' / folder).glob('*.py'))
    assert [model['Config'] for model in meta['Models']] == configs
    collections = {collection['Name'] for collection in meta['Collections']}
    assert {model['In Collection'] for model in meta['Models']} == collections
    assert all(model['Metadata']['Training Data'] for model in meta['Models'])


@pytest.mark.parametrize('folder', FOLDERS)
def test_lists_hold_words(folder):  # `mim search` fails on numbers
    lists = [entry for model in metafile(folder)['Models'] for entry in model['Metadata'].values()
             if isinstance(entry, list)]
    assert lists and all(isinstance(word, str) for words in lists for word in words)


@pytest.mark.parametrize('folder', FOLDERS)
def test_what_a_collection_names_exists(folder):
    for collection in metafile(folder)['Collections']:
        assert (ROOT / collection['README']).is_file() and (ROOT / collection['Code']).is_file()
        if 'Paper' in collection:
            assert collection['Paper']['URL'] in (ROOT / collection['README']).read_text()


@pytest.mark.parametrize('folder', FOLDERS)
def test_every_number_stands_on_a_page_that_says_how_it_was_measured(folder):
    pages = (ROOT / f'configs/{folder}/README.md').read_text() + (ROOT / 'docs/results.md').read_text()
    for model in metafile(folder)['Models']:
        results = model.get('Results', [])
        assert not results or model['Metadata']['Seeds']
        numbers = [number for result in results for number in result['Metrics'].values()]
        numbers += [model['Metadata'][key] for key in model['Metadata'] if key.startswith('Published')]
        for number in numbers:
            assert str(number) in pages, f'{model["Name"]}: {number} is not in its README, nor in docs/results.md'
