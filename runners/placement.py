"""Where the nodes of a model run: on what was asked for, or left to the plain kernels of the CPU.

Facts only; what they mean for a measurement is the host's to say.
"""


def told(requested, effective, nodes, partitions):
    """A placement that the runtime told.

    Args:
        requested: The accelerator of the job.
        effective: Who runs the nodes that are not left to the CPU, or the CPU where none are.
        nodes: Pairs of the operation and of whether it is accelerated, one a node.
        partitions: In how many pieces the accelerator has the model.
    """
    cpu_ops = {}
    for operation, is_accelerated in nodes:
        if not is_accelerated:
            cpu_ops[operation] = cpu_ops.get(operation, 0) + 1
    return {
        "requested": requested,
        "effective": effective,
        "nodes_total": len(nodes),
        "nodes_accel": sum(1 for _, is_accelerated in nodes if is_accelerated),
        "partitions": partitions,
        "cpu_ops": cpu_ops,
        "unknown": None,
    }


def untold(requested, effective, words):
    """A placement whose nodes nobody told of, and why."""
    return {
        "requested": requested,
        "effective": effective,
        "nodes_total": None,
        "nodes_accel": None,
        "partitions": None,
        "cpu_ops": None,
        "unknown": words,
    }


def delegated(operations):
    """The operations of a TFLite graph with whether a delegate took each; and the delegates.

    A delegate is appended to the operations as one more, named DELEGATE, and those that it took
    stay in the list. They are what lies between its inputs and its outputs.
    """
    takers = [operation for operation in operations if operation["op_name"] == "DELEGATE"]
    own = [operation for operation in operations if operation["op_name"] != "DELEGATE"]
    producers = {int(tensor): place for place, op in enumerate(own) for tensor in op["outputs"]}
    taken = set()
    for taker in takers:
        given = {int(tensor) for tensor in taker["inputs"]}
        wanted = [int(tensor) for tensor in taker["outputs"]]
        while wanted:
            place = producers.get(wanted.pop())
            if place is None or place in taken:
                continue
            taken.add(place)
            wanted += [int(t) for t in own[place]["inputs"] if int(t) not in given]
    return [(op["op_name"], place in taken) for place, op in enumerate(own)], len(takers)
