"""How colours are seen: contrast, distance, and the three kinds of missing cones.

Sources, retyped: contrast is WCAG 2.2 "relative luminance" and "contrast ratio"; a missing kind of
cone is G. Machado, M. Oliveira, L. Fernandes, "A Physiologically-based Model for Simulation of
Color Vision Deficiency", IEEE TVCG 15(6), 2009, matrices of severity 1.0, applied to linear RGB;
the distance is CIEDE2000 after G. Sharma, W. Wu, E. Dalal, "The CIEDE2000 Color-Difference
Formula", Color Research and Application 30(1), 2005, with D65 and k_L = k_C = k_H = 1.
"""

from __future__ import annotations

import math
from typing import Final

Rgb = tuple[int, int, int]
"""Red, green and blue of sRGB, 0 to 255."""

Triple = tuple[float, float, float]

DEFICIENCIES: Final[dict[str, tuple[Triple, Triple, Triple]]] = {
    "none": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Rows by which linear red, green and blue are weighed."""


def linear(rgb: Rgb) -> Triple:
    """Linear light of each channel, 0 to 1 (IEC 61966-2-1)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)
    )
    return red, green, blue


def contrast(one: Rgb, other: Rgb) -> float:
    """1 for the same luminance, 21 for black on white."""
    dark, light = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(rgb), strict=True))
        for rgb in (one, other)
    )
    return (light + 0.05) / (dark + 0.05)


def lab_as_seen(rgb: Rgb, deficiency: str) -> Triple:
    """L*, a*, b* of what somebody with this deficiency sees."""
    light = linear(rgb)
    seen = [
        min(1.0, max(0.0, sum(w * c for w, c in zip(row, light, strict=True))))
        for row in DEFICIENCIES[deficiency]
    ]
    x, y, z = (
        sum(w * c for w, c in zip(row, seen, strict=True)) / white
        for row, white in (
            ((0.4124564, 0.3575761, 0.1804375), 0.95047),
            ((0.2126729, 0.7151522, 0.0721750), 1.0),
            ((0.0193339, 0.1191920, 0.9503041), 1.08883),
        )
    )
    fx, fy, fz = (t ** (1 / 3) if t > (6 / 29) ** 3 else t * 841 / 108 + 4 / 29 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: Triple, other: Triple) -> float:
    """CIEDE2000 of two L*, a*, b*: about 1 is just seen, 100 is black beside white."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - math.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    delta_l, delta_c = l2 - l1, c2 - c1
    delta_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    t = (
        1
        - 0.17 * math.cos(math.radians(mean_h - 30))
        + 0.24 * math.cos(math.radians(2 * mean_h))
        + 0.32 * math.cos(math.radians(3 * mean_h + 6))
        - 0.20 * math.cos(math.radians(4 * mean_h - 63))
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / math.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    r_c = 2 * math.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    r_t = -math.sin(math.radians(60 * math.exp(-(((mean_h - 275) / 25) ** 2)))) * r_c
    l_, c_, h_ = delta_l / s_l, delta_c / s_c, delta_h / s_h
    return math.sqrt(l_**2 + c_**2 + h_**2 + r_t * c_ * h_)


def difference_as_seen(one: Rgb, other: Rgb, deficiency: str) -> float:
    """CIEDE2000 of two colours for somebody with this deficiency."""
    return difference(lab_as_seen(one, deficiency), lab_as_seen(other, deficiency))
