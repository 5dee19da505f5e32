"""Makes the gallery that ships with the program out of a finished training.

    nst train style PAINTINGS --images PHOTOGRAPHS --run-dir runs/style --keep-color starry_night
    python scripts/make_gallery.py runs/style --paintings FOLDER --photographs "5,000 of COCO"

Copies the weights, measures the losses on our sample photograph, paints the thumbnails and writes the manifest.
"""

import argparse
import json
import shutil
from io import BytesIO
from pathlib import Path

import torch

from cli.console import SAMPLES
from nst_core.encoders import read_safetensors
from nst_core.fast import paint_fast
from nst_core.gallery import MANIFEST
from nst_core.gatys import Objective
from nst_core.image import to_tensor
from nst_core.options import FastOptions, GatysOptions, output_size
from nst_core.picture import decode
from nst_core.pretrained import load_encoder
from nst_core.transformer import TransformerNetwork

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

SIZE = 512
THUMBNAIL = 256


def main() -> None:
    """Replaces the gallery."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path, help="folder of a finished training: its weights and its checkpoint")
    parser.add_argument("--paintings", type=Path, required=True, help="folder of ID.jpg")
    parser.add_argument("--photographs", required=True, help="what it was trained on, in words")
    arguments = parser.parse_args()
    checkpoint = torch.load(arguments.run_dir / "checkpoint.pt", weights_only=True)
    training = {
        "photographs": arguments.photographs,
        "encoder": "compact",
        "steps": checkpoint["step"],
        "styles_at_once": len(checkpoint["styles"]),
        **{k: checkpoint["options"][k] for k in ("batch", "crop", "style_size", "content_weight", "tv_weight", "seed")},
    }
    network = TransformerNetwork.from_file(arguments.run_dir / "trunk.safetensors").eval().requires_grad_(False)
    content = decode((SAMPLES / "content_harbour.jpg").read_bytes())
    encoder = load_encoder("compact")
    shutil.rmtree(GALLERY, ignore_errors=True)
    GALLERY.mkdir()
    shutil.copy(arguments.run_dir / "trunk.safetensors", GALLERY)
    entries = []
    for style_id in checkpoint["styles"]:
        painting = style_id.removesuffix("_color")
        title, artist, year = PAINTINGS[painting]
        keeps_color = painting != style_id
        shutil.copy(arguments.run_dir / f"{style_id}.safetensors", GALLERY)
        vector = read_safetensors(GALLERY / f"{style_id}.safetensors")["style"].float()
        picture = paint_fast(content, network, vector, FastOptions(size=SIZE))
        image = to_tensor(picture)
        style = decode((arguments.paintings / f"{painting}.jpg").read_bytes())
        size = picture.width, picture.height
        targets = to_tensor(content, size), to_tensor(style, output_size(*style.size, SIZE))
        with torch.inference_mode():
            losses = Objective(encoder, *targets, GatysOptions(size=SIZE), torch.float32)(image)
        entries.append(
            {
                "id": style_id,
                "title": f"{title}, in the photograph's colours" if keeps_color else title,
                "artist": artist,
                "year": year,
                "licence": "Painting: public domain. Weights: Apache-2.0.",
                "keeps_color": keeps_color,
                "training": training,
                "losses": {name: round(float(losses[name]), 4) for name in ("content", "style")},
            }
        )
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        (GALLERY / f"{style_id}.jpg").write_bytes(buffer.getvalue())
        print(style_id, entries[-1]["losses"])
    (GALLERY / MANIFEST).write_text(json.dumps({"styles": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
