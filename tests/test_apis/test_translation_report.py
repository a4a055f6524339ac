"""Pictures of a translation."""

import numpy as np

from mmdass.apis.translation_report import write_picture


def test_what_a_kill_left_of_a_picture_goes(tmp_path):
    (tmp_path / '.sheet.png.123.partial').write_bytes(b'half')
    write_picture(tmp_path / 'sheet.png', np.zeros((2, 2, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ['sheet.png']
