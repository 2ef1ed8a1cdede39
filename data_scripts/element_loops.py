"""Training in plain Python, number by number: what the loops cost before NumPy or a compiler takes them over.

A net of dense layers with tanh and softmax cross-entropy, for lists of numbers.  Only for `timing`: on sizes that can
be waited for.  `multiplications` says how many times more a larger net would take.
"""
from math import exp, sqrt, tanh


def multiplications(matrices, batch, fisher_products=0):
    """Of one gradient, and so many products with the Fisher matrix, for matrices (outputs, inputs, places of use)."""
    weights = sum(o * i * places for o, i, places in matrices)
    first = matrices[0][0] * matrices[0][1] * matrices[0][2]
    gradient = 3 * weights - first          # forward; by weights; by inputs, but not of the first layer
    product = 4 * weights - 2 * first       # V x and W Rx; by weights; by inputs
    return batch * (gradient + fisher_products * product)


class Net:
    """The net whose layers have these numbers of inputs and outputs; theta is one list of all [W | b], row by row."""

    def __init__(self, sizes):
        self.sizes = sizes

    def layers(self, theta):
        """(number of inputs, rows [w | b]) of each layer."""
        start = 0
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:]):
            rows = [theta[start + k * (inputs + 1):start + (k + 1) * (inputs + 1)] for k in range(outputs)]
            yield inputs, rows
            start += outputs * (inputs + 1)

    def forward(self, theta, x):
        """What each layer is given, and the outputs."""
        given = []
        for number, (inputs, rows) in enumerate(self.layers(theta)):
            given.append(x)
            z = [sum_of_products(row, x) + row[inputs] for row in rows]
            x = z if number == len(self.sizes) - 2 else [tanh(number) for number in z]
        return given, x

    def backward(self, theta, given, d, g):
        """Add Jᵀ d to g."""
        end = len(theta)
        for number, (inputs, rows) in reversed(list(enumerate(self.layers(theta)))):
            x, end = given[number], end - len(rows) * (inputs + 1)
            for k in range(len(rows)):
                start = end + k * (inputs + 1)
                for j in range(inputs):
                    g[start + j] += d[k] * x[j]
                g[start + inputs] += d[k]
            if number:
                d = [(1 - x[j] * x[j]) * sum_of_products(d, [row[j] for row in rows]) for j in range(inputs)]

    def gradient(self, theta, X, Y):
        g = [0.0] * len(theta)
        for x, y in zip(X, Y):
            given, z = self.forward(theta, x)
            p = softmax(z)
            self.backward(theta, given, [(p[c] - (c == y)) / len(X) for c in range(len(p))], g)
        return g

    def fisher_product(self, theta, X, v):
        """F v: J v, times the Fisher matrix of softmax, times Jᵀ."""
        Fv = [0.0] * len(theta)
        for x in X:
            given, z = self.forward(theta, x)
            p, Rx = softmax(z), None
            for number, ((inputs, rows), (_, v_rows)) in enumerate(zip(self.layers(theta), self.layers(v))):
                x = given[number]
                Rz = [sum_of_products(row, x) + row[inputs] for row in v_rows]
                if Rx is not None:
                    Rz = [Rz[k] + sum_of_products(rows[k], Rx) for k in range(len(rows))]
                if number < len(self.sizes) - 2:
                    after = given[number + 1]
                    Rx = [(1 - after[k] * after[k]) * Rz[k] for k in range(len(rows))]
            mean = sum_of_products(p, Rz)
            self.backward(theta, given, [p[c] * (Rz[c] - mean) / len(X) for c in range(len(p))], Fv)
        return Fv


def sum_of_products(a, b):
    """Over the numbers that both have."""
    total = 0.0
    for j in range(min(len(a), len(b))):
        total += a[j] * b[j]
    return total


def softmax(z):
    largest = max(z)
    e = [exp(number - largest) for number in z]
    total = sum(e)
    return [number / total for number in e]


def adam(net, theta, X, Y, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t = [0.0] * len(theta), [0.0] * len(theta), 0
    while True:
        g, t = net.gradient(theta, X, Y), t + 1
        theta = list(theta)
        for i in range(len(theta)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i]**2
            theta[i] -= lr * m[i] / (1 - beta1**t) / (sqrt(v[i] / (1 - beta2**t)) + eps)
        yield theta


def rmsprop(net, theta, X, Y, lr=1e-3, rho=0.9, eps=1e-8):
    s = [0.0] * len(theta)
    while True:
        g = net.gradient(theta, X, Y)
        theta = list(theta)
        for i in range(len(theta)):
            s[i] = rho * s[i] + (1 - rho) * g[i]**2
            theta[i] -= lr * g[i] / (sqrt(s[i]) + eps)
        yield theta


def nltgcr(net, theta, X, Y, lr=1e-3, damping=1e-2, window=10):
    pairs = []
    while True:
        r = [-number for number in net.gradient(theta, X, Y)]
        p, v = r, [a + damping * b for a, b in zip(net.fisher_product(theta, X, r), r)]
        for p_i, v_i in pairs:
            tau = sum_of_products(v, v_i)
            p = [a - tau * b for a, b in zip(p, p_i)]
            v = [a - tau * b for a, b in zip(v, v_i)]
        length = sqrt(sum_of_products(v, v))
        pairs = [*pairs, ([a / length for a in p], [a / length for a in v])][-window:]
        d = [0.0] * len(theta)
        for p_i, v_i in pairs:
            alpha = sum_of_products(v_i, r)
            d = [a + alpha * b for a, b in zip(d, p_i)]
        step = lr if sum_of_products(d, r) >= 0 else -lr
        theta = [a + step * b for a, b in zip(theta, d)]
        yield theta


def natural_gradient(net, theta, X, Y, lr=1.0, damping=1e-2, cg_steps=10):
    while True:
        g = net.gradient(theta, X, Y)
        x, r, p = [0.0] * len(theta), g, g
        rr = sum_of_products(r, r)
        for _ in range(cg_steps):
            Ap = [a + damping * b for a, b in zip(net.fisher_product(theta, X, p), p)]
            alpha = rr / sum_of_products(p, Ap)
            x = [a + alpha * b for a, b in zip(x, p)]
            r = [a - alpha * b for a, b in zip(r, Ap)]
            rr, before = sum_of_products(r, r), rr
            p = [a + rr / before * b for a, b in zip(r, p)]
        theta = [a - lr * b for a, b in zip(theta, x)]
        yield theta
