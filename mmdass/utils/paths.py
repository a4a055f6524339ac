"""Where the package's own files are."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def configs_folder() -> Path:
    """The shipped configs: inside the installed package (``.mim``), or beside it in a checkout.

    Raises:
        FileNotFoundError: They are in neither place.
    """
    for folder in (_PACKAGE / '.mim' / 'configs', _PACKAGE.parent / 'configs'):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f'the shipped configs are neither in {_PACKAGE / ".mim"} nor beside {_PACKAGE}; reinstall')
