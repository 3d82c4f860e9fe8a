"""The field's standard experiments, each a function of a controller that returns arrays.

>>> from rnn_controller.experiments import centre_out
>>> centre_out("reach", perturbation={"curl": 15}).hand.shape
(8, 1, 101, 2)
"""

from rnn_controller.experiments.adaptation import Adaptation, adapt
from rnn_controller.experiments.centre_out import CentreOut, centre_out
from rnn_controller.experiments.following import Following, following
from rnn_controller.experiments.pushing import Pushing, pushing
from rnn_controller.experiments.reaches import Reaches, reaches

__all__ = [
    "Adaptation",
    "CentreOut",
    "Following",
    "Pushing",
    "Reaches",
    "adapt",
    "centre_out",
    "following",
    "pushing",
    "reaches",
]
