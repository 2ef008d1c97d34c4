"""Which checkpoints of a run are trusted: those along the chain of bases (design.md, section 7).

Attempt n's base names the checkpoint that it resumed from. From then on what n's predecessors still write is late: it is
on no chain that leads from n, so no clock is needed to tell it apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleet.model.documents import Base, CheckpointRef


def predecessor_of(attempt: int, bases: Mapping[int, Base]) -> int | None:
    """The latest attempt before ``attempt`` that has a base: the head of the chain to resume from."""
    return max((number for number in bases if number < attempt), default=None)


def newest_based(bases: Mapping[int, Base]) -> int | None:
    """The head of the chain now: the latest attempt with a base."""
    return max(bases, default=None)


def valid_refs(head: int | None, bases: Mapping[int, Base], committed: Mapping[int, Sequence[int]]) -> list[CheckpointRef]:
    """The trusted checkpoints, newest first: all of ``head``'s, then those up to its base, and so on down the chain.

    A base of ``head`` that was chosen while its writer went on, and pruned it before the choice was written, is gone. What
    stands first behind it had been committed before that pruning, which no base forbade yet: it takes the base's place.
    Further down nothing does: retention removes bases there, and what is left behind them may be late.

    ``committed`` holds each attempt's sequence numbers that have a manifest. Attempt numbers only fall along the chain,
    so it ends whatever the documents say.
    """
    found: list[CheckpointRef] = []
    limit: int | None = None
    newest = head
    while head is not None:
        seqs = sorted(committed.get(head, ()), reverse=True)
        kept = [seq for seq in seqs if limit is None or seq <= limit]
        if (
            not kept
            and newest is not None
            and newest in bases
            and bases[newest].ref == CheckpointRef(attempt=head, seq=limit or 0)
        ):
            kept = seqs[-1:]
        found.extend(CheckpointRef(attempt=head, seq=seq) for seq in kept)
        base = bases.get(head)
        ref = base.ref if base is not None else None
        if ref is None or ref.attempt >= head:
            break
        head, limit = ref.attempt, ref.seq
    return found


def late_refs(bases: Mapping[int, Base], committed: Mapping[int, Sequence[int]]) -> list[CheckpointRef]:
    """Committed, but not on the chain that leads to the newest base: kept, shown as late, never restored."""
    valid = set(valid_refs(newest_based(bases), bases, committed))
    refs = (CheckpointRef(attempt=number, seq=seq) for number, seqs in committed.items() for seq in seqs)
    return sorted((ref for ref in refs if ref not in valid), key=lambda ref: (ref.attempt, ref.seq))
