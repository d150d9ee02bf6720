"""How a model's layers spread over GPUs. Source: facts of llama.cpp's load_tensors, src/llama-model.cpp at b11434."""

from reconciler.core.model.spec import Gpu, SplitMode


def tensor_split(gpu: Gpu) -> tuple[int, ...]:
    """Return --tensor-split, one integer a GPU; () where the model is not split.

    Unit i of N goes to the first device whose cumulative share exceeds i/N, so integer unit counts that sum to N place
    exactly. The output layer is the last unit: with layer ranges it joins the last device's count. Without them the
    split is even by ratio (`1,1,…`), since the number of layers is not known.
    """
    if gpu.count <= 1 or gpu.split_mode is SplitMode.NONE:
        return ()
    if not gpu.layer_split:
        return (1,) * gpu.count
    counts = [last - first + 1 for first, last in gpu.layer_split]
    counts[-1] += 1
    return tuple(counts)


def layer_split_error(ranges: tuple[tuple[int, int], ...], count: int) -> str:
    """Say what is wrong with layer ranges, "" when nothing is: one a GPU, contiguous from 0, no gap, no overlap."""
    if len(ranges) != count:
        return f"{len(ranges)} layer ranges for {count} GPUs; write one range for each GPU"
    expected = 0
    for first, last in ranges:
        if last < first:
            return f"{first}-{last} ends before it begins; write the lower layer first"
        if first != expected:
            kind = "overlaps the range before it" if first < expected else "leaves a gap"
            return f"{first}-{last} {kind}; this range begins at layer {expected}"
        expected = last + 1
    return ""
