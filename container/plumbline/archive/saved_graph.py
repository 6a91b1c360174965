"""What the graph of a SavedModel computes, and with which operations: read from its file alone.

A graph is a list of nodes and a library of functions, which nodes call by name. Of both there may
be some that nobody runs: what is left of training, and what saves the model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property

from plumbline.archive.graph_nodes import (
    CALLS,
    Call,
    Function,
    Node,
    Reach,
    node_of,
    packed,
    shared_name,
    tensor_names,
)
from plumbline.archive.saved_model import Message, entries, message, text

INITIALIZERS = ("saved_model_main_op", "legacy_init_op")
"""The collections that name what is run once, when the model is loaded."""


INITIALIZER = "__saved_model_init_op"
"""The note among the signatures that names such."""

LOOKS = ("ReadVariableOp", "VarIsInitializedOp")
"""What looks into a variable, and leaves it as it is."""


class SavedGraph:
    """The graph of a SavedModel. Raises `ValueError` or `IndexError` where it is damaged."""

    def __init__(self, meta: Message) -> None:
        self.meta = meta
        self.found_assets: dict[tuple[str, str], bool] = {}
        graph = message(b"".join(meta[2]))
        library = message(b"".join(graph[2]))
        self.nodes: defaultdict[str, list[Node]] = defaultdict(list)
        for one in graph[1]:
            node = Node.of(message(one))
            self.nodes[node.name].append(node)
        self.functions = dict(Function.named(message(one)) for one in library[1])
        gradients = [message(one) for one in library[2]]
        self.gradients = {
            "".join(map(text, one[1])): "".join(map(text, one[2])) for one in gradients
        }

    @cached_property
    def served(self) -> Reach:
        """What is run for a request, or once when the model is loaded."""
        reach = self.reached(self.signature_outputs(INITIALIZER) | self.initializers())
        named = {name for name in self.object_functions if name in self.functions}
        stand_ins = {name for name, function in self.functions.items() if function.stands_in}
        self.add_functions(reach, named | stand_ins)
        return reach

    @cached_property
    def restored(self) -> Reach:
        """What is run to read the weights."""
        saver = message(b"".join(self.meta[3]))
        return self.reached({node_of(text(name)) for name in saver[3]})

    @cached_property
    def asked(self) -> Reach:
        """What is run for a request."""
        return self.reached(self.signature_outputs())

    def signature_outputs(self, *others: str) -> set[str]:
        """The nodes that signatures answer by, and those of `others` among TensorFlow's notes."""
        return {
            node_of(tensor)
            for name, one in entries(self.meta[5])
            if name != INITIALIZER or name in others
            for _, info in entries(one[2])
            for tensor in tensor_names(info)
        }

    def initializers(self) -> set[str]:
        """The nodes that are run once."""
        return {
            node_of(text(value))
            for key, collection in entries(self.meta[4])
            if key in INITIALIZERS
            for value in message(b"".join(collection[1]))[1]
        }

    @cached_property
    def objects(self) -> Message:
        """What TensorFlow 2 knows of the Python objects that were saved."""
        return message(b"".join(self.meta[7]))

    @cached_property
    def object_functions(self) -> Mapping[str, Message]:
        """The functions that those objects call, by name."""
        return dict(entries(self.objects[2]))

    @cached_property
    def asset_nodes(self) -> frozenset[str]:
        """The nodes that hold the path of a file in assets/."""
        infos = [message(b"".join(message(one)[1])) for one in self.meta[6]]
        return frozenset(node_of(text(info[1][-1])) for info in infos if info[1])

    def asset_files(self) -> Iterator[str]:
        """The names of the files in assets/."""
        for one in self.meta[6]:
            yield from map(text, message(one)[2])

    def reached(self, waiting: set[str]) -> Reach:
        """Everything that the nodes of these names need."""
        reach = Reach()
        todo = list(waiting)
        while todo:
            name = todo.pop()
            if name in reach.nodes:
                continue
            reach.nodes.add(name)
            for node in self.nodes.get(name, ()):
                todo.extend(map(node_of, node.inputs))
                self.add_functions(reach, set(node.called(self.functions)))
        return reach

    def add_functions(self, reach: Reach, names: set[str]) -> None:
        """Add functions, and those that they call. Raises `ValueError` where one is missing."""
        todo = list(names)
        while todo:
            name = todo.pop()
            if name in reach.functions:
                continue
            if name not in self.functions:
                raise ValueError(f"it calls a function {name[:80]!r} that it does not have")
            reach.functions.add(name)
            if name in self.gradients:
                todo.append(self.gradients[name])
            for node in self.functions[name].nodes:
                todo.extend(node.called(self.functions))

    def within(self, reach: Reach) -> Iterator[Call]:
        """The nodes of what is reached, and where each lies."""
        for name in reach.nodes:
            yield from (Call("", node) for node in self.nodes.get(name, ()))
        for name in reach.functions:
            yield from (Call(name, node) for node in self.functions[name].nodes)

    @cached_property
    def calls(self) -> Mapping[str, list[Call]]:
        """Where each function is called in what is served."""
        found = defaultdict(list)
        for call in self.within(self.served):
            for name in call.node.called(self.functions):
                found[name].append(call)
        return found

    def is_asset(self, scope: str, source: str) -> bool:
        """Whether what a node takes from `source` is, whoever calls, a path in assets/."""
        place = (scope, node_of(source))
        if place not in self.found_assets:
            self.found_assets[place] = False  # what goes round in a circle comes from nowhere
            self.found_assets[place] = self.comes_from_asset(*place)
        return self.found_assets[place]

    def comes_from_asset(self, scope: str, name: str) -> bool:
        """The same, looked for: in what the node of that name is made of."""
        if scope and name in self.functions[scope].arguments:
            return self.is_asset_argument(scope, name)
        nodes = self.functions[scope].nodes if scope else self.nodes.get(name, ())
        found = [node for node in nodes if node.name == name]
        if not scope and name in self.asset_nodes:
            return all(node.ops in (("Const",), ("Placeholder",)) for node in found)
        return bool(found) and all(
            (node.ops == ("Identity",) and self.is_asset(scope, node.inputs[0]))
            or (node.ops == ("ReadVariableOp",) and not scope and self.keeps_asset(node))
            for node in found
        )

    def keeps_asset(self, reading: Node) -> bool:
        """Whether nothing but a path in assets/ is ever written into the variable that is read."""
        name = node_of(reading.inputs[0])
        users = [
            node
            for nodes in self.nodes.values()
            for node in nodes
            if name in map(node_of, node.inputs)
        ]
        written = [node for node in users if node.ops == ("AssignVariableOp",)]
        return (
            self.variables.count(shared_name(name, self.nodes[name])) == 1
            and all(node.ops[0] in ("AssignVariableOp", *LOOKS) for node in users)
            and bool(written)
            and all(self.is_asset("", node.inputs[1]) for node in written)
        )

    @cached_property
    def variables(self) -> list[str]:
        """The names by which variables are shared, as often as there are such."""
        inner = [node for function in self.functions.values() for node in function.nodes]
        outer = [node for nodes in self.nodes.values() for node in nodes]
        return [
            shared_name(node.name, [node]) for node in (*inner, *outer) if "VarHandleOp" in node.ops
        ]

    def is_asset_argument(self, scope: str, name: str) -> bool:
        """Whether a function's argument is, in each of its calls, a path in assets/."""
        place = self.functions[scope].arguments.index(name)
        calls = [
            call.node.ops[0] in CALLS and self.is_asset(call.scope, call.node.inputs[place])
            for call in self.calls.get(scope, ())
        ]
        return all([*calls, *self.bound(scope, place)]) and bool(calls)

    def bound(self, scope: str, place: int) -> Iterator[bool]:
        """Whether what a Python object binds to a function's argument is a file in assets/."""
        if scope in self.object_functions:
            numbers = list(packed(self.object_functions[scope][2]))
            first = len(self.functions[scope].arguments) - len(numbers)
            if place >= first:
                yield bool(message(self.objects[1][numbers[place - first]])[5])
