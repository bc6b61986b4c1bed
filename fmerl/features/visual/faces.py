"""The face in a picture: found by OpenCV's Haar cascade, or taken to be in the middle, or the whole picture.

Shapes: h x w pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.extras import optional_module

Faces = Literal["haar", "centre", "none"]
Picture = NDArray[np.uint8]
Cropper = Callable[[Picture], Picture | None]
"""Function from RGB [h, w, 3] to the face in it, None without one."""

CASCADE = "haarcascade_frontalface_default.xml"
SEARCH_HEIGHT = 180
"""Largest height at which pictures are searched, in pixels; faces are cut from the full picture."""
SMALLEST_SHARE = 0.15
"""Side of the smallest face that is looked for, as a share of the height."""
SCALE_STEP, NEIGHBOURS = 1.1, 5
"""OpenCV's scaleFactor and minNeighbors."""
MARGIN = 0.1
"""Margin added to each side of a face that was found, as a share of its size."""


def face_cropper(faces: Faces) -> Cropper:
    """Finder that cuts the face out of a picture.

    Raises:
        InputError: OpenCV, or the cascade that it brings up to version 4, is not there.
    """
    if faces == "none":
        return lambda picture: picture
    if faces == "centre":
        return _centre
    return _HaarCropper()


def cropper_recipe(faces: Faces) -> dict[str, Any]:
    """Settings of the face detection, as plain JSON."""
    if faces != "haar":
        return {"faces": faces}
    return {
        "faces": faces,
        "cascade": CASCADE,
        "search": [SEARCH_HEIGHT, SMALLEST_SHARE, SCALE_STEP, NEIGHBOURS],
        "margin": MARGIN,
    }


def _centre(picture: Picture) -> Picture:
    """The largest square in the middle."""
    side = min(picture.shape[:2])
    top, left = ((size - side) // 2 for size in picture.shape[:2])
    return picture[top : top + side, left : left + side]


class _HaarCropper:
    """The largest frontal face (Viola and Jones 2001), with a margin, cut off where the picture ends."""

    def __init__(self) -> None:
        self._cv2 = optional_module("cv2", "visual")
        path = Path(str(self._cv2.__file__)).parent / "data" / CASCADE
        if not path.is_file():
            what = f"OpenCV {self._cv2.__version__} brings no {CASCADE}"
            raise InputError("--faces haar", what, "pip install 'fmerl[visual]', which asks for OpenCV 4")
        self._cascade = self._cv2.CascadeClassifier(str(path))
        # One core per encoder: workers are as many as the cores.
        self._cv2.setNumThreads(1)

    def __call__(self, picture: Picture) -> Picture | None:
        height, width = picture.shape[:2]
        scale = min(1.0, SEARCH_HEIGHT / height)
        grey = self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY)
        if scale < 1:
            size = (max(1, round(width * scale)), SEARCH_HEIGHT)
            grey = self._cv2.resize(grey, size, interpolation=self._cv2.INTER_AREA)
        smallest = max(1, round(SMALLEST_SHARE * grey.shape[0]))
        found = self._cascade.detectMultiScale(
            self._cv2.equalizeHist(grey), SCALE_STEP, NEIGHBOURS, minSize=(smallest, smallest)
        )
        if len(found) == 0:
            return None
        x, y, w, h = max((tuple(int(edge) for edge in box) for box in found), key=lambda box: (box[2] * box[3], box))
        left, top = (round(max(0.0, edge - MARGIN * size) / scale) for edge, size in ((x, w), (y, h)))
        right, bottom = (round((edge + (1 + MARGIN) * size) / scale) for edge, size in ((x, w), (y, h)))
        return picture[top : min(bottom, height), left : min(right, width)]
