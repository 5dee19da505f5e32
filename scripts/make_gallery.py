"""Makes the gallery that ships with the program out of finished trainings, one style or several each.

    nst train style starry_night.jpg --images PHOTOGRAPHS --run-dir runs/starry_night
    nst train style the_scream.jpg --images PHOTOGRAPHS --run-dir runs/the_scream
    python scripts/make_gallery.py runs/* --photographs "500 of BSDS500"

Styles that are there and not in these folders stay.  Adds to the manifest what a training
cannot know: titles, artists, years, terms.
"""

import argparse
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from nst_core.gallery import MANIFEST, SAMPLE, Gallery

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
    """Adds to the gallery."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dirs", type=Path, nargs="+", help="folders of finished trainings of single styles")
    parser.add_argument("--photographs", required=True, help="what they were trained on, in words")
    arguments = parser.parse_args()
    styles = dict(Gallery(GALLERY).styles)
    for folder in arguments.run_dirs:
        trained = Gallery(folder)
        if trained.trunk_file.exists():
            parser.error(f"{folder}: styles with a trunk cannot stand beside others; train them one by one")
        for style in trained.styles.values():
            painting = style.id.removesuffix("_color") if style.keeps_color else style.id
            if painting not in PAINTINGS:
                parser.error(f"{painting}: add its title, artist and year to {Path(__file__).name}")
            title, artist, year = PAINTINGS[painting]
            styles[style.id] = replace(
                style,
                title=f"{title}, in the photograph's colours" if style.keeps_color else title,
                artist=artist,
                year=year,
                licence="Painting: public domain. Weights: Apache-2.0.",
                training={**style.training, "photographs": arguments.photographs},
            )
            for suffix in (".safetensors", ".jpg"):
                shutil.copy(folder / f"{style.id}{suffix}", GALLERY)
            print(style.id, dict(style.losses))
        shutil.copy(folder / SAMPLE, GALLERY)
    entries = [asdict(styles[style_id]) for style_id in sorted(styles)]
    (GALLERY / MANIFEST).write_text(json.dumps({"styles": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
