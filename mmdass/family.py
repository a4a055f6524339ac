"""Which OpenMMLab family is installed: the maintained ``onedl-*`` packages or the classic ones.

Both own the import names ``mmengine``, ``mmcv`` and ``mmseg``. pip notices no conflict: the later install overwrites
files of the earlier, and uninstalling one then deletes the other's. So neither family is a hard dependency, and this
check reads package metadata only, before anything of theirs is imported.
"""

import importlib.metadata
from collections.abc import Collection

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


def find_fault(installed: Collection[str] | None = None) -> tuple[str, str] | None:
    """What is wrong with mmengine, mmcv and mmseg, each of which needs one owner, and the command that mends it.

    Args:
        installed: Names of distributions; None looks them up.
    """
    owners = {module: [name for name in names if (is_installed(name) if installed is None else name in installed)]
              for module, names in DISTRIBUTIONS.items()}
    every = [name for found in owners.values() for name in found]
    missing = [module for module, found in owners.items() if not found]
    if missing:
        extra = 'onedl' if all(name.startswith('onedl-') for name in every) else 'openmmlab'
        return (f'mmdass needs an OpenMMLab family and finds no {", ".join(missing)}', f"pip install 'mmdass[{extra}]'")
    pairs = '; '.join(' and '.join(found) for found in owners.values() if len(found) > 1)
    if pairs:
        return (f'Two OpenMMLab families overwrite each other here ({pairs})',
                f"pip uninstall -y {' '.join(every)} && pip install 'mmdass[onedl]'")
    return None


def check_family() -> None:
    """Require one owner for each of mmengine, mmcv and mmseg.

    Raises:
        ImportError: One of them has no owner, or two; the message holds the pip line that repairs it.
    """
    fault = find_fault()
    if fault:
        raise ImportError(f'{fault[0]}: {fault[1]} ([onedl] is maintained, [openmmlab] the classic one; never both)')
