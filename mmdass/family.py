"""Which OpenMMLab family is installed: the maintained ``onedl-*`` packages or the classic ones.

Both own the import names ``mmengine``, ``mmcv`` and ``mmseg``. pip notices no conflict: the later install overwrites
files of the earlier, and uninstalling one then deletes the other's. So neither family is a hard dependency, and this
check reads package metadata only, before anything of theirs is imported.
"""

import importlib.metadata

DISTRIBUTIONS = {
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
}


def is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def check_family() -> None:
    """Require one owner for each of mmengine, mmcv and mmseg.

    Raises:
        ImportError: One of them has no owner, or two; the message holds the pip line that repairs it.
    """
    owners = {module: [name for name in names if is_installed(name)] for module, names in DISTRIBUTIONS.items()}
    missing = [module for module, found in owners.items() if not found]
    if missing:
        raise ImportError(
            f"mmdass needs an OpenMMLab family and finds no {', '.join(missing)}: pip install 'mmdass[onedl]' "
            "(maintained) or pip install 'mmdass[openmmlab]' (classic), never both.")
    doubled = {module: found for module, found in owners.items() if len(found) > 1}
    if doubled:
        every = ' '.join(name for found in owners.values() for name in found)
        pairs = '; '.join(' and '.join(found) for found in doubled.values())
        raise ImportError(
            f'Two OpenMMLab families overwrite each other here ({pairs}): pip uninstall -y {every} '
            "&& pip install 'mmdass[onedl]'")
