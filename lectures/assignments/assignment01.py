"""Backpropagation by hand.          Lecture 1.

The passes of a dense layer and of a convolution, and what a loss hands back to them.
"""
from lectures.assignments import Claim, call, layer, net, plain

BLANKS = {"numopt.networks.losses": ["SoftmaxCrossEntropy.gradient"],
          "numopt.networks.layers": ["Dense.backward", "Dense.jvp", "Dense.r_backward"],
          "numopt.kernels.convolution": ["convolution_by_weights", "convolution_by_inputs"]}
ALSO = {"numopt.kernels.pixels": ["by_runs"]}


def dense(*passes, bias=True):
    def job(random):
        n, i, o = random.integers(2, 6, 3)
        size = o * (i + bias)
        parts = {"w": random.standard_normal(size), "x": random.standard_normal((n, i))}
        if "backward" in passes or "r_backward" in passes:
            parts["dy"] = random.standard_normal((n, o))
        if "jvp" in passes or "r_backward" in passes:
            parts |= {"v": random.standard_normal(size), "Rx": random.standard_normal((n, i))}
        if "r_backward" in passes:
            parts["Rdy"] = random.standard_normal((n, o))
        return layer("Dense", int(i), int(o), bias, **parts)
    return job


def conv(by, bias=True):
    def job(random):
        channels, outputs, k, stride, padding = (int(random.integers(low, high)) for low, high in
                                                 ((1, 4), (1, 4), (2, 4), (1, 3), (0, 2)))
        h, w = (int(side) for side in random.integers(4, 8, 2))
        x = random.standard_normal((3, h, w, channels))
        dy = random.standard_normal((3, *((side + 2 * padding - k) // stride + 1 for side in (h, w)), outputs))
        if by == "weights":
            return call("numopt.kernels.convolution.convolution_by_weights", x, dy, k, stride, padding, bias)
        W = random.standard_normal((outputs, k * k * channels))
        return call("numopt.kernels.convolution.convolution_by_inputs", dy, W, list(x.shape), k, stride, padding)
    return job


def whole(matrix):
    def job(random):
        made_of = net(random)
        size = sum((i + 1) * o for i, o in zip(made_of["sizes"], made_of["sizes"][1:]))
        theta, v = random.standard_normal((2, size))
        return {"do": "product", "matrix": matrix, "theta": plain(theta), "v": plain(v),
                "net": {name: plain(part) for name, part in made_of.items()}}
    return job


CLAIMS = [
    Claim("Dense.backward", "The derivatives by x and by [W | b] of a dense layer are those of y = x Wᵀ + b.",
          dense("backward"), 3),
    Claim("Dense.backward", "A layer without a bias has no column for one.", dense("backward", bias=False), 1),
    Claim("Dense.jvp", "y changes by x Vᵀ + Rb + Rx Wᵀ when the weights move along v and the inputs along Rx.",
          dense("jvp"), 2),
    Claim("Dense.r_backward", "The R-operator of backward has the product rule in every line.", dense("r_backward"), 3),
    Claim("Dense.r_backward", "It has it without a bias, too.", dense("r_backward", bias=False), 1, shown=False),
    Claim("convolution_by_weights", "A convolution's weights collect what every patch has to say.", conv("weights"), 3),
    Claim("convolution_by_weights", "Those without a bias have no column for one.", conv("weights", bias=False), 1,
          shown=False),
    Claim("convolution_by_inputs", "A pixel collects the derivatives of all patches that it is in.", conv("inputs"), 3),
    Claim("SoftmaxCrossEntropy.gradient", "The derivatives of the cross-entropy by the outputs are p − y.",
          lambda random: call("lectures.coursework.jobs.derivatives", 3 * random.standard_normal((4, 3)),
                              random.integers(0, 3, 4)), 2),
    Claim("SoftmaxCrossEntropy.gradient", "What is added to all outputs changes nothing, if it is a thousand.",
          lambda random: call("lectures.coursework.jobs.derivatives", 3 * random.standard_normal((4, 3)) + 1000,
                              random.integers(0, 3, 4)), 1),
    Claim("SoftmaxCrossEntropy.gradient", "The order of the outputs in the memory changes nothing.",
          lambda random: call("lectures.coursework.jobs.derivatives", 3 * random.standard_normal((4, 3)),
                              random.integers(0, 3, 4), "F"), 1, shown=False),
    Claim("Dense.backward", "With it, a network has its gradient.", whole("gradient"), 1, shown=False),
    Claim("Dense.r_backward", "With these passes a network has its Hessian products.", whole("hessian"), 2,
          shown=False),
    Claim("Dense.jvp", "And its Gauss-Newton products.", whole("gauss_newton"), 1, shown=False),
]
