"""Memory: freed blocks of the C library are kept for the next step; constants go to a device once; batches that do not
fit are halved."""

import ctypes
import functools
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

Item, Made = TypeVar("Item"), TypeVar("Made")

# Names and values of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER_TRIM, NO_MAPPED_BLOCKS = (1 << 31) - 1, 0
# How torch says on a CPU and on MPS that there is no memory: as any other mistake but for these words.
WORDS = ("can't allocate memory", "not enough memory", "backend out of memory")


def keep_freed_blocks() -> bool:
    """Whether glibc now keeps all blocks that are freed; nothing is changed without glibc.

    Else every activation is mapped and zeroed anew in every step: 42 instead of 15 ms per picture of 224 px, forward
    and backward, up to blocks.2 of tf_efficientnet_lite0 (float32, batch 16); a whole forward pass without
    gradient 33 to 39 instead of 21 to 22 ms (batch 12).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(M_MMAP_MAX, NO_MAPPED_BLOCKS) and mallopt(M_TRIM_THRESHOLD, NEVER_TRIM))


@functools.lru_cache(maxsize=64)
def constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """(n,) on a device, made once, so that steps of an ascent wait for nothing from the CPU; not to be changed."""
    with torch.inference_mode(False):  # else it could not be used where there are gradients
        return torch.tensor(values, device=device, dtype=dtype)


class Halving:
    """Batches of `size`, halved whenever one does not fit into memory, and then so for all that follow."""

    def __init__(self, size: int, together: int = 1) -> None:
        """`together` items that stand beside one another are never parted."""
        self.together = together
        self.size = self._whole(size)

    def over(self, items: Sequence[Item], compute: Callable[[Sequence[Item], int], Made]) -> Iterator[tuple[int, Made]]:
        """The place of each batch's first item and what `compute(items of the batch, size)` made of it, where
        the last batch may be filled up to `size`.

        Where not even the smallest batch fits, the library's own error ends it.
        """
        done = 0
        while done < len(items):
            part = items[done : done + self.size]
            made = self._made(part, compute)
            if made is not None:
                yield done, made[0]
                done += len(part)

    def _made(self, part: Sequence[Item], compute: Callable) -> tuple | None:
        """What was made of a batch, as a tuple; None where it was too large, and then batches are smaller."""
        try:
            return (compute(part, self.size),)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or self.size <= self.together:
                raise
        # Out of the handler, whose error holds what the batch has filled the memory with.
        self.size = self._whole(self.size // 2)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _whole(self, size: int) -> int:
        return max(size // self.together, 1) * self.together


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory, on whatever device."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or (isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS))
