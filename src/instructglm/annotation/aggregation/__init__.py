"""From what several people said of an item to one answer, how sure it is, and how far each of them can be relied on.

Ratings on a scale are averaged (`ratings`), or, where people rate many things, brought to one `consensus`. Labels go
into `Votes`, and one of `MODELS` makes an `Aggregate` of them. Ranked outputs are put in order by `bradley_terry`.
"""

from instructglm.annotation.aggregation.aggregate import Aggregate, Reliability
from instructglm.annotation.aggregation.bradley_terry import Strengths, bradley_terry, comparisons_of_rankings
from instructglm.annotation.aggregation.consensus import Consensus, consensus
from instructglm.annotation.aggregation.dawid_skene import dawid_skene, shrunken_dawid_skene
from instructglm.annotation.aggregation.glad import glad
from instructglm.annotation.aggregation.mace import mace
from instructglm.annotation.aggregation.majority import majority_vote
from instructglm.annotation.aggregation.models import MODELS
from instructglm.annotation.aggregation.one_coin import one_coin
from instructglm.annotation.aggregation.ratings import label_by_mean, mean_rating, standard_deviation
from instructglm.annotation.aggregation.votes import Votes

__all__ = [
    "MODELS",
    "Aggregate",
    "Consensus",
    "Reliability",
    "Strengths",
    "Votes",
    "bradley_terry",
    "comparisons_of_rankings",
    "consensus",
    "dawid_skene",
    "glad",
    "label_by_mean",
    "mace",
    "majority_vote",
    "mean_rating",
    "one_coin",
    "shrunken_dawid_skene",
    "standard_deviation",
]
