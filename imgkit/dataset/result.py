"""The result of `build`: the figures and shards of each part, and the images that failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from imgkit.dataset.shards import Shard
from imgkit.dataset.split import PARTS, BuildOptions
from imgkit.dataset.staging import Record
from imgkit.dataset.stats import Bad, Figures


@dataclass
class BuildResult:
    """A data set that was built: figures and shards of each part, and the images that failed."""

    build_options: BuildOptions
    labels: list[str]
    figures: dict[str, Figures]
    shards: dict[str, list[Shard]] = field(default_factory=dict)
    failures: list[Bad] = field(default_factory=list)
    kept: int = 0  # images that an earlier run had finished
    _parts: dict[bytes, int] = field(default_factory=dict)  # by hash of the source, a bit each
    _twins: dict[bytes, int] = field(
        default_factory=dict
    )  # sources that occur more than once, how often

    def train(self, leave_out: str | None = None) -> Figures:
        """Return the figures to train on: of train, or of all folds but one."""
        total = Figures()
        for part, figures in self.figures.items():
            if part != leave_out if self.build_options.split_rule.folds else part == PARTS[0]:
                total.add(figures)
        return total

    def add(self, part: str, record: Record) -> None:
        """Add the outcome of a block of a part."""
        self.figures[part].add(record.figures)
        self.failures.extend(record.failures)
        if record.shard is not None:
            self.shards.setdefault(part, []).append(record.shard)
        bit = 1 << self.build_options.split_rule.names.index(part)
        for text in record.sources:
            source = bytes.fromhex(text)  # a million of them are kept in memory
            if source in self._parts:
                self._twins[source] = self._twins.get(source, 1) + 1
            self._parts[source] = self._parts.get(source, 0) | bit

    @property
    def straddling(self) -> int:
        """The number of images that have a byte-for-byte copy in another part."""
        return sum(n for source, n in self._twins.items() if self._parts[source].bit_count() > 1)
