"""Sums that a frozen convolution (convolution.py) takes over: of blocks with a shortcut, forward and back.

    what a block does                                    what is left of it
    convolution, normalisation, + shortcut, ReLU         one pass: onednn.added
    gradients of a shortcut and of the convolution
      that reads the same input, added                   one pass: gradients.of_input with `more`

Blocks are read by torch.fx, whose graphs are the blocks' own code with their own modules. A block that it cannot read,
or where there is nothing to take over, stays as it is.
"""

import operator
from collections import Counter
from collections.abc import Collection, Iterator

import torch
from torch import fx, nn

from konvolut.network import onednn
from konvolut.network.convolution import Convolution

ADDITIONS = (operator.add, operator.iadd, torch.add)
# Modules that hold blocks and do nothing of their own.
HOLDERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def join(
    module: nn.Module, layers: Collection[str], ends: Collection[str], only: Collection[str] | None = None
) -> list[str]:
    """Let the convolutions of a module take over what they can, in place; names of the blocks where there was anything.

    Nothing is touched in blocks around one of the `layers`, nor are the activations taken that end one (`ends`). `only`
    are the blocks that are looked at, None for all.
    """
    found = []
    names = [name for name, part in module.named_modules() if name and not isinstance(part, (*HOLDERS, Convolution))]
    for name in sorted(names, key=lambda name: -name.count(".")):
        block = module.get_submodule(name)
        inside = any(layer.startswith(f"{name}.") for layer in layers)
        asked = only is None or name in only
        if asked and not inside and any(isinstance(part, Convolution) for part in block.modules()):
            graph = _read(block)
            kept = {end.removeprefix(f"{name}.") for end in ends}
            if graph is not None and _rewrite(block, graph, kept):
                module.set_submodule(name, fx.GraphModule(block, graph, type(block).__name__).eval())
                found.append(name)
    return found


class _Reader(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Convolution | fx.GraphModule) or super().is_leaf_module(m, module_qualified_name)


def _read(block: nn.Module) -> fx.Graph | None:
    """What a block of one input does, call by call; None where that depends on the numbers or shapes it gets."""
    if isinstance(block, fx.GraphModule):
        return None
    try:
        graph = _Reader().trace(block)
    except Exception:  # fx raises whatever the block's own code does when it is given no tensor
        return None
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    return graph if len([node for node in inputs if node.users]) == 1 and inputs[0].users else None


def _rewrite(block: nn.Module, graph: fx.Graph, ends: Collection[str]) -> bool:
    """Whether anything was taken over."""
    modules = dict(block.named_modules())
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    ends = {*ends, *(name for name, count in calls.items() if count > 1)}  # what is used again stays a module
    for node in [node for node in graph.nodes if _is_nothing(node, modules)]:
        node.replace_all_uses_with(node.args[0])
        graph.erase_node(node)
    free = {
        node: modules[node.target]
        for node in graph.nodes
        if node.op == "call_module"
        and isinstance(modules[node.target], Convolution)
        and calls[node.target] == 1
        and len(node.args) == 1
        and not node.kwargs
    }
    sums = [_take_sum(graph, node, free, modules, ends) for node in list(graph.nodes) if _is_sum(node)]
    # From the last one on: each is then the only one that reads what the one before it passes on.
    forks = [_fork(graph, node, free, modules) for node in reversed(list(graph.nodes)) if node in free]
    graph.lint()
    return any(sums) or any(forks)


def _is_nothing(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    return node.op == "call_module" and type(modules[node.target]) is nn.Identity and len(node.args) == 1


def _is_sum(node: fx.Node) -> bool:
    two = len(node.args) == 2 and all(isinstance(part, fx.Node) for part in node.args) and not node.kwargs
    return two and node.op == "call_function" and node.target in ADDITIONS


def _take_sum(graph: fx.Graph, node: fx.Node, free: dict, modules: dict, ends: Collection[str]) -> bool:
    """Give a sum, and a ReLU after it, to the convolution that puts out one of its parts for it alone."""
    own = next((part for part in node.args if part in free and len(part.users) == 1), None)
    if own is None or free[own].activation is not None or node.args[0] is node.args[1]:
        return False
    other = node.args[1] if own is node.args[0] else node.args[0]
    after = next(iter(node.users)) if len(node.users) == 1 else None
    with graph.inserting_after(node):
        joined = graph.call_module(own.target, (own.args[0], other))
    node.replace_all_uses_with(joined)
    graph.erase_node(node)
    graph.erase_node(own)
    free[joined] = free.pop(own)
    activation = modules[after.target] if after is not None and after.op == "call_module" else None
    if type(activation) is onednn.FUSED_AFTER_SUM and after.target not in ends:
        free[joined].activation = activation
        after.replace_all_uses_with(joined)
        graph.erase_node(after)
    return True


def _fork(graph: fx.Graph, node: fx.Node, free: dict[fx.Node, Convolution], modules: dict) -> bool:
    """Let all that read a convolution's input after it read what the convolution passes on."""
    source, later = node.args[0], set(_after(node))
    readers = [user for user in source.users if user in later]
    if not readers or any(_writes(reader, source, modules) for reader in readers):
        return False
    with graph.inserting_after(node):
        own = graph.call_function(operator.getitem, (node, 0))
    with graph.inserting_after(own):
        passed = graph.call_function(operator.getitem, (node, 1))
    node.replace_all_uses_with(own, delete_user_cb=lambda user: user not in (own, passed))
    for reader in readers:
        reader.replace_input_with(source, passed)
    other = node.args[1] if len(node.args) > 1 else None
    alone = len(readers) == 1 and readers[0] in free and _finds_a_new_one(readers[0], passed, free[readers[0]])
    node.args = (source, other, "overwritten" if alone else "added")
    return True


def _finds_a_new_one(reader: fx.Node, source: fx.Node, part: Convolution) -> bool:
    """Whether the gradient that a convolution finds for what it reads is a tensor that nobody else has."""
    return reader.args[0] is source or part.activation is not None


def _writes(reader: fx.Node, source: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a reader may change what it reads in place."""
    if reader.op == "call_module":
        return getattr(modules[reader.target], "inplace", False)
    if reader.op == "call_method":
        return str(reader.target).endswith("_")
    return (reader.target is operator.iadd and reader.args[0] is source) or reader.kwargs.get("inplace", False)


def _after(node: fx.Node) -> Iterator[fx.Node]:
    while node.next.op != "root":
        node = node.next
        yield node
