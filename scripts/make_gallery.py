"""Makes the gallery that ships with the program out of a finished training.

    nst train style PAINTINGS --images PHOTOGRAPHS --run-dir runs/style --keep-color starry_night
    python scripts/make_gallery.py runs/style --photographs "480 of BSDS500"

Copies its folder, and adds to the manifest what a training cannot know: titles, artists, years, terms.
"""

import argparse
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from nst_core.gallery import MANIFEST, TRUNK, Gallery

GALLERY = Path(__file__).parents[1] / "nst_core" / "styles"

#: id: title, artist, year.
PAINTINGS = {
    "composition_vii": ("Composition VII", "Wassily Kandinsky", "1913"),
    "great_wave": ("The Great Wave off Kanagawa", "Katsushika Hokusai", "about 1831"),
    "olive_trees": ("Olive Trees", "Vincent van Gogh", "1889"),
    "shipwreck": ("The Shipwreck of the Minotaur", "J. M. W. Turner", "about 1810"),
    "starry_night": ("The Starry Night", "Vincent van Gogh", "1889"),
    "tahiti": ("Tahitian Women", "Paul Gauguin", "1890s"),
    "the_scream": ("The Scream", "Edvard Munch", "1893"),
    "water_lilies": ("Water Lilies", "Claude Monet", "early 20th century"),
    "wheat_field": ("Wheat Field with Cypresses", "Vincent van Gogh", "1889"),
}


def main() -> None:
    """Replaces the gallery."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path, help="folder of a finished training")
    parser.add_argument("--photographs", required=True, help="what it was trained on, in words")
    arguments = parser.parse_args()
    trained = Gallery(arguments.run_dir)
    entries = []
    for style in trained.styles.values():
        painting = style.id.removesuffix("_color") if style.keeps_color else style.id
        if painting not in PAINTINGS:
            parser.error(f"{painting}: add its title, artist and year to {Path(__file__).name}")
        title, artist, year = PAINTINGS[painting]
        named = replace(
            style,
            title=f"{title}, in the photograph's colours" if style.keeps_color else title,
            artist=artist,
            year=year,
            licence="Painting: public domain. Weights: Apache-2.0.",
            training={"photographs": arguments.photographs, **style.training},
        )
        entries.append(asdict(named))
        print(named.id, dict(named.losses))
    shutil.rmtree(GALLERY, ignore_errors=True)
    GALLERY.mkdir()
    for name in (TRUNK, *(f"{style_id}{suffix}" for style_id in trained.styles for suffix in (".safetensors", ".jpg"))):
        shutil.copy(arguments.run_dir / name, GALLERY)
    (GALLERY / MANIFEST).write_text(json.dumps({"styles": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
