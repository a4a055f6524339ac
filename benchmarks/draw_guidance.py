"""What label guidance changes in the toy world's translations, for docs/results.md.

    python benchmarks/draw_guidance.py   # after toy_translation.py 0
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

PICTURE = Path(__file__).parents[1] / 'docs/images/toy_guidance.jpg'
GAIN = 4
SIZE = (384, 192)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--run', type=Path, default=Path('work_dirs/toy_translation/seed_0'))
    parser.add_argument('--images', type=int, default=3)
    args = parser.parse_args()
    folder = args.run / 'unguided'
    names = [path.relative_to(folder) for path in sorted(folder.rglob('image/**/*.png'))]
    rows = [row(args.run, name) for name in names[:args.images]]
    cv2.imwrite(str(PICTURE), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


def row(run: Path, name: Path) -> np.ndarray:
    """Unguided, guided by LCG, and their difference GAIN times enlarged around grey: (H, 3 W, 3) uint8."""
    unguided, guided = (cv2.imread(str(run / arm / name)) for arm in ('unguided', 'lcg'))
    difference = np.clip(128 + GAIN * (guided.astype(np.float32) - unguided), 0, 255).astype(np.uint8)
    return np.hstack([cv2.resize(image, SIZE, interpolation=cv2.INTER_NEAREST)
                      for image in (unguided, guided, difference)])


if __name__ == '__main__':
    main()
