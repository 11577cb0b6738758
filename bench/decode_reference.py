"""Images a second of Pillow and torchvision on one thread: python3 decode_reference.py FOLDER SECONDS. One JSON line a view."""
import json
import os
import sys
import time

import torch
import torchvision.transforms as T
from PIL import Image

torch.set_num_threads(1)
folder, seconds = sys.argv[1], float(sys.argv[2])
files = sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
views = {
    "train": T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.PILToTensor()]),
    "eval": T.Compose([T.Resize(256), T.CenterCrop(224), T.PILToTensor()]),
}
for view, transform in views.items():
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        with open(files[count % len(files)], "rb") as file:
            transform(Image.open(file).convert("RGB"))
        count += 1
    print(json.dumps({"view": view, "images_per_second": count / (time.perf_counter() - start)}), flush=True)
