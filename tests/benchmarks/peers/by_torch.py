"""torch-pruning, NNCF and onnxruntime's quantizer, in an environment that `peers` makes."""

import json
import sys
from pathlib import Path

import nncf
import numpy as np
import torch
import torch_pruning
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from torch import nn

todo = json.loads(sys.argv[1])
folder, base = Path(todo["folder"]), Path(todo["base"])
arrays = dict(np.load(base / "arrays.npz"))
stored = dict(np.load(base / "weights.npz"))
count, batch = len(arrays["x_train"]), todo["batch"]
STEPS = todo["steps"] or todo["epochs"] * -(-count // batch)
SAMPLE = torch.zeros(1, 1, 28, 28)
EPSILON = 1e-3


class Convolution(nn.Sequential):
    """A 3x3 convolution padded as Keras pads it, and its normalization."""

    def __init__(self, name, read, wrote, stride):
        # `same` of Keras pads an even map of stride 2 below and to the right only.
        pad = nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)
        super().__init__(
            pad,
            nn.Conv2d(read, wrote, 3, stride=stride, bias=False),
            nn.BatchNorm2d(wrote, eps=EPSILON, momentum=0.1),
        )
        _load_convolution(self[1], f"{name}_conv")
        scale, offset, mean, variance = (stored[f"{name}_norm/{n}"] for n in range(4))
        self[2].load_state_dict(
            {
                "weight": torch.tensor(scale),
                "bias": torch.tensor(offset),
                "running_mean": torch.tensor(mean),
                "running_var": torch.tensor(variance),
                "num_batches_tracked": torch.tensor(1),
            }
        )


class Block(nn.Module):
    """A residual block."""

    def __init__(self, name, read, wrote, stride):
        super().__init__()
        self.first = Convolution(f"{name}_1", read, wrote, stride)
        self.second = Convolution(f"{name}_2", wrote, wrote, 1)
        self.shortcut = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Conv2d(read, wrote, 1, stride=stride)
            _load_convolution(self.shortcut, f"{name}_shortcut")

    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        return torch.relu(y + self.shortcut(x))


class ResNet8(nn.Module):
    """The trained net of zoo:resnet8; logits."""

    def __init__(self):
        super().__init__()
        self.stem = Convolution("stem", 1, 16, 1)
        self.blocks = nn.Sequential(
            Block("block1", 16, 16, 1), Block("block2", 16, 32, 2), Block("block3", 32, 64, 2)
        )
        kernel, bias = next(
            (stored[key], stored[key[:-1] + "1"])
            for key in stored
            if key.endswith("/0") and stored[key].ndim == 2
        )
        self.dense = nn.Linear(64, 10)
        self.dense.load_state_dict(
            {"weight": torch.tensor(kernel.T.copy()), "bias": torch.tensor(bias)}
        )

    def forward(self, x):
        x = self.blocks(torch.relu(self.stem(x)))
        return self.dense(x.mean(dim=(2, 3)))


def _load_convolution(layer, name):
    state = {"weight": torch.tensor(stored[f"{name}/0"].transpose(3, 2, 0, 1).copy())}
    if layer.bias is not None:
        state["bias"] = torch.tensor(stored[f"{name}/1"])
    layer.load_state_dict(state)


class AsKeras(nn.Module):
    """Channels last, and probabilities, as in the files that it is compared with."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return torch.softmax(self.inner(x.permute(0, 3, 1, 2)), dim=1)


def fit(model, seed):
    torch.manual_seed(seed)
    images = torch.tensor(arrays["x_train"]).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(arrays["y_train"].astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), todo["learning_rate"], eps=1e-7)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    model.train()
    order = torch.randperm(count)
    for step in range(STEPS):
        start = step * batch % count
        if step and start < batch:
            order = torch.randperm(count)
        chosen = order[start : start + batch]
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[chosen]), labels[chosen]).backward()
        optimizer.step()
        schedule.step()
    model.eval()


def save(model, who, what, seed):
    path = path_of(who, what, seed)
    part = path.with_suffix(".part")
    image = torch.zeros(1, 28, 28, 1)
    torch.onnx.export(
        AsKeras(model).eval(), (image,), str(part), input_names=["image"], dynamo=False
    )
    part.rename(path)


def path_of(who, what, seed):
    return folder / f"{who}__{what}__{seed}.onnx"


def cut(model):
    importance = torch_pruning.importance.MagnitudeImportance(p=1)
    torch_pruning.pruner.MagnitudePruner(
        model,
        SAMPLE,
        importance=importance,
        pruning_ratio=0.5,
        round_to=8,
        ignored_layers=[model.dense],
    ).step()


class Reader(CalibrationDataReader):
    """The calibration images, one by one."""

    def __init__(self, name):
        self.left = iter({name: image[np.newaxis]} for image in arrays["x_calibration"])

    def get_next(self):
        return next(self.left, None)


def quantize():
    import onnx

    source = folder / "edgebench__float__0.onnx"
    model = onnx.load(source)
    name = model.graph.input[0].name
    told = path_of("onnxruntime", "int8 after training, a scale a tensor", 0)
    quantize_static(str(source), str(told), Reader(name))
    images = nncf.Dataset(arrays["x_calibration"], lambda image: {name: image[np.newaxis]})
    onnx.save(nncf.quantize(model, images), path_of("nncf", "int8 after training", 0))


quantize()
for seed in range(todo["seeds"]):
    if not path_of("torch-pruning", "filters 50 %", seed).exists():
        model = ResNet8().eval()
        cut(model)
        fit(model, seed)
        save(model, "torch-pruning", "filters 50 %", seed)
    if not path_of("nncf", "prune 80 %", seed).exists():
        model = nncf.prune(
            ResNet8().eval(),
            mode=nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL,
            ratio=0.8,
            examples_inputs=SAMPLE,
        )
        fit(model, seed)
        save(nncf.strip(model, example_input=SAMPLE), "nncf", "prune 80 %", seed)
if not path_of("torch", "float", 0).exists():
    save(ResNet8().eval(), "torch", "float", 0)
