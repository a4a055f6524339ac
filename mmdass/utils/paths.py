"""Where the package's own files are."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(name: str) -> Path:
    """'configs' or 'tools': inside the installed package (``.mim``), or beside it in a checkout.

    Raises:
        FileNotFoundError: It is in neither place.
    """
    for folder in (_PACKAGE / '.mim' / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f'the shipped {name} are neither in {_PACKAGE / ".mim"} nor beside {_PACKAGE}; reinstall')
