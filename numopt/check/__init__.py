"""Is it right?  Checks for a problem, a network, a layer, a loss, and an optimizer of your own.

    python -m numopt.check path/to/mine.py:yogi         an optimizer: which laws it keeps
    python -m numopt.check mine.py:valley mine.py:net   a problem's derivatives; all of a network's curvature products
    python -m numopt.check mine.py:Huber mine.py:Swish  a loss; a layer
    python -m numopt.check adam mlp:64,32,10            what numopt has, by name

The exit code is 0 where all is right, 1 where something is wrong, 2 where there is no such thing.  From Python:

    numopt.check.optimizer(yogi)                    a report, a line for each law
    check_gradient(objective, theta)                3e-11: a relative error; check_hessian, check_coordinates
    print(table(objective, theta))                  all of them, and how they read
    network_errors(network), loss_errors(loss), layer_errors(layer)
"""
from numopt import handed_on

__getattr__, __dir__ = handed_on(__name__, __path__[0])
