"""Draw the pictures of the lesson and the other pages again, from runs on MNIST."""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
SCRIPT = DOCS.parent / "logistic_sgd.py"

STEPS = "--learning-rate 0.5 --batch-size 64 --n-steps 1000 --shuffle 0"
# Options of a run, and the names of its pictures in this folder.
RUNS = [
    ("", {n: n for n in ("weights", "learning_curve", "confusion", "mistakes")}),
    (STEPS, {"weights": "weights_1000_steps"}),
]


def draw(options, names, folder):
    """Train with some options, and copy the named pictures into this folder.

    A palette makes them a third of the size: nobody sees a difference, and a repository
    keeps every version of them.
    """
    # MNIST by name, so that nothing else can stand in for it.
    command = [sys.executable, SCRIPT, "--dataset", "mnist.pkl.gz", *options.split()]
    subprocess.run([*command, "--plot", "."], cwd=folder, check=True)
    for name, here in names.items():
        picture = Image.open(Path(folder, f"{name}.png")).convert("RGB")
        # Maximum coverage keeps the ends of the colour bar, where few pixels are; one
        # round of k-means brings each area to its own colour again.
        few_colours = picture.quantize(
            256, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
        )
        few_colours.save(DOCS / f"{here}.png", optimize=True)


def main():
    for options, names in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            draw(options, names, folder)


if __name__ == "__main__":
    main()
