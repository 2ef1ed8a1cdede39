"""Products with matrices that nobody writes down.          Lecture 1.

Hessian and Jacobian products of a whole network, from the passes of its layers, which are there.
"""
from lectures.assignments import Claim, net, plain
from lectures.coursework.holding import agrees_closely

BLANKS = {"numopt.problems.minibatch": ["MiniBatch.hessian", "MiniBatch.through_outputs", "MiniBatch.jacobian"]}


def product(matrix, **how):
    """A matrix of a small network times a vector; with the squared error, outputs are numbers to be met."""
    def job(random):
        made_of = net(random, **how)
        if how.get("loss") == "SquaredError":
            made_of["Y"] = random.standard_normal((len(made_of["X"]), made_of["sizes"][-1]))
        size = sum((i + 1) * o for i, o in zip(made_of["sizes"], made_of["sizes"][1:]))
        theta, v = random.standard_normal((2, size))
        return {"do": "product", "matrix": matrix, "theta": plain(theta), "v": plain(v),
                "net": {name: plain(part) for name, part in made_of.items()}}
    return job


CLAIMS = [
    Claim("MiniBatch.hessian", "H v is the derivative of the gradient along v, by the R-operator of both passes.",
          product("hessian"), 4, holds=agrees_closely),
    Claim("MiniBatch.hessian", "It is so for another loss and other activations.",
          product("hessian", loss="SquaredError", activation="softplus"), 2, shown=False, holds=agrees_closely),
    Claim("MiniBatch.through_outputs", "G v takes a pass forward, the loss's own Hessian, and a pass back.",
          product("gauss_newton"), 3),
    Claim("MiniBatch.through_outputs", "So does Fisher's matrix.", product("fisher"), 1, shown=False),
    Claim("MiniBatch.through_outputs", "And the one that is made of gradients.", product("empirical_fisher"), 1,
          shown=False),
    Claim("MiniBatch.jacobian", "J has a row for each output of each example: J v is how they change.",
          product("jacobian", n=4), 3),
    Claim("MiniBatch.jacobian", "It has nothing to do with the loss.",
          product("jacobian", n=3, loss="SquaredError", activation="sigmoid"), 1, shown=False),
]
