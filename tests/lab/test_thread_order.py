"""Work of a handler's own threads is ordered within its pool, and by nothing of another one."""

from __future__ import annotations

from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor

from dacapo.process.own_threads import Origin, following
from dacapo.process.thread_order import ThreadOrder, Turn

POOLS = 100


class Counted(ThreadOrder):
    """Counts what is started, by group."""

    def __init__(self) -> None:
        super().__init__(is_reversed=False)
        self.counts: dict[Hashable, int] = {}

    def started(self, group: Hashable, most: int | None = None) -> Turn:
        """Count it."""
        self.counts[group] = self.counts.get(group, 0) + 1
        return super().started(group, most)


def test_a_pool_in_the_place_in_memory_of_one_that_is_gone_is_another_group() -> None:
    order = Counted()
    with following(lambda: Origin(None), lambda _: False, order):
        for _ in range(POOLS):
            with ThreadPoolExecutor(1) as pool:
                assert list(pool.map(str, (1, 2))) == ["1", "2"]
            del pool
    assert list(order.counts.values()) == [2] * POOLS
