"""`mmdass prepare DATA_SET ROOT`: from the files as downloaded to files that train. One file a data set."""

from mmdass.cli import run_verb

DATA_SETS = {
    'cityscapes': ('mmdass.prepare.cityscapes:main', 'labelIds to labelTrainIds; images checked'),
    'gta': ('mmdass.prepare.gta:main', 'GTA5: palette labels to labelTrainIds; images checked'),
    'synthia': ('mmdass.prepare.synthia:main', 'SYNTHIA-RAND-CITYSCAPES: 16-bit labels to labelTrainIds'),
    'deliver': ('mmdass.prepare.deliver:main', 'depth images and labels checked; nothing is written'),
    'fmb': ('mmdass.prepare.fmb:main', 'infrared images and labels checked; nothing is written'),
    'dsec': ('mmdass.prepare.dsec:main', "raw events to event images; or the authors' images checked"),
    'toy': ('mmdass.prepare.toy:main', 'the toy world as files'),
}


def main(argv: list[str]) -> int:
    """Prepare the data set that ``argv`` begins with."""
    return run_verb('mmdass prepare', DATA_SETS, argv)
