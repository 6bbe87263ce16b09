"""Make a small data set in the layout of Penny AI: pictures of coins, a metadata table, and regions of date and mint.

The coins are photographs of Debian's (tuxpaint-stamps-default, GPL-2), which has one US cent, obverse up, and none with
its reverse up. So every obverse is a view of that one photograph, turned, moved, lit and put before other backgrounds;
its date and mint mark are struck anew in Pillow's own font, which gives it any year; and four other coins stand in for
the reverses: a temple for the Lincoln Memorial, an ear of rice for wheat, a leaf for bicentennial and a number for the
shield. The data set tries out the whole way from table and regions to four models, and tells nothing of how well real
cents are read. Half of the obverses lie upright, for their dates and mint marks to be read, and half at any angle; the
field `view` says which. The same arguments and Pillow give the same bytes.

    python -m examples.pennies.make_pennies /tmp/pennies
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from examples.animals.stamps import stamps
from examples.folders import begin, write_checksums

FIRST_YEAR, LAST_YEAR = 1909, 2024
MINTS = ("D", "S", "P", "")
SIZE = 160
"""Side of a picture in pixels."""
OBVERSE = "us/coins/001penny.png"
REVERSES = {
    "memorial": "japanese/yen010.png",
    "shield": "euro/coins/005.png",
    "wheat": "japanese/yen005.png",
    "bicentennial": "canadian/coins/001penny.png",
}
_COIN = 140
"""Pixels across a coin, before it is turned and scaled."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
_REGIONS: dict[str, Box] = {"date": (0.66, 0.62, 0.90, 0.73), "mint": (0.72, 0.74, 0.82, 0.83)}
"""Where they are struck, as shares of the coin's width and height."""
_TOLERANCE = 6.0
"""Degrees by which a coin that lies upright may be turned."""


@dataclass(frozen=True)
class Coin:
    """One coin, and how it lies.

    Attributes:
        uid: its name.
        side: obverse or reverse.
        type: what its reverse shows.
        view: upright, or turned by any angle.
        angle: clockwise, in degrees from 0 on.
        year, mint: what is struck on the obverse; no mint mark is an empty text.
    """

    uid: str
    side: str
    type: str
    view: str
    angle: float
    year: int
    mint: str

    def row(self) -> dict[str, object]:
        """Its row of the metadata table."""
        told: dict[str, object] = {"uid": self.uid, "side": self.side, "type": self.type, "view": self.view}
        told |= {"angle": round(self.angle, 2), "year": self.year}
        return told | ({"mint": self.mint} if self.mint else {})


def main() -> None:
    """Read the arguments and write the folder."""
    parser = argparse.ArgumentParser(description="Make a data set of cents in the layout of Penny AI.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--upright", type=int, default=400, help="obverses to read dates and mint marks of")
    parser.add_argument("--turned", type=int, default=400, help="obverses at any angle")
    parser.add_argument("--reverses", type=int, default=60, help="of each of the four")
    parser.add_argument("--years", type=int, default=12, help="how many different ones are struck")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.upright, arguments.turned, arguments.reverses, arguments.years)


def make(folder: Path, upright: int = 400, turned: int = 400, reverses: int = 60, years: int = 12) -> None:
    """Write data/<uid>.jpg, metadata/metadata.json, metadata/roi_coordinates.json and, last, SHA256SUMS.

    Args:
        folder: where to; it is made if it is not there, and must otherwise be empty.
        upright: obverses to read dates and mint marks of.
        turned: obverses at any angle.
        reverses: of each of the four.
        years: how many different ones are struck, of the 116 that there are.
    """
    begin(folder)
    for name in ("data", "metadata"):
        (folder / name).mkdir()
    photographs = {name: _photograph(file) for name, file in {"obverse": OBVERSE, **REVERSES}.items()}
    coins = list(_coins(upright, turned, reverses, years))
    regions = {}
    for number, coin in enumerate(coins):
        draw = np.random.default_rng((number, 2))
        photograph = _struck(photographs[coin.side], coin) if coin.side == "obverse" else photographs[coin.type]
        picture, found = _view(photograph, coin, draw)
        picture.save(folder / "data" / f"{coin.uid}.jpg", quality=92)
        regions[coin.uid] = found
    _write(folder / "metadata" / "metadata.json", [coin.row() for coin in coins])
    _write(folder / "metadata" / "roi_coordinates.json", regions)
    write_checksums(folder)


def _coins(upright: int, turned: int, reverses: int, years: int) -> Iterator[Coin]:
    draw = np.random.default_rng(1)
    struck = np.linspace(FIRST_YEAR, LAST_YEAR, years).round().astype(int)
    for number in range(upright + turned + reverses * len(REVERSES)):
        year, mint = int(draw.choice(struck)), MINTS[draw.integers(len(MINTS))]
        side, view = "obverse", "upright" if number < upright else "turned"
        angle = draw.uniform(0, 360) if view == "turned" else draw.uniform(-_TOLERANCE, _TOLERANCE) % 360
        kind = _type_of(year)
        if number >= upright + turned:
            side, kind = "reverse", tuple(REVERSES)[number % len(REVERSES)]
        yield Coin(f"{number:05}", side, kind, view, float(angle), year, mint)


def _type_of(year: int) -> str:
    """What the reverse of a cent of that year shows."""
    if year == 2009:
        return "bicentennial"
    return "wheat" if year < 1959 else "memorial" if year < 2010 else "shield"


def _photograph(file: str) -> Image.Image:
    with Image.open(stamps() / "symbols" / "money" / file) as opened:
        return opened.convert("RGBA").resize((_COIN, _COIN), Image.Resampling.LANCZOS)


def _struck(coin: Image.Image, wanted: Coin) -> Image.Image:
    """The coin with another date and mint mark, raised: light from the upper left, shadow at the lower right."""
    made = coin.copy()
    for name, text in (("date", str(wanted.year)), ("mint", wanted.mint)):
        left, top, right, bottom = (round(share * _COIN) for share in _REGIONS[name])
        around = (left - 2, top - 2, right + 2, bottom + 2)
        made.paste(made.crop(around).filter(ImageFilter.GaussianBlur(6)), around[:2])
        font = ImageFont.load_default(bottom - top)
        pencil, middle = ImageDraw.Draw(made), ((left + right) / 2, (top + bottom) / 2)
        for shift, colour in ((1, (90, 35, 10, 255)), (0, (255, 215, 170, 255))):
            pencil.text((middle[0] + shift, middle[1] + shift), text, colour, font, anchor="mm")
    return made


def _view(photograph: Image.Image, coin: Coin, draw: np.random.Generator) -> tuple[Image.Image, dict[str, list[int]]]:
    """A picture of a coin, and where its date and mint mark lie in it, as upright boxes; none on a reverse."""
    scale, light = draw.uniform(0.9, 1.05), draw.uniform(0.75, 1.25)
    across = round(_COIN * scale)
    turned = photograph.resize((across, across), Image.Resampling.BICUBIC)
    # Pillow turns anticlockwise.
    turned = turned.rotate(-coin.angle, Image.Resampling.BICUBIC)
    left, top = (round((SIZE - across) / 2 + draw.uniform(-4, 4)) for _ in range(2))
    patches = draw.integers(60, 220, (3, 3, 3)).astype(np.uint8)
    view = Image.fromarray(patches).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    view.paste(turned, (left, top), turned)
    for enhance in (ImageEnhance.Contrast, ImageEnhance.Color):
        view = enhance(view).enhance(draw.uniform(0.75, 1.25))
    noisy = np.asarray(view) * light + draw.normal(scale=draw.uniform(0, 5), size=(SIZE, SIZE, 3))
    boxes = (
        {}
        if coin.side == "reverse"
        else {name: _turned(box, across, left, top, coin.angle) for name, box in _REGIONS.items()}
    )
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), boxes


def _turned(box: Box, across: int, left: int, top: int, angle: float) -> list[int]:
    """The upright box around one that turns with its coin, in pixels of the picture."""
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    corners = [((x - 0.5) * across, (y - 0.5) * across) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs = [left + across / 2 + x * cosine - y * sine for x, y in corners]
    ys = [top + across / 2 + x * sine + y * cosine for x, y in corners]
    return [math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys))]


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
