"""One page about a finished run: counts, failures with their reasons, and some outputs."""

from __future__ import annotations

import datetime
import html
import os
from collections import Counter
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from imgkit.folder.journal import Entry, Run, no_run, stream
from imgkit.folder.outcome import Outcome, OutcomeCounter
from imgkit.io.decode import decode
from imgkit.io.files import printable_path
from imgkit.report.contact_sheet import COARSE, picture_uri, shrink
from imgkit.report.pictures import visible

LISTED = 1000  # failures of one kind that are named on the page
THUMBNAIL = 320  # pixels on the longer side


@dataclass
class Finished:
    """The final state of a destination, according to its journal."""

    runs: int = 0
    last: Run | None = None
    ok: list[tuple[str, str, str]] = field(default_factory=list)  # output, input, source folder
    failures: list[tuple[str, str, str, str]] = field(default_factory=list)  # path, why
    written: int = 0  # bytes of all outputs
    outcome: Outcome = field(default_factory=Outcome)

    def summary(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "runs": self.runs,
            **self.outcome.facts(),
            "total": len(self.ok) + len(self.failures),
            "ok": len(self.ok),
            "failed": sum(status == "failed" for _, status, _, _ in self.failures),
            "quarantined": sum(status == "quarantined" for _, status, _, _ in self.failures),
            "bytes": self.written,
            "errors": dict(Counter(error for _, _, error, _ in self.failures).most_common()),
            "failures": [
                {"path": printable_path(path), "error": error, "message": message}
                for path, _status, error, message in self.failures
            ],
        }


def gather(dst: str) -> Finished:
    """Read the journal of a destination.

    Raises:
        FileNotFoundError: it has no journal.
        ValueError: the journal has no run.
    """
    done = Finished()
    counter = OutcomeCounter()
    last: dict[str, tuple[str, str, str, str, str, int]] = {}
    sources: dict[str, str] = {}
    for record in stream(dst):
        counter.add(record)
        if isinstance(record, Run):
            done.runs, done.last = done.runs + 1, record
            sources[record.id] = record.src
        else:
            src = sources.get(record.run, "")
            last[record.output] = _kept(record, src)
    if done.last is None:
        raise no_run(dst)
    done.outcome = counter.total()
    for output, (path, src, status, error, message, written) in sorted(last.items()):
        if status == "ok":
            done.ok.append((output, path, src))
            done.written += written
        else:
            done.failures.append((path, status, error, message))
    return done


def _kept(record: Entry, src: str) -> tuple[str, str, str, str, str, int]:
    return record.path, src, record.status, record.error, record.message, record.written


# --- the page ---------------------------------------------------------------------------


def report_page(dst: str, done: Finished, count: int) -> str:
    """Return the page, with thumbnails of `count` outputs, taken evenly."""
    summary = done.summary()
    template = resources.files("imgkit.report").joinpath("report.html").read_text("utf-8")
    title = printable_path(os.path.basename(os.path.realpath(dst)) or dst)
    parts = {
        "title": _text(title),
        "verdict": _verdict(summary),
        "bar": _bar(summary),
        "counts": _counts(summary),
        "facts": _facts(dst, done),
        "failures": _failures(done),
        "pictures": _pictures(dst, done, count),
    }
    for name, value in parts.items():
        template = template.replace(f"<!--{name}-->", value)
    return template


def _text(value: object) -> str:
    return html.escape(str(value))


def _verdict(summary: dict[str, Any]) -> str:
    bad = summary["failed"] + summary["quarantined"]
    if summary["missing"]:
        failed = f", {bad:,} failed" if bad else ""
        return (
            f"Stopped: {summary['done']:,} of {_many(summary['planned'], 'planned image')} are "
            f"done{failed}, and {summary['missing']:,} missing. The same command continues."
        )
    unknown = " The journal does not say how many were planned."
    unknown = unknown if summary["planned"] is None else ""
    if not bad:
        return f"All {_many(summary['total'], 'image')} are written.{unknown}"
    text = f"{_many(bad, 'image')} of {summary['total']:,} failed; the others are written."
    return text + unknown


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _bar(summary: dict[str, Any]) -> str:
    parts = (
        f'<i class="{name}" style="flex-grow:{summary[name]}"></i>'
        for name in ("ok", "failed", "quarantined", "missing")
        if summary[name]
    )
    return f'<div class="bar" aria-hidden="true">{"".join(parts)}</div>'


def _counts(summary: dict[str, Any]) -> str:
    text = {"ok": "written", "failed": "failed", "quarantined": "quarantined"}
    text |= {"missing": "missing"} if summary["missing"] else {}
    return "".join(
        f'<div class="{name}"><dd>{summary[name]:,}</dd><dt>{word}</dt></div>'
        for name, word in text.items()
    )


def _facts(dst: str, done: Finished) -> str:
    assert done.last is not None
    run = done.last
    facts = {
        "pipeline": " → ".join(_op(op) for op in run.pipeline["ops"]),
        "seed": run.pipeline.get("seed", "no draws"),
        "from": printable_path(run.src),
        "to": printable_path(os.path.realpath(dst)),
        "size": _size(done.written),
        "last run": datetime.datetime.fromisoformat(run.started).strftime("%Y-%m-%d %H:%M UTC"),
        "runs": done.runs,
        "made by": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
    }
    return "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in facts.items())


def _op(op: str | dict[str, Any]) -> str:
    """Return an op of a document as text; one without arguments is its name alone."""
    if isinstance(op, str):
        return op
    return " ".join(f"{name} {_arguments(v)}".strip() for name, v in op.items())


def _arguments(arguments: dict[str, Any]) -> str:
    return " ".join(f"{name}={_short(value)}" for name, value in arguments.items())


def _short(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def _failures(done: Finished) -> str:
    """Return a table for each kind of failure, the most frequent first."""
    if not done.failures:
        return ""
    kinds = Counter(error for _, _, error, _ in done.failures)
    folds = "".join(_kind(done, error, number, len(kinds)) for error, number in kinds.most_common())
    return f"<section><h2>What failed</h2>{folds}</section>"


def _kind(done: Finished, error: str, number: int, kinds: int) -> str:
    rows = [(path, text) for path, _, kind, text in done.failures if kind == error]
    cells = "".join(
        f"<tr><td>{_text(printable_path(path))}</td><td>{_text(text)}</td></tr>"
        for path, text in rows[:LISTED]
    )
    more = f"<p>and {number - LISTED:,} more</p>" if number > LISTED else ""
    unfolded = " open" if kinds <= 3 or number <= 20 else ""
    return (
        f"<details{unfolded}><summary><b>{_text(error)}</b> {number:,}</summary>"
        f"<table><tbody>{cells}</tbody></table>{more}</details>"
    )


def _pictures(dst: str, done: Finished, count: int) -> str:
    """Return pairs of inputs and outputs, taken evenly from all outputs."""
    step = max(1.0, len(done.ok) / max(1, count))
    chosen = [done.ok[int(i * step)] for i in range(min(count, len(done.ok)))]
    figures = "".join(
        _pair(path, output, os.path.join(src, path), os.path.join(dst, output))
        for output, path, src in chosen
    )
    if not figures:
        return ""
    text = f"{len(chosen):,} of {_many(len(done.ok), 'output')}, each beside its input"
    head = f"<h2>Some outputs <span>{text}</span></h2>"
    return f'<section>{head}<div class="pairs">{figures}</div></section>'


def _pair(path: str, output: str, source: str, target: str) -> str:
    before, after = _thumbnail(source), _thumbnail(target)
    name = (
        printable_path(path)
        if path == output
        else f"{printable_path(path)} → {printable_path(output)}"
    )
    return (
        f'<figure><div class="pair">{before[0]}{after[0]}</div><figcaption><b>{_text(name)}</b> '
        f"<span>{before[1]} → {after[1]}</span></figcaption></figure>"
    )


def _thumbnail(path: str) -> tuple[str, str]:
    """Return a picture as HTML and its size as text; a gap if it is missing or unreadable."""
    try:
        if not os.path.isfile(path):  # a FIFO would block
            raise FileNotFoundError(path)
        with open(path, "rb") as file:
            image = decode(file.read())
        size = f"{image.shape[1]} × {image.shape[0]}"
        coarse = " coarse" if max(image.shape[:2]) <= COARSE else ""
        uri = picture_uri(shrink(visible(image)[0], THUMBNAIL))
    except Exception:  # the page is useful without this thumbnail
        return '<div class="frame gap">not there</div>', "?"
    return f'<div class="frame{coarse}"><img alt="" src="{uri}"></div>', size
