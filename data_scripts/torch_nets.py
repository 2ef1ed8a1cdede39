"""The nets and steps of PyTorch that ours are timed beside: channels last, in each of the forms of its optimizers."""
from functools import partial
from itertools import count

import numpy as np

SEED = 0
SETTINGS = {"Adam": [{"fused": True}, {"foreach": True}], "RMSprop": [{"foreach": True}, {"foreach": False}]}


def dense(sizes):
    from torch import nn
    layers = [layer for i, o in zip(sizes[:-1], sizes[1:]) for layer in (nn.Linear(i, o), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def cnn():
    from torch import nn
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3, padding=1),
                         nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2048, 10))


def lenet():
    from torch import nn
    return nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                         nn.Linear(84, 10))


def resnet18(width):
    from torch import nn

    def convolution(inputs, outputs, k, stride=1):
        return [nn.Conv2d(inputs, outputs, k, stride, k // 2, bias=False), nn.BatchNorm2d(outputs)]

    class Residual(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.main = nn.Sequential(*convolution(inputs, outputs, 3, stride), nn.ReLU(),
                                      *convolution(outputs, outputs, 3))
            same = stride == 1 and inputs == outputs
            self.shortcut = nn.Identity() if same else nn.Sequential(*convolution(inputs, outputs, 1, stride))

        def forward(self, x):
            return nn.functional.relu(self.main(x) + self.shortcut(x))

    widths = [width * 2**(block // 2) for block in range(8)]
    blocks = [Residual(i, o, 2 if i < o else 1) for i, o in zip([width, *widths[:-1]], widths)]
    return nn.Sequential(*convolution(3, width, 3), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(8 * width, 10))


def steps(make, X, Y, batch, method="Adam"):
    """Functions that take a step of the method on this net, one for each of its forms."""
    import torch
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    for settings in SETTINGS[method]:
        torch.manual_seed(SEED)
        model = make().to(memory_format=torch.channels_last)
        optimizer = getattr(torch.optim, method)(model.parameters(), lr=1e-3, **settings)
        yield partial(step, model, optimizer, torch.nn.CrossEntropyLoss(), X, Y, batches(len(X), batch))


def batches(n, batch):
    """The examples of each step: an order is drawn once an epoch, as it is for ours."""
    import torch
    for epoch in count():
        yield from torch.from_numpy(np.random.default_rng([SEED, epoch]).permutation(n)).split(batch)


def step(model, optimizer, judge, X, Y, batches):
    chosen = next(batches)
    x = X[chosen]
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2)  # these are channels last in memory already
    optimizer.zero_grad(set_to_none=True)
    judge(model(x), Y[chosen]).backward()
    optimizer.step()


def example_gradients(make, X, Y):
    """A function that takes the gradient of every example's loss."""
    import torch
    torch.manual_seed(SEED)
    model, judge = make(), torch.nn.CrossEntropyLoss()
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    X, Y = torch.from_numpy(X).permute(0, 3, 1, 2), torch.from_numpy(Y)

    def loss(weights, x, y):
        return judge(torch.func.functional_call(model, weights, (x[None],)), y[None])

    gradients = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
    return lambda: gradients(weights, X, Y)
