"""SimilarNames: names that are almost what was written: a wrong character, a missing one, another that sounds alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

#: How alike a name must be (rapidfuzz's ratio, 0..100), and the shortest that is compared.
ALIKE, SHORTEST = 75.0, 3
#: Longer names are not compared by sound.
LONGEST = 12
#: A name that only sounds alike is worth so much of an equal one.
SOUNDS = 0.92
#: Names that share a pair of characters with what was written, at most; rarer pairs are asked first.
COMPARED = 3_000


class SimilarNames:
    """Names by the pairs of characters and by the sounds that they hold."""

    def __init__(self, names: Iterable[str]) -> None:
        import rapidfuzz.process  # noqa: F401 - loaded here, so that no question waits for it

        self._names = [name for name in names if len(name) >= SHORTEST]
        self._by_pair: dict[str, list[int]] = defaultdict(list)
        for i, name in enumerate(self._names):
            for pair in _pairs(name):
                self._by_pair[pair].append(i)
        self._by_sound: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            if len(name) <= LONGEST:
                self._by_sound[sound_of(name)].append(name)

    def like(self, written: str, limit: int = 5) -> list[tuple[str, float]]:
        """Names like the written one with their likeness 0..1, the most alike first."""
        from rapidfuzz import fuzz, process

        if len(written) < SHORTEST:
            return []
        chosen = [self._names[i] for i in self._sharing(written)]
        alike = process.extract(written, chosen, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=limit)
        found = {name: score / 100.0 for name, score, _ in alike}
        for name in self._by_sound.get(sound_of(written), ()):
            found[name] = max(found.get(name, 0.0), SOUNDS)
        return sorted(found.items(), key=lambda one: (-one[1], one[0]))[:limit]

    def _sharing(self, written: str) -> list[int]:
        found: dict[int, None] = {}
        for posted in sorted((self._by_pair.get(pair, []) for pair in _pairs(written)), key=len):
            if len(found) + len(posted) > COMPARED and found:
                break
            found.update(dict.fromkeys(posted[:COMPARED]))
        return list(found)


@lru_cache(maxsize=32_768)
def _syllable(character: str) -> str:
    """A character's commonest reading, without what cannot be told apart by ear: zh/z, ch/c, sh/s, ing/in."""
    from pypinyin import lazy_pinyin

    said = "".join(lazy_pinyin(character))
    for careful, heard in (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ng", "n")):
        said = said.replace(careful, heard)
    return said


def sound_of(name: str) -> str:
    """The syllables of a name without tones, as 铁匠巷 -> tie jian xian."""
    return " ".join(map(_syllable, name))


def _pairs(name: str) -> set[str]:
    return {name[i : i + 2] for i in range(len(name) - 1)}
