"""How far people who judged the same items agree.

One question at a time: `krippendorff_alpha`, `fleiss_kappa`, `gwet_ac`, `percent_agreement` take the ratings of items,
`cohen_kappa` and `scott_pi` those of two people. All questions of a project at once: `Judgements` and
`agreement_of_project`; `what_to_do_next` reads its figures.
"""

from instructglm.annotation.agreement.alpha import Agreement, krippendorff_alpha
from instructglm.annotation.agreement.coefficient import Coefficient
from instructglm.annotation.agreement.confusions import Confusion, confusions
from instructglm.annotation.agreement.distances import Level, Weights
from instructglm.annotation.agreement.findings import Finding, waiting_items, what_to_do_next
from instructglm.annotation.agreement.groups import (
    GroupAgreement,
    agreement_by,
    agreement_of_items,
    agreement_over_time,
    agreement_per_item,
    disagreement_per_item,
)
from instructglm.annotation.agreement.judgements import Judgements
from instructglm.annotation.agreement.people import (
    PairAgreement,
    PersonAgreement,
    agreement_of_pairs,
    agreement_with_others,
    agreement_with_self,
)
from instructglm.annotation.agreement.project import ProjectAgreement, agreement_of_project
from instructglm.annotation.agreement.several_raters import fleiss_kappa, gwet_ac, percent_agreement
from instructglm.annotation.agreement.split import most_split
from instructglm.annotation.agreement.two_raters import cohen_kappa, scott_pi

__all__ = [
    "Agreement",
    "Coefficient",
    "Confusion",
    "Finding",
    "GroupAgreement",
    "Judgements",
    "Level",
    "PairAgreement",
    "PersonAgreement",
    "ProjectAgreement",
    "Weights",
    "agreement_by",
    "agreement_of_items",
    "agreement_of_pairs",
    "agreement_of_project",
    "agreement_over_time",
    "agreement_per_item",
    "agreement_with_others",
    "agreement_with_self",
    "cohen_kappa",
    "confusions",
    "disagreement_per_item",
    "fleiss_kappa",
    "gwet_ac",
    "krippendorff_alpha",
    "most_split",
    "percent_agreement",
    "scott_pi",
    "waiting_items",
    "what_to_do_next",
]
