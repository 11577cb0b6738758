"""Makes test/fixtures/images: small images of each kind, and beside each what Pillow and torchvision make of it
(Resize(28), CenterCrop(24); planar bytes). Run with Pillow 9.4 and torchvision 0.14: python3 test/make-image-fixtures.py"""
import math
import os

import numpy as np
from PIL import Image, ImageOps
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms import functional as F

folder = os.path.join(os.path.dirname(__file__), "fixtures", "images")
os.makedirs(folder, exist_ok=True)
evaluate = Compose([Resize(28), CenterCrop(24)])


def scene(width, height):
    y, x = np.mgrid[0:height, 0:width]
    red = 127 + 120 * np.sin(x / 7 + y / 23)
    green = 255 * ((x // 9 + y // 6) % 2)
    blue = 255 * np.exp(-((x - width / 3) ** 2 + (y - height / 2) ** 2) / 400)
    return Image.fromarray(np.stack([red, green, blue], -1).clip(0, 255).astype(np.uint8))


def planar(image, path):
    with open(os.path.join(folder, path), "wb") as file:
        file.write(np.asarray(image.convert("RGB")).transpose(2, 0, 1).tobytes())


def save(name, image, **options):
    path = os.path.join(folder, name)
    image.save(path, **options)
    planar(evaluate(Image.open(path).convert("RGB")), name + ".eval")


image = scene(90, 61)
save("photo.jpg", image, quality=90)
save("progressive.jpg", image, quality=85, progressive=True)
save("full-chroma.jpg", image, quality=95, subsampling=0)
save("grey.jpg", image.convert("L"))
save("cmyk.jpg", image.convert("CMYK"))
# YCCK: the same data, said to be transformed. Pillow's reading of the file is the reference.
data = bytearray(open(os.path.join(folder, "cmyk.jpg"), "rb").read())
adobe = data.index(b"Adobe")
data[adobe + 11] = 2
open(os.path.join(folder, "ycck.jpg"), "wb").write(bytes(data))
planar(evaluate(Image.open(os.path.join(folder, "ycck.jpg")).convert("RGB")), "ycck.jpg.eval")

alpha = image.copy()
alpha.putalpha(Image.fromarray((np.mgrid[0:61, 0:90][1] * 2).astype(np.uint8)))
save("alpha.png", alpha)
save("palette.png", image.quantize(32))

# A crop in the middle, shrunk and enlarged.
source = Image.open(os.path.join(folder, "photo.jpg"))
for size in (16, 40):
    planar(F.resized_crop(source, 9, 21, 33, 47, [size, size], InterpolationMode.BILINEAR), f"photo.crop-{size}")

# Each EXIF orientation, and what is shown.
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    name = f"exif-{orientation}.jpg"
    path = os.path.join(folder, name)
    scene(48, 32).save(path, quality=95, subsampling=0, exif=exif)
    planar(evaluate(ImageOps.exif_transpose(Image.open(path)).convert("RGB")), name + ".shown")
    planar(evaluate(Image.open(path).convert("RGB")), name + ".stored")
