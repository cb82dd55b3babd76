"""Is a probability of 0.7 right in seven of ten? Random towns, true places, reports with noise, and the bands of what was said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from gis.claims import Claims
from gis.crs import metres_per_degree
from gis.doubt import SIGMAS_68, probabilities
from gis.locate import GridIndex
from gis.partition import partition_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LON, LAT = 121.2, 32.05
EAST, NORTH = (float(scale[0]) for scale in metres_per_degree(np.array([LAT])))

#: Bands of the best probability, by their lower ends.
BANDS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)


def random_town(rng: np.random.Generator, across: int, grid_m: float) -> GridIndex:
    """`across` x `across` general grids of about `grid_m` metres (Voronoi), some holes between them, and dedicated overlays."""
    side = across * grid_m
    sites = (np.stack(np.meshgrid(*[np.arange(across) + 0.5] * 2), -1).reshape(-1, 2)) * grid_m
    sites += rng.uniform(-0.45, 0.45, sites.shape) * grid_m
    town = shapely.box(0.0, 0.0, side, side)
    web = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(sites), extend_to=town))
    general = [part for part in shapely.intersection(web, town) if rng.random() > 0.02]
    corners = rng.uniform(0.0, side, (max(across // 2, 1), 2))
    sizes = rng.uniform(0.2, 1.5, corners.shape) * grid_m
    overlays = shapely.box(*corners.T, *(corners + sizes).T)
    dedicated = shapely.get_parts(shapely.union_all(overlays)).tolist()
    layers = (("dedicated", dedicated), ("general", general))
    return GridIndex.of(
        [
            partition_of([f"{name[0]}{i:05d}" for i in range(len(shapes))], [in_degrees(s) for s in shapes], name)
            for name, shapes in layers
        ]
    )


def in_degrees(shape: shapely.Geometry) -> shapely.Geometry:
    """A shape drawn in metres from (LON, LAT)."""
    return shapely.transform(shape, lambda xy: xy / (EAST, NORTH) + (LON, LAT))


@dataclass(frozen=True)
class Answers:
    """What was said of n reports: the probability of the likeliest answer (a grid, or none), and whether it was right."""

    said: Floats
    right: npt.NDArray[np.bool_]
    true: Floats

    @property
    def log_score(self) -> float:
        """The mean of -ln of the probability that was given to the truth: less is better."""
        return float(-np.log(np.maximum(self.true, 1e-9)).mean())

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over all reports of how far their band is off."""
        return float(sum(len_ * abs(mean - share) for len_, mean, share, _ in self.bands()) / len(self.said))

    def bands(self) -> Iterator[tuple[int, float, float, float]]:
        """(reports, mean of what was said, share right, standard error) of every band that has reports."""
        band = np.searchsorted(BANDS, self.said, side="right") - 1
        for i in np.unique(band):
            said = self.said[band == i]
            mean = float(said.mean())
            standard = float(np.sqrt(max(mean * (1.0 - mean), 0.0) / len(said)))
            yield len(said), mean, float(self.right[band == i].mean()), standard

    def worst(self) -> float:
        """The largest distance of a band's share from its mean, in standard errors."""
        return max(abs(share - mean) / standard for _, mean, share, standard in self.bands() if standard > 1e-6)


def simulate(
    rng: np.random.Generator, claims: Claims, side_m: float, accuracy_m: float, n: int, *, noise: float = 1.0
) -> Answers:
    """What is said of n places, uniform over the town and what lies round it, seen with `noise` times the stated accuracy."""
    margin = 4.0 * accuracy_m
    x, y = rng.uniform(-margin, side_m + margin, (2, n))
    sigma = noise * accuracy_m / SIGMAS_68
    seen_x, seen_y = x + rng.normal(0.0, sigma, n), y + rng.normal(0.0, sigma, n)
    truth = claims.index.locate(*_degrees(x, y), distance=False).winner.astype(np.int64)
    found = probabilities(claims, *_degrees(seen_x, seen_y), accuracy_m)
    best, said = found.best()
    none = found.outside >= said
    best, said = np.where(none, -1, best), np.where(none, found.outside, said)
    true = np.where(truth < 0, found.outside, 0.0)
    rows = np.flatnonzero(found.grid == truth[found.place])
    true[found.place[rows]] = found.wins[rows]
    return Answers(said, best == truth, true)


def _degrees(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return LON + x / EAST, LAT + y / NORTH
