"""What label guidance changes in the toy world's translations: a picture for docs/results.md, and how far images move.

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
    for arm in ('gsg', 'lcg', 'both'):
        moved = [np.square(read(args.run, arm, name) - read(args.run, 'unguided', name)).mean() for name in names]
        print(f'{arm}: {np.sqrt(np.mean(moved)):.2f} of 255 from unguided, root mean square')
    rows = [row(args.run, name) for name in names[:args.images]]
    cv2.imwrite(str(PICTURE), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


def row(run: Path, name: Path) -> np.ndarray:
    """Unguided, guided by LCG, and their difference GAIN times enlarged around grey: (H, 3 W, 3) uint8."""
    unguided, guided = (read(run, arm, name) for arm in ('unguided', 'lcg'))
    difference = np.clip(128 + GAIN * (guided - unguided), 0, 255)
    return np.hstack([cv2.resize(image.astype(np.uint8), SIZE, interpolation=cv2.INTER_NEAREST)
                      for image in (unguided, guided, difference)])


def read(run: Path, arm: str, name: Path) -> np.ndarray:
    """A translation, (H, W, 3) float32 BGR."""
    return cv2.imread(str(run / arm / name)).astype(np.float32)


if __name__ == '__main__':
    main()
