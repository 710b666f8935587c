"""The cut of a program into engines and parts in PyTorch: sound, and as few parts as can be."""

import itertools
import os
import random

from torch2trt.partition.phases import phases, without_small_engines

CASES = 300 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


def drawn(draw, count):
    before = [sorted(draw.sample(range(k), draw.randint(0, min(k, 3)))) for k in range(count)]
    return before, [draw.random() < 0.6 for _ in range(count)]


def check(before, sides, parts):
    """Each part has one side, and nothing reads from a later part. Parts that run in order are convex and acyclic."""
    for index, operands in enumerate(before):
        assert all(parts[other] <= parts[index] for other in operands)
    assert all(len({sides[k] for k in range(len(sides)) if parts[k] == part}) == 1 for part in set(parts))
    assert sorted(set(parts)) == list(range(len(set(parts))))


def fewest(before, sides):
    """The least number of parts, by trying every order in which calls can run."""
    best = len(sides)
    for order in itertools.permutations(range(len(sides))):
        place = {call: k for k, call in enumerate(order)}
        if all(place[other] < place[call] for call in order for other in before[call]):
            best = min(best, 1 + sum(sides[a] != sides[b] for a, b in itertools.pairwise(order)))
    return best


def test_parts_of_drawn_programs_run_in_order():
    draw = random.Random(int(os.environ.get("TORCH2TRT_TEST_SEED", "0")))
    for _ in range(CASES):
        before, sides = drawn(draw, draw.randint(1, 40))
        check(before, sides, phases(before, sides))


def test_no_order_of_the_calls_has_fewer_parts():
    draw = random.Random(int(os.environ.get("TORCH2TRT_TEST_SEED", "1")))
    for _ in range(CASES // 5):
        before, sides = drawn(draw, draw.randint(1, 7))
        assert len(set(phases(before, sides))) == fewest(before, sides), (before, sides)


def test_small_engines_join_the_parts_around_them():
    draw = random.Random(int(os.environ.get("TORCH2TRT_TEST_SEED", "2")))
    for _ in range(CASES):
        before, given = drawn(draw, draw.randint(1, 30))
        weights = [draw.randint(0, 3) for _ in given]
        parts, sides, moved = without_small_engines(before, given, weights.__getitem__, 5)
        check(before, sides, parts)
        assert moved == {k for k, (old, new) in enumerate(zip(given, sides, strict=True)) if old and not new}
        # Nothing is forced into an engine.
        assert not any(new and not old for old, new in zip(given, sides, strict=True))
        engines = {parts[k] for k in range(len(sides)) if sides[k]}
        sums = [sum(weights[k] for k in range(len(sides)) if parts[k] == part) for part in engines]
        assert len(sums) == 1 or all(total >= 5 for total in sums) or not sums
        assert not any(given) or engines  # one engine is left
